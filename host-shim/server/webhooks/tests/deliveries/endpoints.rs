//! Endpoints, what the tables know of accounts, and how both move to another place.

use crate::{Bench, benches, in_postgresql, told};
use extension_contract::Account;
use host_small_store::{Place, SmallStore, copy};
use host_webhooks::{
    Added, Changes, DeliveryState, ENDPOINTS_MAX, ENDPOINTS_OF_ACCOUNT_MAX, Endpoint, Notices, SHAPE, Webhooks,
};
use std::collections::BTreeMap;

#[test]
fn an_endpoint_is_changed_tested_and_deleted() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        assert!(!webhooks.has_endpoints().expect("read"));
        let shop = bench.add("shop", Some("ada"), &["subscription.ended"]);
        let till = bench.add("till", None, &[]);
        assert!(webhooks.has_endpoints().expect("read"));
        assert_eq!(webhooks.endpoints().expect("read"), [shop.clone(), till.clone()]);
        let changes = Changes { description: Some("Shop".to_owned()), types: Some(Vec::new()), url: None };
        webhooks.change_endpoint("shop", &changes).expect("written");
        let changed = webhooks.endpoint("shop").expect("read").expect("the endpoint");
        assert_eq!((&*changed.description, changed.types.len(), changed.url), ("Shop", 0, shop.url.clone()));
        webhooks.test(&shop, "msg_t", bench.world.now()).expect("written");
        bench.settle();
        assert_eq!(bench.got("shop"), [told("ada", "endpoint.test")]);
        webhooks.delete_endpoint("shop").expect("written");
        assert_eq!(webhooks.endpoint("shop").expect("read"), None);
        assert_eq!(webhooks.log("shop", None, None, 10).expect("read"), [], "its deliveries are gone");
        assert_eq!(webhooks.endpoints().expect("read"), [till]);
    }
}

#[test]
fn an_account_has_few_endpoints_and_none_after_its_end() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        let of = |account: &str| Account::User(account.to_owned());
        let mut made = Vec::new();
        for number in 0..ENDPOINTS_OF_ACCOUNT_MAX {
            made.push(bench.add(&format!("eve{number}"), Some("eve"), &[]));
        }
        let more = |id: &str, account: Option<Account>| {
            let endpoint = Endpoint { id: id.to_owned(), account, ..made[0].clone() };
            webhooks.add_endpoint(&endpoint).expect("written")
        };
        assert_eq!(more("more", Some(of("eve"))), Added::TooManyOfAccount);
        for number in ENDPOINTS_OF_ACCOUNT_MAX..ENDPOINTS_MAX {
            let account = (number % 2 == 0).then(|| of(&format!("user{number}")));
            assert_eq!(more(&format!("n{number}"), account), Added::Done);
        }
        assert_eq!(more("more", Some(of("ada"))), Added::TooMany);
        bench.subscription("eve", "active");
        assert_eq!(webhooks.delete_endpoints_of(&of("eve")).expect("written"), made);
        assert_eq!(webhooks.log("eve0", None, None, 10).expect("read"), [], "with their deliveries");
        assert_eq!(webhooks.delete_endpoints_of(&of("eve")).expect("written"), []);
        assert_eq!(more("more", Some(of("ada"))), Added::Done);
    }
}

#[test]
fn what_was_told_is_forgotten_with_its_messages() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        bench.add("shop", None, &[]);
        assert!(!webhooks.has_baseline().expect("read"));
        webhooks.set_baseline().expect("written");
        assert!(webhooks.has_baseline().expect("read"));
        bench.subscription("ada", "active");
        assert_eq!(webhooks.told_revisions().expect("read"), BTreeMap::from([("user:ada".to_owned(), 0)]));
        bench.subscriptions("ada", Vec::new());
        webhooks.forget_baseline().expect("written");
        assert!(!webhooks.has_baseline().expect("read"));
        assert_eq!(webhooks.told_revisions().expect("read"), BTreeMap::new());
        assert_eq!(webhooks.log("shop", None, None, 10).expect("read"), []);
    }
}

#[test]
fn the_log_has_pages() {
    for bench in benches() {
        bench.add("shop", None, &[]);
        for account in ["ada", "bob", "eve"] {
            bench.subscription(account, "active");
        }
        let accounts = |state, before, limit| -> Vec<(i64, String)> {
            let log = bench.webhooks.log("shop", state, before, limit).expect("read");
            log.into_iter().map(|row| (row.seq, row.account)).collect()
        };
        let first = accounts(Some(DeliveryState::Pending), None, 2);
        assert_eq!(first.iter().map(|(_, account)| &**account).collect::<Vec<_>>(), ["user:eve", "user:bob"]);
        let (last, _) = first[1];
        let second = accounts(Some(DeliveryState::Pending), Some(last), 2);
        assert_eq!(second.len(), 1);
        assert_eq!(second, accounts(None, Some(last), 2));
        assert_eq!(accounts(Some(DeliveryState::Delivered), None, 2), []);
    }
}

#[test]
fn all_tables_are_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to] = [Place::File(folder.path().join("webhooks.db")), in_postgresql()];
    let bench = Bench::new(Webhooks::open(&from).expect("webhooks"));
    bench.add("shop", None, &[]);
    bench.subscription("ada", "active");
    bench.settle();
    bench.webhooks.set_baseline().expect("written");
    let [old, new] = [&from, &to].map(|place| SmallStore::open(place, &SHAPE).expect("tables"));
    // An endpoint, a message with its delivery and attempt, an account with a subscription and entitlements, and the baseline.
    assert_eq!(copy(&SHAPE, &old, &new).expect("copied"), 8);
    let moved = Bench::new(Webhooks::open(&to).expect("webhooks"));
    let log = |bench: &Bench| bench.webhooks.log("shop", None, None, 10).expect("read");
    assert_eq!(log(&moved), log(&bench));
    let test = moved.webhooks.endpoint("shop").expect("read").expect("the endpoint");
    moved.webhooks.test(&test, "msg_2", 1).expect("written");
    assert_eq!(log(&moved)[0].account, Account::Platform.to_string(), "the numbers of messages go on");
}
