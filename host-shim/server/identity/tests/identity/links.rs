//! Links by mail.

use crate::{all_users, person};
use extension_contract::Account;
use host_identity::{Address, Link, LinkKind};

const HOUR_MS: i64 = 3_600_000;
const CENTURY_MS: i64 = 100 * 366 * 24 * HOUR_MS;

#[test]
fn a_link_works_once_until_it_expires_and_beside_a_newer_one() {
    for users in all_users() {
        let link = Link {
            kind: LinkKind::Reset,
            livemode: false,
            email: "ada@example.com".into(),
            account: Account::User("usr_1".into()),
            roles: Vec::new(),
            sender: None,
            cause: None,
        };
        users.add_link("t1", &link, Some("secret:1"), 0).expect("written");
        assert_eq!(users.link(false, "t1", HOUR_MS - 1).expect("read"), Some(link.clone()));
        assert_eq!(users.link(false, "t1", HOUR_MS).expect("read"), None, "it has expired");
        assert_eq!(users.link(true, "t1", 0).expect("read"), None, "another mode");
        users.add_link("t2", &link, Some("secret:2"), 0).expect("written");
        assert_eq!(users.link(false, "t1", 0).expect("read"), Some(link.clone()), "mails arrive in any order");
        assert!(users.use_link(false, "t2").expect("written"));
        assert!(!users.use_link(false, "t2").expect("written"), "it was used");
        let forgotten = |now| -> Vec<String> {
            let all = users.forget_links(false, now).expect("written");
            all.into_iter().map(|forgotten| forgotten.secret).collect()
        };
        assert_eq!(forgotten(HOUR_MS - 1), ["secret:2"], "the used one");
        assert_eq!(forgotten(HOUR_MS), ["secret:1"], "the expired one");
    }
}

#[test]
fn an_address_has_the_accounts_of_its_claim_links() {
    for users in all_users() {
        let account = Account::User("usr_1".into());
        for (token, kind) in [("t1", LinkKind::Claim), ("t2", LinkKind::Reset)] {
            let (email, account) = ("ada@example.com".into(), account.clone());
            let link = Link { kind, livemode: false, email, account, roles: Vec::new(), sender: None, cause: None };
            users.add_link(token, &link, None, 0).expect("written");
        }
        let ada = Address::parse("ada@example.com").expect("an address");
        assert_eq!(users.claimable(false, &ada).expect("read"), [account]);
        assert_eq!(users.claimable(true, &ada).expect("read"), []);
        assert!(users.add(&person("usr_1"), "").expect("written"));
        assert_eq!(users.claimable(false, &ada).expect("read"), [], "a user has it");
    }
}

#[test]
fn the_link_of_the_first_operator_works_for_a_century_or_until_the_next_start() {
    for users in all_users() {
        let address = Address::parse("operator@example.com").expect("an address");
        let claim = |account: &str| Link::new(LinkKind::Claim, false, &address, Account::User(account.into()));
        let operator = Link { roles: vec!["operator".into()], ..claim("usr_1") };
        assert!(users.add_link("t1", &operator, None, 0).expect("written"));
        assert!(users.add_link("t2", &claim("usr_2"), None, 0).expect("written"));
        assert_eq!(users.link(false, "t1", CENTURY_MS - 1).expect("read"), Some(operator));
        users.end_operator_links(true).expect("written");
        assert!(users.link(false, "t1", 0).expect("read").is_some(), "the start was in another mode");
        users.end_operator_links(false).expect("written");
        let works = ["t1", "t2"].map(|token| users.link(false, token, 0).expect("read").is_some());
        assert_eq!(works, [false, true], "other links go on");
    }
}
