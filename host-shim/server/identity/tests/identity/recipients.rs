//! Who gets the mails of an account.

use crate::{all_users, person, proved};
use extension_contract::Account;
use host_identity::{Address, Link, LinkKind, Mailed, Organization, Users};

const DAY_MS: i64 = 24 * 3_600_000;

fn mailed(users: &Users, account: &Account) -> Vec<(String, Option<String>)> {
    let found = users.mailed(false, account).expect("read").into_iter();
    found.map(|Mailed { email, language }| (email, language)).collect()
}

#[test]
fn mails_go_to_the_address_of_the_registration_in_the_language_of_the_last_login() {
    for users in all_users() {
        for id in ["ada", "bob", "eve"] {
            assert!(users.add(&proved(id), "").expect("written"));
        }
        let ada = Account::User("ada".into());
        assert_eq!(mailed(&users, &ada), [("ada@example.com".into(), None)]);
        assert!(users.add(&person("new"), "").expect("written"));
        let accounts = [ada.clone(), Account::User("new".into()), Account::Organization("new".into())];
        let unproved = accounts.map(|account| users.is_unproved(false, &account).expect("read"));
        assert_eq!(unproved, [false, true, false], "only a user can be unproved");
        users.speaks("ada", "en-GB").expect("written");
        users.speaks("ada", "de-CH").expect("written");
        assert_eq!(mailed(&users, &ada), [("ada@example.com".into(), Some("de-CH".into()))]);
        let language =
            |address: &str| users.language_of(false, &Address::parse(address).expect("an address")).expect("read");
        assert_eq!(language("ada@example.com").as_deref(), Some("de-CH"));
        assert_eq!((language("bob@example.com"), language("none@example.com")), (None, None));
        assert_eq!(users.mailed(true, &ada).expect("read"), [], "of another mode");
        assert_eq!(mailed(&users, &Account::Platform), []);
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
        assert!(users.found(false, &choir, "ada").expect("written"));
        users.join("org_1", "bob", &["member".into()], 6).expect("written");
        users.join("org_1", "eve", &["owner".into()], 7).expect("written");
        let owners: Vec<String> =
            mailed(&users, &Account::Organization("org_1".into())).into_iter().map(|(email, _)| email).collect();
        assert_eq!(owners, ["ada@example.com", "eve@example.com"], "the owners of an organization");
    }
}

#[test]
fn an_account_of_a_checkout_has_the_address_of_its_link_until_a_user_takes_it_over() {
    for users in all_users() {
        let made = Account::User("usr_made".into());
        assert_eq!(mailed(&users, &made), []);
        let email = "buyer@example.com".to_owned();
        let link = Link {
            kind: LinkKind::Claim,
            livemode: false,
            email,
            account: made.clone(),
            roles: Vec::new(),
            sender: None,
            cause: None,
        };
        let is_unproved = |account: &Account| users.is_unproved(false, account).expect("read");
        assert!(!is_unproved(&made), "an account of which nothing is known");
        users.add_link("t1", &link, None, 0).expect("written");
        assert!(is_unproved(&made), "the address is that of a checkout");
        // The link has expired, and another one was made since.
        for _ in 0..2 {
            users.forget_links(false, 60 * DAY_MS).expect("written");
            assert_eq!(mailed(&users, &made), [("buyer@example.com".into(), None)]);
            let buyer = Address::parse("buyer@example.com").expect("an address");
            assert_eq!(users.claimable(false, &buyer).expect("read").len(), 1, "it can still be taken over");
        }
        assert!(users.add(&person("ada"), "").expect("written"));
        assert!(users.add_account(false, &made, "ada").expect("written"));
        assert!(!is_unproved(&made), "a user has it, and only one who has proved the address takes it over");
        assert_eq!(mailed(&users, &made), [("ada@example.com".into(), None)]);
        users.forget_links(false, 60 * DAY_MS).expect("written");
        users.delete(&person("ada"), 60 * DAY_MS).expect("deleted");
        assert_eq!(mailed(&users, &made), [], "the address is forgotten when it is not needed any more");
    }
}

#[test]
fn the_address_of_a_buyer_is_forgotten_when_the_account_is_closed() {
    for users in all_users() {
        let made = Account::User("usr_made".into());
        let buyer = Address::parse("buyer@example.com").expect("an address");
        let link = Link::new(LinkKind::Claim, false, &buyer, made.clone());
        assert!(users.add_link("t1", &link, Some("secret:1"), 0).expect("written"));
        users.close(false, &made, 1).expect("written");
        assert_eq!((mailed(&users, &made), users.link(false, "t1", 1).expect("read")), (vec![], None));
        let forgotten = users.forget_links(false, 1).expect("written");
        assert_eq!(forgotten.into_iter().map(|link| link.secret).collect::<Vec<_>>(), ["secret:1"]);
    }
}
