//! `provisioner verify`: which stores it refuses. `tests/end-to-end` compares a store with a local Stripe.

use crate::run::{Ran, lines, run_with, subscription};
use std::path::Path;

fn verify(store: &Path, more: &[&str]) -> Ran {
    let store = store.display().to_string();
    run_with(&[&["verify", "--native", "--store", &store], more].concat(), b"", &[("STRIPE_TEST_KEY", "sk_test_1")])
}

#[test]
fn only_a_store_with_accounts_of_the_mode_is_compared_and_no_file_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.db");
    let ran = verify(&missing, &[]);
    assert_eq!((ran.code, ran.stderr.contains("no such file")), (2, true), "{ran:?}");
    assert!(!missing.exists());
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "no database").expect("written");
    let ran = verify(&other, &[]);
    assert_eq!((ran.code, ran.stderr.contains("notes.txt")), (1, true), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&other).expect("read"), "no database");

    let store = folder.path().join("store.db");
    let events = folder.path().join("events.jsonl");
    std::fs::write(&events, lines(&[subscription("evt_1")])).expect("written");
    let (path, events) = (store.display().to_string(), events.display().to_string());
    let ran = run_with(&["replay", "--native", "--business", "solobase", "--store", &path, &events], b"", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = verify(&store, &["--live"]);
    assert_eq!((ran.code, ran.stderr.contains("no accounts in live mode")), (2, true), "{ran:?}");
    let ran = verify(&store, &["--business", "shop"]);
    assert_eq!((ran.code, ran.stderr.contains("no accounts of `shop` in test mode")), (2, true), "{ran:?}");
}
