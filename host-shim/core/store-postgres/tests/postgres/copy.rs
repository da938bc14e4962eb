//! A copy of a store has the same rows, and goes on as the original.

use crate::support::address;
use host_store::copy::{Source, Target, WholeRow, copy};
use host_store::testing::samples;
use host_store::{Changes, SqliteStore, Store, StoreError};
use host_store_conformance::random::{changes, query_results};
use host_store_postgres::PostgresStore;
use proptest::collection::vec;
use proptest::prelude::*;

fn whole_rows(store: &dyn Source) -> Vec<WholeRow> {
    let scopes = store.scopes(None).expect("read");
    scopes.iter().flat_map(|scope| store.whole_rows(scope, "", 1_000).expect("read")).collect()
}

fn copied(from: &(impl Source + Store), to: &mut (impl Source + Target)) {
    let copied = copy(from, to, &mut |_| {}).expect("copied");
    assert!(copied == 0 || !to.scopes(None).expect("read").is_empty() || to.inbox_newest().expect("read") > 0);
    assert_eq!(query_results(from), query_results(to));
    assert_eq!(whole_rows(from), whole_rows(to));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_copied_there_and_back_and_goes_on_alike(before in vec(changes(), 0..16), after in vec(changes(), 0..4)) {
        let mut first = SqliteStore::open_in_memory().expect("opened");
        let at = |changes: &Changes, at: i64| Changes { at, ..changes.clone() };
        for (number, changes) in (1..).zip(&before) {
            let _ = first.apply(&at(changes, number));
        }
        let mut second = PostgresStore::open(&address()).expect("opened");
        copied(&first, &mut second);
        let mut third = SqliteStore::open_in_memory().expect("opened");
        copied(&second, &mut third);
        for (number, changes) in (100..).zip(&after) {
            let stores: [&mut dyn Store; 3] = [&mut first, &mut second, &mut third];
            let results = stores.map(|store| store.apply(&at(changes, number)));
            // Two indexes may refuse one change, and the stores look at them in other orders.
            let alike = results.map(|result| result.map_err(|error| matches!(error, StoreError::Taken(_))));
            prop_assert_eq!((&alike[0], &alike[0]), (&alike[1], &alike[2]));
        }
        prop_assert_eq!(query_results(&first), query_results(&second));
        prop_assert_eq!(query_results(&first), query_results(&third));
        prop_assert_eq!((whole_rows(&first), whole_rows(&first)), (whole_rows(&second), whole_rows(&third)));
    }
}

#[test]
fn a_store_that_is_not_empty_is_not_copied_into() {
    let mut full = SqliteStore::open_in_memory().expect("opened");
    full.apply(&samples::accepted(samples::new_event("evt_1"))).expect("applied");
    let refused = copy(&SqliteStore::open_in_memory().expect("opened"), &mut full, &mut |_| {});
    assert_eq!(refused, Err(StoreError::Misuse("the store to copy into is not empty".to_owned())));
}
