//! Both stores return the same results after the same random changes.

use host_store::{MemoryStore, NotState, SqliteStore, Store, state_document, state_hash};
use host_store_conformance::random::{changes, query_results, run, step};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(96), ..ProptestConfig::default() })]

    #[test]
    fn both_stores_return_the_same_results_after_the_same_changes(steps in vec(step(), 1..24)) {
        let mut memory = MemoryStore::new();
        let mut sqlite = SqliteStore::open_in_memory().expect("opened");
        for step in &steps {
            prop_assert_eq!(run(&mut memory, step), run(&mut sqlite, step), "{:?}", step);
            prop_assert_eq!(query_results(&memory), query_results(&sqlite), "after {:?}", step);
        }
    }

    #[test]
    fn the_state_hash_is_the_hash_of_the_document(steps in vec(changes(), 0..12)) {
        use sha2::Digest;
        let mut store = MemoryStore::new();
        for changes in &steps {
            let _ = store.apply(changes);
        }
        let document = state_document(&[&store], &NotState::default()).expect("read");
        let canonical = serde_json_canonicalizer::to_vec(&document).expect("canonical");
        prop_assert_eq!(state_hash(&[&store], &NotState::default()).expect("hashed"), hex::encode(sha2::Sha256::digest(canonical)));
    }
}
