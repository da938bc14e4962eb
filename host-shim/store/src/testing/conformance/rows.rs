//! The rows that an extension sees, claims and facts.

use super::Open;
use crate::scope::Scope;
use crate::store::Store;
use crate::testing::samples;
use products_contract::{
    Account, BillingInterval, Grant, IntervalUnit, LineItem, Price, Product, Purchase, PurchaseKey, PurchaseStatus,
    RecordKey, SnapshotRank, StoreError, Subscription, SubscriptionItem, SubscriptionStatus,
};

fn price(id: &str) -> Price {
    Price {
        id: id.into(),
        product_id: "plan_pro".into(),
        product_type: "subscription_plan".into(),
        family: Some("plan".into()),
        amount: samples::usd(2900),
        interval: Some(BillingInterval { unit: IntervalUnit::Year, count: 2 }),
        active: false,
        grants: vec![Grant { key: "instances".into(), amount: -1 }],
        terms: "{\"trial_days\": 14}".into(),
    }
}

fn full_product(owner: &Account) -> Product {
    let mut row = samples::product(owner, "prod_2", "subscription_plan");
    row.values.description = "für alle — 全部".into();
    row.values.active = false;
    row.values.price = Some(samples::usd(-5));
    row.values.interval = Some(BillingInterval { unit: IntervalUnit::Day, count: 1 });
    row.values.filters = vec![("filter_numeric_1".into(), "12.5".into()), ("filter_text_1".into(), "é".into())];
    row.values.metadata = "{\"a\" :[1, 2] }".into();
    row.version = 7;
    row
}

fn full_purchase() -> Purchase {
    let mut row = samples::purchase("pur_2", Some("cs_2"));
    row.values.payment_intent_id = Some("pi_2".into());
    row.values.subscription_id = Some("sub_2".into());
    row.values.status = PurchaseStatus::PaidPendingApproval;
    row.values.items = vec![LineItem {
        product_id: "prod_2".into(),
        price_id: None,
        name: "A \"name\"".into(),
        quantity: 3,
        unit_price: samples::usd(i64::MAX),
    }];
    row.values.tax = products_contract::Money { amount_minor: i64::MIN, currency: "jpy".into() };
    row.values.refunded = samples::usd(1);
    row
}

fn full_subscription() -> Subscription {
    let mut row = samples::subscription("sub_2");
    row.values.status = SubscriptionStatus::IncompleteExpired;
    row.values.items = vec![SubscriptionItem {
        id: "si_1".into(),
        price_id: "price_pro".into(),
        quantity: 2,
        period_start: 1000,
        period_end: 2000,
    }];
    row.values.cancel_at_period_end = true;
    row.values.cancel_at = Some(1);
    row.values.trial_end = Some(2);
    row.values.grace_end = Some(-3);
    row.values.snapshot.rank = SnapshotRank::Retrieved;
    row
}

