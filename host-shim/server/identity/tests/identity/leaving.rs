//! Users who leave, and accounts that are closed.

use crate::{all_users, confirmed, identities, person, proved};
use extension_contract::Account;
use host_identity::{Address, Link, LinkKind, Organization, User};

#[test]
fn nobody_comes_back_to_a_closed_account() {
    for identity in identities() {
        let (ada, users) = (confirmed(&identity, "ada@example.com"), identity.users());
        let (own, further) = (Account::User(ada.user.id.clone()), Account::User("usr_made".into()));
        assert!(users.add_account(false, &further, &ada.user.id).expect("written"));
        users.close(false, &further, 1).expect("written");
        assert_eq!(users.further_accounts(&ada.user.id).expect("read"), [], "it is hers no more");
        assert!(identity.caller(&ada.token, 1).expect("read").is_some(), "her own account goes on");
        users.close(false, &own, 1).expect("written");
        assert_eq!(identity.caller(&ada.token, 1).expect("read"), None, "the session has ended");
        let address = Address::parse("ada@example.com").expect("an address");
        assert_eq!(users.by_address(false, &address).expect("read"), None, "nobody logs in");
        assert_eq!([false, true].map(|mode| users.has_left(mode, &ada.user.id).expect("read")), [true, false]);
        assert!(users.add(&proved("eve"), "").expect("written"));
        for closed in [own, further] {
            assert!(users.is_taken(false, &closed).expect("read"), "{closed}");
            assert!(!users.add_account(false, &closed, "eve").expect("written"), "{closed}");
            let claim = Link::new(LinkKind::Claim, false, &address, closed);
            assert!(!users.add_link("t1", &claim, None, 1).expect("written"), "nobody claims it");
        }
        users.close(false, &Account::User("elsewhere".into()), 1).expect("written");
        assert!(users.has_left(false, "elsewhere").expect("read"), "a user of another server");
        assert_eq!(["elsewhere", &ada.user.id].map(|id| users.was_user(false, id).expect("read")), [false, true]);
    }
}

#[test]
fn a_closed_organization_has_no_members() {
    for users in all_users() {
        assert!(users.add(&proved("ada"), "").expect("written"));
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
        assert!(users.found(false, &choir, "ada").expect("written"));
        users.close(false, &Account::Organization("org_1".into()), 6).expect("written");
        assert_eq!(
            (users.members("org_1").expect("read"), users.organizations_of("ada").expect("read")),
            (vec![], vec![])
        );
        assert!(!users.has_left(false, "ada").expect("read"), "the member stays a user");
    }
}

#[test]
fn an_operator_who_is_demoted_has_to_log_in_as_a_user() {
    for users in all_users() {
        let ada = User { is_operator: true, ..person("ada") };
        assert!(users.add(&ada, "hash").expect("written"));
        users.begin("s1", "ada", 0, 100).expect("written");
        users.demote(&ada, 1).expect("written");
        assert_eq!(users.of_session(false, "s1", 2).expect("read"), None);
        assert_eq!(users.all(false).expect("read"), [person("ada")]);
    }
}
