//! The conformance suites of stores and readers, and random changes beside the store in memory.

use crate::support::{address, open, sql};
use host_store::{MemoryStore, Store};
use host_store_conformance::random::{Step, query_results, run, step};
use host_store_postgres::{PostgresStore, Settings};
use proptest::collection::vec;
use proptest::prelude::*;

host_store_conformance::store_conformance!(in_postgres, open());
host_store_conformance::reader_conformance!(
    readers_in_postgres,
    (PostgresStore::open(&address()).expect("opened"), ())
);

/// Takes back the numbers that a rolled back group has used: PostgreSQL does not reuse them, the store in memory does.
fn take_numbers_back(settings: &Settings) {
    for (sequence, table) in [("event_numbers", "events"), ("effect_numbers", "effects")] {
        let newest = format!("(SELECT coalesce(max(seq), 0) FROM {table})");
        sql(settings, &format!("SELECT setval('{sequence}', greatest({newest}, 1), {newest} > 0)"));
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_returns_the_same_results_as_the_store_in_memory(steps in vec(step(), 1..24)) {
        let settings = address();
        let mut memory = MemoryStore::new();
        let mut postgres = PostgresStore::open(&settings).expect("opened");
        for step in &steps {
            prop_assert_eq!(run(&mut memory, step), run(&mut postgres, step), "{:?}", step);
            if matches!(step, Step::Rollback) {
                take_numbers_back(&settings);
            }
            prop_assert_eq!(query_results(&memory), query_results(&postgres), "after {:?}", step);
        }
        drop(Box::new(postgres) as Box<dyn Store>);
    }
}