/// Every member of every row, with and without what is optional, and a row that replaces another.
pub fn rows_come_back_as_they_were_written(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("organization:O");
    let account = &scope.account;
    let products = [samples::product(account, "prod_1", "instance"), full_product(account)];
    let purchases = [samples::purchase("pur_1", None), full_purchase()];
    let subscriptions = [samples::subscription("sub_1"), full_subscription()];
    let key = RecordKey { collection: "things".into(), id: "a/b".into() };
    let record = samples::record("a/b", "{\"x\": \"y\" }");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.products = products.iter().map(|row| (row.id.clone(), row.clone())).collect();
    changes.purchases = purchases.iter().map(|row| (row.id.clone(), row.clone())).collect();
    changes.subscriptions = subscriptions.iter().map(|row| (row.id.clone(), row.clone())).collect();
    changes.records.insert(key.clone(), Some(record.clone()));
    store.apply(&changes).expect("applied");
    let read = |store: &dyn Store| {
        for row in &products {
            assert_eq!(store.product(&scope, &row.id), Ok(Some(row.clone())));
        }
        for row in &purchases {
            assert_eq!(store.purchase(&scope, &PurchaseKey::Id(row.id.clone())), Ok(Some(row.clone())));
        }
        for row in &subscriptions {
            assert_eq!(store.subscription(&scope, &row.id), Ok(Some(row.clone())));
        }
        assert_eq!(store.record(&scope, &key), Ok(Some(record.clone())));
    };
    read(&*store);
    store.apply(&changes_but_facts(&changes)).expect("applied again");
    read(&*store);
    assert_eq!(store.product(&scope, "prod_3"), Ok(None));
    assert_eq!(store.subscription(&scope, "sub_3"), Ok(None));

    let mut replaced = samples::changes(&scope, "evt_2");
    let mut deleted = full_product(account);
    deleted.deleted = true;
    deleted.values.price = None;
    replaced.products.insert(deleted.id.clone(), deleted.clone());
    replaced.records.insert(key.clone(), None);
    store.apply(&replaced).expect("applied");
    assert_eq!(store.product(&scope, "prod_2"), Ok(Some(deleted)));
    assert_eq!(store.record(&scope, &key), Ok(None));
    assert_eq!(store.collections(&scope), Ok(Vec::new()));
}

fn changes_but_facts(changes: &crate::Changes) -> crate::Changes {
    crate::Changes { facts: Default::default(), ..changes.clone() }
}

/// Not another account's, nor another mode's or business's.
pub fn scopes_do_not_see_each_other(open: Open<'_>) {
    let mut store = open();
    let of = |business: &str, livemode, account: &str| Scope {
        business: business.into(),
        livemode,
        ..samples::scope(account)
    };
    let scopes = [
        of("bakery", false, "user:A"),
        of("shop", false, "organization:A"),
        of("shop", false, "platform"),
        of("shop", false, "user:A"),
        of("shop", true, "user:A"),
    ];
    for (at, scope) in scopes.iter().enumerate().rev() {
        let mut changes = samples::changes(scope, &format!("evt_{at}"));
        let mut product = samples::product(&scope.account, "same", "instance");
        product.version = at as u64 + 1;
        changes.products.insert("same".into(), product);
        changes.purchases.insert("same".into(), samples::purchase("same", Some("cs_same")));
        changes.facts.insert("same".into());
        store.apply(&changes).expect("applied");
    }
    for (at, scope) in scopes.iter().enumerate() {
        let product = store.product(scope, "same").expect("read").expect("there");
        assert_eq!((product.version, &product.owner), (at as u64 + 1, &scope.account));
        assert_eq!(store.fact(scope, "same"), Ok(Some(format!("evt_{at}"))));
        assert_eq!(store.products(scope, None, None, 10).expect("read").len(), 1);
    }
    assert_eq!(store.product(&of("bakery", true, "user:A"), "same"), Ok(None));
    assert_eq!(store.scopes(), Ok(scopes.to_vec()));
}

/// The catalog's prices, to everybody under the same business and mode.
pub fn prices_are_read_by_every_account_of_the_business_and_mode(open: Open<'_>) {
    let mut store = open();
    let platform = samples::scope("platform");
    let mut changes = samples::changes(&platform, "evt_1");
    let mut once = price("price_b");
    once.family = None;
    once.interval = None;
    once.grants = Vec::new();
    once.active = true;
    for row in [price("price_a"), once.clone()] {
        changes.prices.insert(row.id.clone(), row);
    }
    store.apply(&changes).expect("applied");
    for scope in [samples::scope("user:A"), platform] {
        assert_eq!(store.price(&scope, "price_a"), Ok(Some(price("price_a"))));
        assert_eq!(store.prices(&scope, None, 1), Ok(vec![price("price_a")]));
        assert_eq!(store.prices(&scope, Some("price_a"), 10), Ok(vec![once.clone()]));
    }
    let elsewhere = Scope { livemode: true, ..samples::scope("user:A") };
    assert_eq!(store.price(&elsewhere, "price_a"), Ok(None));
    assert_eq!(store.prices(&elsewhere, None, 10), Ok(Vec::new()));
}

