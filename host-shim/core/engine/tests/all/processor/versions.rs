//! Tests of data versions: rows of older and newer components.

use super::events::{T0, command, lines, user};
use super::{accept, business, processor, toy::COLLECTION, toy::ToyRunner};
use extension_contract::{Event, Failure, RowKind};
use host_engine::processor::{Disposition, Processor};
use host_store::Store;
use host_wasm_runner::runner::RunError;
use serde_json::json;

fn with_version(store: Box<dyn Store>, data_version: u32) -> Processor {
    Processor::new(store, Box::new(ToyRunner::new(data_version)), business()).unwrap()
}

/// Returns id and data version of each record of an account.
fn versions(processor: &Processor, account: &str) -> Vec<(String, u32)> {
    let (scope, kind) = (processor.scope(user(account)), RowKind::Record(COLLECTION.into()));
    let rows = processor.store().rows_all(&scope, &kind, None, 100).unwrap();
    rows.into_iter().map(|stored| (stored.row.id().to_owned(), stored.data_version)).collect()
}

#[test]
fn a_newer_component_raises_the_data_version_of_only_the_rows_that_it_writes() {
    let mut old = processor();
    accept(&mut old, vec![command("c1", "a", T0, json!({})), command("c2", "b", T0, json!({}))]);
    let mut new = with_version(old.into_parts().0, 3);
    assert_eq!(accept(&mut new, vec![command("c3", "a", T0, json!({}))]), ["c3: applied"]);
    assert_eq!(versions(&new, "a"), [("ran/c1".to_owned(), 1), ("ran/c3".to_owned(), 3)]);
    assert_eq!(versions(&new, "b"), [("ran/c2".to_owned(), 1)]);
    let newest = |account| new.store().account(&new.scope(user(account))).unwrap().data_version;
    assert_eq!((newest("a"), newest("b"), newest("c")), (Some(3), Some(1), None));
}

#[test]
fn a_failed_event_leaves_no_row_of_a_newer_data_version() {
    let mut old = processor();
    accept(&mut old, vec![command("c1", "a", T0, json!({}))]);
    let mut new = with_version(old.into_parts().0, 2);
    accept(&mut new, vec![command("c2", "a", T0, json!({"fail": 1}))]);
    assert_eq!(new.store().account(&new.scope(user("a"))).unwrap().data_version, Some(1));
    assert_eq!(super::retry(&mut new, T0 + 1_000), ["later c2: applied"]);
    assert_eq!(new.store().account(&new.scope(user("a"))).unwrap().data_version, Some(2));
}

#[test]
fn an_event_that_reads_a_too_new_row_is_pending_until_the_newer_component_returns() {
    let mut new = with_version(processor().into_parts().0, 2);
    accept(&mut new, vec![command("c1", "a", T0, json!({"note": ["f"]}))]);
    let mut old = with_version(new.into_parts().0, 1);
    // The event writes the same record, so the old component reads the row of the newer component.
    let of_same_name = Event { source: "elsewhere".into(), ..command("c1", "a", T0, json!({})) };
    let reports = old.accept(of_same_name, Vec::new()).unwrap();
    let too_new = Failure::Internal("record:things:ran/c1 is of data version 2".into());
    assert_eq!(reports[0].result, Disposition::Failed(RunError::Failure(too_new)));
    let mut new = with_version(old.into_parts().0, 2);
    assert_eq!(lines(&new.retry_due(T0 + 1_000).unwrap()), ["later c1: applied"]);
}
