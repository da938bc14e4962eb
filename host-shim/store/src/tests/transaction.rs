//! The contract's rules, as a transaction over the store in memory keeps them.

mod claims;
mod effects;
mod limits;

use crate::memory::MemoryStore;
use crate::store::Store;
use crate::testing::samples;
use crate::transaction::{Access, Context, Declared, Trace, Transaction};
use products_contract::{
    Account, Declarations, EffectDecl, Imports, Page, Price, Product, Purchase, PurchaseKey, RecordKey, RecordWrite,
    RetryPolicy, StoreError,
};
use std::sync::Arc;

const RETRY: RetryPolicy = RetryPolicy { max_attempts: 3, first_delay_ms: 100, max_delay_ms: 1000 };

fn declarations() -> Declarations {
    Declarations {
        name: "test".into(),
        version: "0.1.0".into(),
        data_version: 1,
        product_types: Vec::new(),
        collections: vec!["ledger".into(), "things".into()],
        provider_kinds: Vec::new(),
        commands: Vec::new(),
        effects: vec![EffectDecl {
            kind: "mail.send".into(),
            payload_schema: "{}".into(),
            result_schema: "{}".into(),
            retry: RETRY,
        }],
        config: Vec::new(),
    }
}

fn context(account: &str, now: i64) -> Context {
    let declared = Declared::new(&declarations(), &Default::default()).expect("declared");
    Context {
        scope: samples::scope(account),
        event_id: format!("evt_{now}"),
        connected_account: None,
        now,
        access: Access::Full,
        call_limit: 1000,
        declared: Arc::new(declared),
    }
}

/// A store and the events that come to it one after the other.
struct Story(Option<Box<dyn Store>>);

impl Story {
    fn new() -> Self {
        Story(Some(Box::new(MemoryStore::new())))
    }

    /// Run an event of an account at a time and apply what it changed.
    fn event<T>(&mut self, account: &str, now: i64, body: impl FnOnce(&mut Transaction) -> T) -> T {
        self.run(context(account, now), body).0
    }

    fn run<T>(&mut self, context: Context, body: impl FnOnce(&mut Transaction) -> T) -> (T, Trace) {
        let mut tx = Transaction::begin(self.0.take().expect("given back"), context);
        let answer = body(&mut tx);
        let (mut store, changes, trace) = tx.finish();
        store.apply(&changes).expect("applied");
        self.0 = Some(store);
        (answer, trace)
    }

    fn store(&self) -> &dyn Store {
        &**self.0.as_ref().expect("given back")
    }
}