/// A soft-deleted product is loaded by its id and by who wants all, not scanned.
pub fn products_are_scanned_by_type_without_deleted_ones(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    for (id, product_type, deleted) in
        [("a", "instance", false), ("b", "plan", false), ("c", "instance", true), ("d", "instance", false)]
    {
        let row = Product { deleted, ..samples::product(&scope.account, id, product_type) };
        changes.products.insert(id.into(), row);
    }
    store.apply(&changes).expect("applied");
    let ids = |product_type, after, limit| -> Vec<String> {
        let rows = store.products(&scope, product_type, after, limit).expect("read");
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(None, None, 10), ["a", "b", "d"]);
    assert_eq!(ids(Some("instance"), None, 10), ["a", "d"]);
    assert_eq!(ids(Some("instance"), None, 1), ["a"]);
    assert_eq!(ids(Some("instance"), Some("a"), 1), ["d"]);
    assert!(ids(Some("booster"), None, 10).is_empty());
    let all: Vec<String> =
        store.products_all(&scope, Some("a"), 2).expect("read").into_iter().map(|row| row.id).collect();
    assert_eq!(all, ["b", "c"]);
    assert!(store.product(&scope, "c").expect("read").expect("there").deleted);
}

/// Upper case first, then lower, then what takes more bytes; a page begins after any text.
pub fn rows_are_scanned_in_byte_order_by_pages(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let sorted = ["A", "B", "a", "a/1", "aa", "b", "é", "\u{ffff}", "\u{1f600}"];
    let mut changes = samples::changes(&scope, "evt_1");
    for id in sorted.iter().rev() {
        changes.subscriptions.insert((*id).into(), samples::subscription(id));
        changes.purchases.insert((*id).into(), samples::purchase(id, None));
    }
    store.apply(&changes).expect("applied");
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = store.subscriptions(&scope, paged.last().map(String::as_str), 2).expect("read");
        let full = page.len() == 2;
        paged.extend(page.into_iter().map(|row| row.id));
        if !full {
            break;
        }
    }
    assert_eq!(paged, sorted);
    let purchases = store.purchases(&scope, Some("a"), 3).expect("read");
    assert_eq!(purchases.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), sorted[3..6]);
}

/// Only ids with the prefix, beyond `after` in the direction of the scan.
pub fn records_are_scanned_by_prefix_in_both_directions(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    let last = "usd/\u{10ffff}";
    for id in ["eur/1", "usd", "usd/1", "usd/10", "usd/2", last, "usd0", "\u{10ffff}"] {
        let key = RecordKey { collection: "ledger".into(), id: id.into() };
        changes.records.insert(key, Some(samples::record(id, "{}")));
    }
    let key = RecordKey { collection: "other".into(), id: "usd/1".into() };
    changes.records.insert(key, Some(samples::record("usd/1", "{}")));
    store.apply(&changes).expect("applied");
    let ids = |prefix, descending, after, limit| -> Vec<String> {
        let rows = store.records(&scope, "ledger", prefix, descending, after, limit).expect("read");
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids("usd/", false, None, 10), ["usd/1", "usd/10", "usd/2", last]);
    assert_eq!(ids("usd/", true, None, 10), [last, "usd/2", "usd/10", "usd/1"]);
    assert_eq!(ids("usd/", false, Some("usd/1"), 2), ["usd/10", "usd/2"]);
    assert_eq!(ids("usd/", true, Some("usd/2"), 10), ["usd/10", "usd/1"]);
    assert_eq!(ids("usd/", false, Some("a"), 1), ["usd/1"]);
    assert!(ids("usd/", true, Some("a"), 10).is_empty());
    assert!(ids("usd/", false, Some("z"), 10).is_empty());
    assert_eq!(ids("usd/", true, Some("z"), 1), [last]);
    assert_eq!(ids("", true, None, 2), ["\u{10ffff}", "usd0"]);
    assert_eq!(ids("\u{10ffff}", false, None, 2), ["\u{10ffff}"]);
    assert!(ids("gbp", false, None, 10).is_empty());
    assert_eq!(store.collections(&scope), Ok(vec!["ledger".into(), "other".into()]));
}

