//! Organizations and further accounts.

use crate::{all_users, person, proved};
use extension_contract::Account;
use host_identity::{Link, LinkKind, Organization, Removed, Users};

fn add(users: &Users, id: &str) {
    assert!(users.add(&proved(id), "").expect("written"));
}

#[test]
fn an_organization_keeps_an_owner_and_a_member_gets_further_roles() {
    for users in all_users() {
        add(&users, "ada");
        add(&users, "bob");
        assert!(users.add(&person("eve"), "").expect("written"));
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
        assert!(!users.found(false, &choir, "eve").expect("written"), "who has proved no address makes none");
        assert!(users.found(false, &choir, "ada").expect("written"));
        users.join("org_1", "bob", &["member".into()], 6).expect("written");
        users.join("org_1", "bob", &["billing".into(), "member".into()], 7).expect("written");
        let roles = |of: &str| {
            let all = users.organizations_of(of).expect("read");
            all.into_iter().map(|(organization, roles)| (organization.name, roles)).collect::<Vec<_>>()
        };
        assert_eq!(roles("ada"), [("Choir".into(), vec!["owner".into()])]);
        assert_eq!(roles("bob"), [("Choir".into(), vec!["member".into(), "billing".into()])]);
        let members: Vec<String> = users.members("org_1").expect("read").into_iter().map(|(user, _)| user.id).collect();
        assert_eq!(members, ["ada", "bob"]);
        assert_eq!(users.remove("org_1", "ada").expect("written"), Removed::LastOwner);
        assert_eq!(users.remove("org_1", "eve").expect("written"), Removed::Unknown);
        assert_eq!(users.remove("org_1", "bob").expect("written"), Removed::Done);
        assert_eq!(roles("bob"), []);
    }
}

#[test]
fn an_account_has_one_user() {
    for users in all_users() {
        add(&users, "ada");
        add(&users, "bob");
        let account = Account::User("usr_x".into());
        assert!(users.add_account(false, &account, "ada").expect("written"));
        assert!(users.add_account(false, &account, "ada").expect("written"));
        assert!(!users.add_account(false, &account, "bob").expect("written"));
        assert_eq!(users.further_accounts("ada").expect("read"), [account]);
        assert_eq!(users.further_accounts("bob").expect("read"), []);
        let of_ada = Account::User("ada".into());
        assert!(!users.add_account(false, &of_ada, "bob").expect("written"), "it has a user of its own");
        assert_eq!(users.further_accounts("bob").expect("read"), []);
    }
}

#[test]
fn an_organization_is_dissolved_with_its_members_and_invitations() {
    for users in all_users() {
        add(&users, "ada");
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
        assert!(users.found(false, &choir, "ada").expect("written"));
        assert_eq!(users.organization(false, "org_1").expect("read"), Some(choir));
        assert_eq!(users.organization(true, "org_1").expect("read"), None, "another mode");
        let (kind, account) = (LinkKind::Invitation, Account::Organization("org_1".into()));
        let (email, sender) = ("bob@example.com".into(), Some("ada".into()));
        let link = Link { kind, livemode: false, email, account, roles: Vec::new(), sender, cause: None };
        assert!(users.add_link("t1", &link, None, 5).expect("written"));
        users.dissolve(false, "org_1").expect("written");
        assert_eq!(users.organization(false, "org_1").expect("read"), None);
        assert_eq!(users.organizations_of("ada").expect("read"), []);
        assert_eq!(users.link(false, "t1", 5).expect("read"), None);
    }
}
