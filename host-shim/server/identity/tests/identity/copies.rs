//! Users move from a file to PostgreSQL.

use crate::{identity_of, in_postgresql, proved, register};
use extension_contract::Account;
use host_identity::{Issued, Link, LinkKind, Organization, SHAPE, Users};
use host_store_postgres::small::{Place, SmallStore, copy};

#[test]
fn all_tables_are_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to] = [Place::File(folder.path().join("users.db")), in_postgresql()];
    let identity = identity_of(Users::open(&from).expect("users"));
    let ada = register(&identity, "ada@example.com", "correct horse").expect("registered").user;
    let users = identity.users();
    assert!(users.add(&proved("bob"), "").expect("written"));
    let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
    assert!(users.found(false, &choir, "bob").expect("written"));
    let account = Account::User("usr_x".into());
    assert!(users.add_account(false, &account, &ada.id).expect("written"));
    let link = Link {
        kind: LinkKind::Reset,
        livemode: false,
        email: ada.email,
        account: account.clone(),
        roles: Vec::new(),
        sender: None,
        cause: None,
    };
    users.add_link("t1", &link, None, 0).expect("written");
    let issued =
        Issued { issuer: "https://id.example", subject: "s1", email: Some("eve@example.com"), name: Some("Eve") };
    identity.log_in_issued(issued, 1).expect("logged in");

    let [old, new] = [&from, &to].map(|place| SmallStore::open(place, &SHAPE).expect("tables"));
    // Three users with two sessions; an organization with its owner; a further account, a link, and an id at an issuer.
    assert_eq!(copy(&SHAPE, &old, &new).expect("copied"), 10);
    let new = Users::open(&to).expect("users");
    assert_eq!(new.all(false).expect("read"), users.all(false).expect("read"));
    assert_eq!(new.link(false, "t1", 1).expect("read"), Some(link));
    assert_eq!(new.members("org_1").expect("read"), users.members("org_1").expect("read"));
    assert_eq!(new.further_accounts(&ada.id).expect("read"), [account]);
    let known = identity_of(new).log_in_issued(Issued { email: None, ..issued }, 2).expect("logged in");
    assert_eq!(known.user.email, "eve@example.com");
}