/// By session and payment intent, as they are now.
pub fn purchases_are_found_by_their_unique_ids(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.purchases.insert("pur_2".into(), full_purchase());
    store.apply(&changes).expect("applied");
    let session = PurchaseKey::Session("cs_2".into());
    assert_eq!(store.purchase(&scope, &session), Ok(Some(full_purchase())));
    assert_eq!(store.purchase(&scope, &PurchaseKey::PaymentIntent("pi_2".into())), Ok(Some(full_purchase())));
    assert_eq!(store.purchase(&scope, &PurchaseKey::Id("cs_2".into())), Ok(None));
    assert_eq!(store.purchase(&samples::scope("user:B"), &session), Ok(None));
    changes.purchases.insert("pur_2".into(), samples::purchase("pur_2", Some("cs_new")));
    store.apply(&changes).expect("applied");
    assert_eq!(store.purchase(&scope, &session), Ok(None));
    assert!(store.purchase(&scope, &PurchaseKey::Session("cs_new".into())).expect("read").is_some());
}

/// Within one change: only the end must be unique.
pub fn purchases_may_exchange_their_unique_ids(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.purchases.insert("a".into(), samples::purchase("a", Some("cs_1")));
    changes.purchases.insert("b".into(), samples::purchase("b", Some("cs_2")));
    store.apply(&changes).expect("applied");
    changes.purchases.insert("a".into(), samples::purchase("a", Some("cs_2")));
    changes.purchases.insert("b".into(), samples::purchase("b", Some("cs_1")));
    store.apply(&changes).expect("applied");
    let holder =
        |session: &str| store.purchase(&scope, &PurchaseKey::Session(session.into())).expect("read").map(|row| row.id);
    assert_eq!((holder("cs_1"), holder("cs_2")), (Some("b".into()), Some("a".into())));
}

/// Nothing of the change stays, and the error names the index.
pub fn a_taken_unique_id_refuses_the_whole_change(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.purchases.insert("pur_2".into(), full_purchase());
    store.apply(&changes).expect("applied");
    let taken = |index: &str| Err(StoreError::Taken(index.into()));
    let mut with_intent = samples::purchase("pur_3", None);
    with_intent.values.payment_intent_id = Some("pi_2".into());
    let both = [samples::purchase("pur_4", Some("cs_4")), samples::purchase("pur_5", Some("cs_4"))];
    for (purchases, index) in [
        (vec![samples::purchase("pur_1", Some("cs_1")), samples::purchase("pur_3", Some("cs_2"))], "purchase.session"),
        (vec![with_intent], "purchase.payment-intent"),
        (both.to_vec(), "purchase.session"),
    ] {
        let mut changes = samples::changes(&scope, "evt_2");
        changes.purchases = purchases.into_iter().map(|row| (row.id.clone(), row)).collect();
        changes.products.insert("prod_1".into(), samples::product(&scope.account, "prod_1", "instance"));
        changes.subscriptions.insert("sub_1".into(), samples::subscription("sub_1"));
        changes.facts.insert("paid:in_1".into());
        assert_eq!(store.apply(&changes), taken(index));
        assert_eq!(store.purchases(&scope, None, 10).expect("read").len(), 1);
        assert_eq!(store.product(&scope, "prod_1"), Ok(None));
        assert_eq!(store.subscription(&scope, "sub_1"), Ok(None));
        assert_eq!(store.fact(&scope, "paid:in_1"), Ok(None));
    }
    let elsewhere = samples::scope("user:B");
    let mut changes = samples::changes(&elsewhere, "evt_3");
    changes.purchases.insert("pur_2".into(), full_purchase());
    store.apply(&changes).expect("another account's purchase may have the same ids");
}

