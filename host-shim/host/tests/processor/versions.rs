use super::events::{T0, command, lines, things, user};
use super::{accept, business, processor, toy::Toy};
use host::processor::{Disposition, Processor};
use host_store::Store;
use products_contract::{Actor, Question};
use serde_json::json;
use wasm_runner::runner::RunError;

fn with_version(store: Box<dyn Store>, data_version: u32) -> Processor {
    Processor::new(store, Box::new(Toy::new(data_version)), business()).unwrap()
}

#[test]
fn the_first_event_under_a_newer_component_migrates_its_account_and_no_other() {
    let mut old = processor();
    accept(&mut old, vec![command("c1", "a", T0, json!({})), command("c2", "b", T0, json!({}))]);
    let mut new = with_version(old.into_parts().0, 3);
    let lines = accept(&mut new, vec![command("c3", "a", T0, json!({})), command("c4", "a", T0, json!({}))]);
    assert_eq!(lines, ["c3: applied", "c4: applied"]);
    assert_eq!(things(new.store(), "a", "migrated/"), ["1"]);
    assert_eq!(things(new.store(), "b", "migrated/"), [""; 0]);
    assert_eq!(new.store().data_version(&new.scope(user("a"))).unwrap(), Some(3));
    assert_eq!(new.store().data_version(&new.scope(user("b"))).unwrap(), Some(1));
}

#[test]
fn a_failure_after_the_migration_rolls_both_back() {
    let mut old = processor();
    accept(&mut old, vec![command("c1", "a", T0, json!({}))]);
    let mut new = with_version(old.into_parts().0, 2);
    accept(&mut new, vec![command("c2", "a", T0, json!({"fail": 1}))]);
    assert_eq!(things(new.store(), "a", "migrated/"), [""; 0]);
    assert_eq!(new.store().data_version(&new.scope(user("a"))).unwrap(), Some(1));
    assert_eq!(super::retry(&mut new, T0 + 1_000), ["later c2: applied"]);
    assert_eq!(things(new.store(), "a", "migrated/"), ["1"]);
}

#[test]
fn a_component_that_is_older_than_the_data_is_refused_and_the_event_stays_pending() {
    let mut new = with_version(processor().into_parts().0, 2);
    accept(&mut new, vec![command("c1", "a", T0, json!({}))]);
    let mut old = with_version(new.into_parts().0, 1);
    let reports = old.accept(command("c2", "a", T0, json!({})), Vec::new()).unwrap();
    let error = RunError::DataTooNew { account: "user:a".into(), data: 2, component: 1 };
    assert_eq!(reports[0].result, Disposition::Failed(error));
    let mut new = with_version(old.into_parts().0, 2);
    assert_eq!(lines(&new.retry_due(T0 + 1_000).unwrap()), ["later c2: applied"]);
}

#[test]
fn a_question_sees_its_account_and_cannot_write() {
    let mut processor = processor();
    let question = Question { account: user("a"), actor: Actor::system(), at: T0 };
    let answer = processor.ask_entitlements(&question).unwrap();
    assert!(answer[0].key.starts_with("user:a: Err(Denied("), "{answer:?}");
    assert!(processor.ask_catalog(&question).unwrap().is_empty());
    assert!(processor.ask_balances(&question).unwrap().is_empty());
    assert!(processor.ask_usage(&question, T0, T0 + 1).unwrap().is_empty());
}
