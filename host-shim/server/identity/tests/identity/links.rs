//! Links by mail.

use crate::{all_users, person};
use extension_contract::Account;
use host_identity::{Address, Link, LinkKind};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_link_works_once_until_it_expires_and_a_newer_one_replaces_it() {
    for users in all_users() {
        let link = Link {
            kind: LinkKind::Reset,
            livemode: false,
            email: "ada@example.com".into(),
            account: Account::User("usr_1".into()),
            roles: Vec::new(),
            sender: None,
        };
        users.add_link("t1", &link, Some("secret:1"), 0).expect("written");
        assert_eq!(users.link(false, "t1", HOUR_MS - 1).expect("read"), Some(link.clone()));
        assert_eq!(users.link(false, "t1", HOUR_MS).expect("read"), None, "it has expired");
        assert_eq!(users.link(true, "t1", 0).expect("read"), None, "another mode");
        users.add_link("t2", &link, Some("secret:2"), 0).expect("written");
        assert_eq!(users.link(false, "t1", 0).expect("read"), None, "a newer link replaces it");
        assert!(users.use_link(false, "t2").expect("written"));
        assert!(!users.use_link(false, "t2").expect("written"), "it was used");
        users.add_link("t3", &link, Some("secret:3"), 0).expect("written");
        let forgotten = |now| -> Vec<String> {
            let all = users.forget_links(false, now).expect("written");
            all.into_iter().map(|forgotten| forgotten.secret).collect()
        };
        let mut used = forgotten(HOUR_MS - 1);
        used.sort();
        assert_eq!(used, ["secret:1", "secret:2"], "the replaced one and the used one");
        assert_eq!(forgotten(HOUR_MS), ["secret:3"], "the expired one");
    }
}

#[test]
fn an_address_has_the_accounts_of_its_claim_links() {
    for users in all_users() {
        let account = Account::User("usr_1".into());
        for (token, kind) in [("t1", LinkKind::Claim), ("t2", LinkKind::Reset)] {
            let (email, account) = ("ada@example.com".into(), account.clone());
            let link = Link { kind, livemode: false, email, account, roles: Vec::new(), sender: None };
            users.add_link(token, &link, None, 0).expect("written");
        }
        let ada = Address::parse("ada@example.com").expect("an address");
        assert_eq!(users.claimable(false, &ada).expect("read"), [account]);
        assert_eq!(users.claimable(true, &ada).expect("read"), []);
        assert!(users.add(&person("usr_1"), "").expect("written"));
        assert_eq!(users.claimable(false, &ada).expect("read"), [], "a user has it");
    }
}
