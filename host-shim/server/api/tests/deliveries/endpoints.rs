//! Endpoints, what the tables know of accounts, and how both move to another place.

use crate::{Bench, benches, in_postgresql, maker, told};
use extension_contract::Account;
use host_api::webhooks::{
    Added, Changes, DeliveryState, ENDPOINTS_MAX, ENDPOINTS_OF_ACCOUNT_MAX, ENDPOINTS_OF_MAKER_MAX, Endpoint, Notices,
    SHAPE, Seen, Webhooks,
};
use host_store_postgres::small::{Place, SmallStore, copy};
use std::collections::BTreeMap;

#[test]
fn an_endpoint_is_changed_tested_and_deleted() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        assert!(!webhooks.has_endpoints().expect("read"));
        let shop = bench.add("shop", Some("ada"), &["subscription.ended"]);
        let till = bench.add("till", None, &[]);
        assert!(webhooks.has_endpoints().expect("read"));
        assert_eq!(webhooks.endpoints(None).expect("read"), [shop.clone(), till.clone()]);
        assert_eq!(webhooks.endpoints(shop.account.as_ref()).expect("read"), std::slice::from_ref(&shop));
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
        assert_eq!(webhooks.endpoints(None).expect("read"), [till]);
    }
}

#[test]
fn an_account_has_few_endpoints_and_none_after_its_end() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        let of = |account: &str| Account::User(account.to_owned());
        let made: Vec<Endpoint> =
            (0..ENDPOINTS_OF_ACCOUNT_MAX).map(|number| bench.add(&format!("eve{number}"), Some("eve"), &[])).collect();
        let more = |account| webhooks.add_endpoint(&bench.endpoint("more", account, &[])).expect("written");
        assert_eq!(more(Some("eve")), Added::TooManyOfAccount);
        bench.subscription("eve", "active");
        assert_eq!(webhooks.delete_endpoints_of(&of("eve")).expect("written"), made);
        assert_eq!(webhooks.log("eve0", None, None, 10).expect("read"), [], "with their deliveries");
        assert_eq!(webhooks.delete_endpoints_of(&of("eve")).expect("written"), []);
        assert_eq!(more(Some("eve")), Added::Done);
    }
}

#[test]
fn the_endpoints_of_one_leave_those_of_others_and_of_the_operators_alone() {
    for bench in benches() {
        let add = |id: String, account: &str, by: &str, is_customer| {
            let of_account = bench.endpoint(&id, Some(account), &[]);
            let endpoint = Endpoint { maker: Some(maker(by, is_customer)), ..of_account };
            bench.webhooks.add_endpoint(&endpoint).expect("written")
        };
        for number in 0..ENDPOINTS_OF_MAKER_MAX {
            let account = format!("choir{}", number / ENDPOINTS_OF_ACCOUNT_MAX);
            assert_eq!(add(format!("eve{number}"), &account, "eve", true), Added::Done);
        }
        assert_eq!(add("more".into(), "choir9", "eve", true), Added::TooManyOfMaker);
        for number in 0..ENDPOINTS_MAX {
            assert_eq!(
                add(format!("ada{number}"), &format!("ada{number}"), &format!("ada{number}"), true),
                Added::Done
            );
            assert_eq!(
                add(format!("root{number}"), "ada1", "root", false),
                Added::Done,
                "an operator needs none of hers"
            );
        }
        assert_eq!(add("more".into(), "ada1", "root", false), Added::TooMany);
        assert_eq!(add("more".into(), "ada1", "ada1", true), Added::Done);
    }
}

#[test]
fn a_message_ends_with_its_last_endpoint_and_with_the_data_of_its_account() {
    for bench in benches() {
        let webhooks = &bench.webhooks;
        for id in ["shop", "till"] {
            bench.add(id, None, &[]);
        }
        bench.subscription("ada", "active");
        bench.subscription("bob", "active");
        let of = |id: &str| {
            let log = webhooks.log(id, None, None, 10).expect("read");
            log.into_iter().map(|row| row.account).collect::<Vec<_>>()
        };
        webhooks.delete_endpoint("shop").expect("written");
        assert_eq!(of("till"), ["user:bob", "user:ada"]);
        let erased = Seen { is_erased: true, ..Seen::default() };
        let take = |account: &str| {
            webhooks.take(&Account::User(account.to_owned()), &erased, true, 0, || "msg_9".to_owned()).expect("written")
        };
        take("ada");
        assert_eq!(of("till"), ["user:bob"]);
        bench.settle();
        assert_eq!(bench.got("till"), [told("bob", "subscription.created")]);
        webhooks.delete_endpoint("till").expect("written");
        // No two messages have one id.
        let new = bench.add("new", None, &[]);
        for id in ["msg_1", "msg_2"] {
            webhooks.test(&new, id, 0).expect("the message with this id is gone");
        }
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