fn page(after: Option<&str>, limit: u32) -> Page {
    Page { after: after.map(str::to_owned), limit }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn price(id: &str) -> Price {
    Price {
        id: id.into(),
        product_id: "plan".into(),
        product_type: "plan".into(),
        family: None,
        amount: samples::usd(100),
        interval: None,
        active: true,
        grants: Vec::new(),
        terms: "{}".into(),
    }
}

fn put(collection: &str, id: &str, expected: u64, value: Option<&str>) -> RecordWrite {
    RecordWrite {
        key: RecordKey { collection: collection.into(), id: id.into() },
        expected,
        value: value.map(str::to_owned),
    }
}

#[test]
fn a_row_is_saved_only_over_the_version_that_was_read() {
    let mut story = Story::new();
    let values = samples::product_values("instance");
    let save =
        |expected| move |tx: &mut Transaction| tx.product_save("p", expected, &samples::product_values("instance"));
    assert_eq!(story.event("user:A", 1, save(1)), Err(StoreError::Conflict(0)));
    assert_eq!(story.event("user:A", 2, save(0)), Ok(1));
    assert_eq!(story.event("user:A", 3, save(0)), Err(StoreError::Conflict(1)));
    story.event("user:A", 4, |tx| {
        assert_eq!(tx.product_save("p", 1, &values), Ok(2));
        assert_eq!(tx.product_save("p", 2, &values), Ok(3), "its own write counts");
        assert_eq!(tx.product_remove("p", 2), Err(StoreError::Conflict(3)));
        assert_eq!(tx.product_remove("p", 3), Ok(4));
        assert_eq!(tx.product_remove("q", 0), Err(StoreError::Conflict(0)));
        assert_eq!(tx.products_scan(false, None, &page(None, 10)), Ok(Vec::new()));
    });
    let row = story.event("user:A", 5, |tx| tx.products_load(&texts(&["p"]))).expect("loaded").remove(0);
    assert!(row.is_some_and(|row| row.deleted && row.version == 4), "a soft delete leaves the row");
    let subscription = samples::subscription("s").values;
    let saved = |expected| move |tx: &mut Transaction| tx.subscription_save("s", expected, &subscription.clone());
    assert_eq!(story.event("user:A", 6, saved.clone()(0)), Ok(1));
    assert_eq!(story.event("user:A", 7, saved(7)), Err(StoreError::Conflict(1)));
}

#[test]
fn the_catalog_is_read_by_all_and_written_by_the_platform_alone() {
    let mut story = Story::new();
    let values = samples::product_values("plan");
    story.event("platform", 1, |tx| {
        tx.product_save("plan", 0, &values).expect("saved");
        tx.price_save(&price("price_1")).expect("saved");
        assert_eq!(tx.prices_load(&texts(&["price_1"])), Ok(vec![Some(price("price_1"))]), "its own write counts");
    });
    story.event("user:A", 2, |tx| {
        tx.product_save("own", 0, &values).expect("saved");
        let rows = tx.products_load(&texts(&["own", "plan", "none"])).expect("loaded");
        let owners: Vec<Option<&Account>> = rows.iter().map(|row| row.as_ref().map(|row| &row.owner)).collect();
        assert_eq!(owners, [Some(&Account::User("A".into())), Some(&Account::Platform), None]);
        assert_eq!(tx.prices_load(&texts(&["none", "price_1"])), Ok(vec![None, Some(price("price_1"))]));
        let ids = |rows: Result<Vec<Product>, StoreError>| -> Vec<String> {
            rows.expect("scanned").into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(tx.products_scan(true, Some("plan"), &page(None, 10))), ["plan"]);
        assert_eq!(ids(tx.products_scan(false, None, &page(None, 10))), ["own"]);
        assert!(matches!(tx.price_save(&price("price_2")), Err(StoreError::Denied(_))));
        assert!(matches!(tx.product_save("plan", 1, &values), Err(StoreError::Denied(_))));
        assert!(matches!(tx.product_save("plan", 0, &values), Err(StoreError::Denied(_))));
        assert!(matches!(tx.product_remove("plan", 1), Err(StoreError::Denied(_))));
    });
}

#[test]
fn questions_do_not_write_and_placing_sees_the_catalog_only() {
    let mut story = Story::new();
    let values = samples::product_values("plan");
    story.event("platform", 1, |tx| tx.product_save("plan", 0, &values)).expect("saved");
    story.event("user:A", 2, |tx| tx.product_save("own", 0, &values)).expect("saved");
    let denied = |error: StoreError| matches!(error, StoreError::Denied(_));
    story.run(Context { access: Access::ReadOnly, ..context("user:A", 3) }, |tx| {
        assert!(tx.products_load(&texts(&["own"])).expect("loaded")[0].is_some());
        assert_eq!(tx.claims_mine(""), Ok(Vec::new()));
        assert!(denied(tx.product_save("own", 1, &values).expect_err("read-only")));
        assert!(denied(tx.facts_note(&texts(&["f"])).expect_err("read-only")));
        assert!(denied(tx.claims_take(&texts(&["k:1"]), None).expect_err("read-only")));
        assert!(tx.effects_enqueue(&[samples::effect("mail.send", "m")]).is_err());
    });
    story.run(Context { access: Access::CatalogOnly, ..context("user:A", 4) }, |tx| {
        let rows = tx.products_load(&texts(&["own", "plan"])).expect("loaded");
        assert!(rows[0].is_none() && rows[1].is_some());
        assert_eq!(tx.products_scan(true, None, &page(None, 10)).expect("scanned").len(), 1);
        assert_eq!(tx.config_load(&[]), Ok(Vec::new()));
        assert!(denied(tx.products_scan(false, None, &page(None, 10)).expect_err("the account")));
        assert!(denied(tx.purchase_find(&[]).expect_err("the account")));
        assert!(denied(tx.records_load(&[]).expect_err("the account")));
        assert!(denied(tx.claims_mine("").expect_err("the account")));
    });
}

#[test]
fn a_scan_shows_the_transaction_s_own_writes_in_place() {
    let mut story = Story::new();
    let ids = |rows: Vec<products_contract::StoredRecord>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    story.event("user:A", 1, |tx| {
        let stored = ["a", "c", "d", "e", "g"].map(|id| put("things", id, 0, Some("{}")));
        tx.records_save(&stored).expect("saved");
    });
    story.event("user:A", 2, |tx| {
        let own = [
            put("things", "a", 1, None),
            put("things", "b", 0, Some("{}")),
            put("things", "d", 1, None),
            put("things", "e", 1, Some("{\"new\":1}")),
            put("things", "h", 0, Some("{}")),
            put("ledger", "c", 0, Some("{}")),
        ];
        assert_eq!(tx.records_save(&own), Ok(vec![0, 1, 0, 2, 1, 1]));
        let mut scan = |descending, after, limit| {
            ids(tx.records_scan("things", "", descending, &page(after, limit)).expect("scanned"))
        };
        assert_eq!(scan(false, None, 10), ["b", "c", "e", "g", "h"]);
        assert_eq!(scan(false, None, 2), ["b", "c"]);
        assert_eq!(scan(false, Some("c"), 2), ["e", "g"]);
        assert_eq!(scan(false, Some("g"), 2), ["h"]);
        assert_eq!(scan(true, None, 3), ["h", "g", "e"]);
        assert_eq!(scan(true, Some("e"), 10), ["c", "b"]);
        let row = tx.records_scan("things", "e", false, &page(None, 1)).expect("scanned").remove(0);
        assert_eq!((row.value.as_str(), row.version), ("{\"new\":1}", 2));
    });
}

proptest::proptest! {
    #[test]
    fn a_paged_scan_of_overlay_and_store_is_what_a_later_transaction_reads(
        stored in proptest::collection::btree_set("[abc]{1,2}", 0..9),
        written in proptest::collection::btree_map("[abc]{1,2}", proptest::bool::ANY, 0..9),
        prefix in "[abc]{0,1}", limit in 1..4_u32, descending: bool,
    ) {
        let mut story = Story::new();
        let first: Vec<RecordWrite> = stored.iter().map(|id| put("things", id, 0, Some("{}"))).collect();
        story.event("user:A", 1, |tx| tx.records_save(&first)).expect("saved");
        let second: Vec<RecordWrite> = written
            .iter()
            .map(|(id, keep)| put("things", id, u64::from(stored.contains(id)), keep.then_some("{\"n\":1}")))
            .collect();
        let scan = |tx: &mut Transaction| {
            let mut rows: Vec<products_contract::StoredRecord> = Vec::new();
            loop {
                let after = rows.last().map(|row| row.id.clone());
                let page = tx.records_scan("things", &prefix, descending, &Page { after, limit }).expect("scanned");
                let full = page.len() == limit as usize;
                rows.extend(page);
                if !full {
                    return rows;
                }
            }
        };
        let own = story.event("user:A", 2, |tx| {
            tx.records_save(&second).expect("saved");
            scan(tx)
        });
        proptest::prop_assert_eq!(own, story.event("user:A", 3, scan));
    }
}

#[test]
fn a_bulk_of_records_is_written_whole_or_not_at_all() {
    let mut story = Story::new();
    story.event("user:A", 1, |tx| {
        let conflicting = [put("things", "a", 0, Some("{}")), put("things", "b", 1, Some("{}"))];
        assert_eq!(tx.records_save(&conflicting), Err(StoreError::Conflict(0)));
        let undeclared = [put("things", "a", 0, Some("{}")), put("secrets", "b", 0, Some("{}"))];
        assert!(matches!(tx.records_save(&undeclared), Err(StoreError::Denied(_))));
        let twice = [put("things", "c", 0, Some("{}")), put("things", "c", 1, Some("{}"))];
        assert_eq!(tx.records_save(&twice), Ok(vec![1, 2]), "as if the writes came one by one");
        let keys = ["a", "b", "c"].map(|id| RecordKey { collection: "things".into(), id: id.into() });
        let rows = tx.records_load(&keys).expect("loaded");
        assert_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
    });
}

#[test]
fn a_purchase_is_found_by_the_first_fitting_key_and_its_ids_are_unique() {
    let mut story = Story::new();
    story.event("user:A", 1, |tx| {
        tx.purchase_save("stored", 0, &samples::purchase_values(Some("cs_1"))).expect("saved");
    });
    let session = |id: &str| PurchaseKey::Session(id.into());
    story.event("user:A", 2, |tx| {
        let find = |tx: &mut Transaction, keys: &[PurchaseKey]| -> Option<String> {
            tx.purchase_find(keys).expect("found").map(|row: Purchase| row.id)
        };
        assert_eq!(find(tx, &[session("none"), PurchaseKey::Id("stored".into())]), Some("stored".into()));
        let taken = |index: &str| Err(StoreError::Taken(index.into()));
        assert_eq!(tx.purchase_save("new", 0, &samples::purchase_values(Some("cs_1"))), taken("purchase.session"));
        assert_eq!(tx.purchase_save("stored", 1, &samples::purchase_values(Some("cs_2"))), Ok(2));
        assert_eq!(find(tx, &[session("cs_1")]), None, "given up in this transaction");
        assert_eq!(find(tx, &[session("cs_2")]), Some("stored".into()));
        let mut values = samples::purchase_values(Some("cs_1"));
        values.payment_intent_id = Some("pi_1".into());
        assert_eq!(tx.purchase_save("new", 0, &values), Ok(1));
        assert_eq!(find(tx, &[PurchaseKey::PaymentIntent("pi_1".into())]), Some("new".into()));
        values.session_id = None;
        assert_eq!(tx.purchase_save("third", 0, &values), taken("purchase.payment-intent"));
        let ids: Vec<String> =
            tx.purchases_scan(&page(None, 10)).expect("scanned").into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["new", "stored"]);
    });
    let keys = [session("cs_1")];
    assert_eq!(story.event("user:B", 3, |tx| tx.purchase_find(&keys)), Ok(None), "another account's");
}