/// A fact keeps the event that noted it.
pub fn facts_are_noted_once(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.facts.insert("paid:in_1".into());
    store.apply(&changes).expect("applied");
    changes.event_id = "evt_2".into();
    changes.facts.insert("refund:re_1".into());
    assert_eq!(store.apply(&changes), Err(StoreError::Taken("fact".into())));
    assert_eq!(store.fact(&scope, "paid:in_1"), Ok(Some("evt_1".into())));
    assert_eq!(store.fact(&scope, "refund:re_1"), Ok(None));
}

/// By key for everybody, by holder for the account within its business and mode.
pub fn claims_are_held_until_they_are_given_up(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let other = samples::scope("user:B");
    let key = |rest: &str| format!("shop/test//{rest}");
    let mut changes = samples::changes(&scope, "evt_1");
    let until = crate::ClaimRow { until: Some(5000), ..samples::claim(&scope.account) };
    changes.claims.insert(key("subdomain:b"), Some(until.clone()));
    changes.claims.insert(key("subdomain:a"), Some(samples::claim(&scope.account)));
    changes.claims.insert(key("stripe-customer:c"), Some(samples::claim(&scope.account)));
    store.apply(&changes).expect("applied");
    let live = Scope { livemode: true, ..scope.clone() };
    let mut changes = samples::changes(&live, "evt_2");
    changes.claims.insert("shop/live//subdomain:a".into(), Some(samples::claim(&scope.account)));
    store.apply(&changes).expect("applied");

    assert_eq!(store.claim(&key("subdomain:b")), Ok(Some(until)));
    assert_eq!(store.claim(&key("subdomain:z")), Ok(None));
    assert_eq!(store.claims_held(&scope, &key("subdomain:")), Ok(vec![key("subdomain:a"), key("subdomain:b")]));
    assert_eq!(store.claims_held(&scope, "").expect("read").len(), 3);
    assert_eq!(store.claims_held(&live, ""), Ok(vec!["shop/live//subdomain:a".into()]));
    assert_eq!(store.claims_held(&other, ""), Ok(Vec::new()));

    let mut changes = samples::changes(&other, "evt_3");
    changes.claims.insert(key("subdomain:a"), Some(samples::claim(&other.account)));
    changes.claims.insert(key("subdomain:b"), None);
    let block = crate::ClaimRow { holder: None, until: None, blocked_until: Some(9000) };
    changes.claims.insert(key("stripe-customer:c"), Some(block.clone()));
    store.apply(&changes).expect("applied");
    assert_eq!(store.claims_held(&other, &key("sub")), Ok(vec![key("subdomain:a")]));
    assert_eq!(store.claims_held(&scope, ""), Ok(Vec::new()));
    assert_eq!(store.claim(&key("stripe-customer:c")), Ok(Some(block)));
    let mut all = Vec::new();
    store.claims_each(&mut |key, row| all.push((key.to_owned(), row.holder.clone()))).expect("read");
    assert_eq!(
        all,
        [
            ("shop/live//subdomain:a".to_owned(), Some(scope.account)),
            (key("stripe-customer:c"), None),
            (key("subdomain:a"), Some(other.account)),
        ]
    );
}

/// None for a new account, then what the last change said.
pub fn an_account_remembers_its_data_version(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    assert_eq!(store.data_version(&scope), Ok(None));
    let mut changes = samples::changes(&scope, "evt_1");
    changes.data_version = Some(1);
    store.apply(&changes).expect("applied");
    assert_eq!(store.data_version(&scope), Ok(Some(1)));
    changes.data_version = None;
    changes.products.insert("a".into(), samples::product(&scope.account, "a", "instance"));
    store.apply(&changes).expect("applied");
    assert_eq!(store.data_version(&scope), Ok(Some(1)));
    changes.data_version = Some(2);
    store.apply(&changes).expect("applied");
    assert_eq!(store.data_version(&scope), Ok(Some(2)));
}