#[test]
fn a_fact_is_new_once() {
    let mut story = Story::new();
    let note = |tx: &mut Transaction| tx.facts_note(&texts(&["paid:1", "paid:1", "paid:2"]));
    assert_eq!(story.event("user:A", 1, note), Ok(vec![true, false, true]));
    assert_eq!(story.event("user:A", 2, note), Ok(vec![false, false, false]));
    assert_eq!(story.event("user:B", 3, note), Ok(vec![true, false, true]), "a fact is the account's");
    assert_eq!(story.store().fact(&samples::scope("user:A"), "paid:2"), Ok(Some("evt_1".into())));
}

#[test]
fn a_discarded_transaction_leaves_its_log_and_nothing_else() {
    let mut story = Story::new();
    let mut tx = Transaction::begin(story.0.take().expect("there"), context("user:A", 1));
    tx.facts_note(&texts(&["paid:1"])).expect("noted");
    tx.log_write(products_contract::LogLevel::Warn, "odd", &[("id".into(), "in_1".into())]);
    let (store, trace) = tx.discard();
    assert_eq!(trace.logs.len(), 1);
    assert_eq!((trace.logs[0].message.as_str(), trace.calls), ("odd", 2));
    assert_eq!(store.fact(&samples::scope("user:A"), "paid:1"), Ok(None));
}
