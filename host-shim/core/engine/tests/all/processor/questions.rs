//! Tests of questions.

use super::events::{T0, command, product, user};
use super::toy::{Moment, ToyRunner};
use super::{accept, business, processor};
use extension_contract::{Actor, ActorKind, Candidate, Failure, ImportError, Page, Question};
use host_engine::processor::{Answerer, AskError, Processor, Questions};
use host_store::testing::Faults;
use host_store::{MemoryStore, NotState, SqliteStore, Store, state_document};
use host_wasm_runner::runner::RunError;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

fn question(account: &str) -> Question {
    Question { account: user(account), actor: Actor::system(), at: T0 }
}

#[test]
fn a_question_sees_its_account_and_changes_nothing() {
    let mut processor = processor();
    accept(&mut processor, vec![command("c1", "a", T0, json!({})), command("c2", "b", T0, json!({}))]);
    let before = state_document(&[processor.store()], &NotState::default()).unwrap();
    let answer = processor.ask_entitlements(&question("a")).unwrap();
    let keys: Vec<&str> = answer.iter().map(|entitlement| &*entitlement.key).collect();
    assert_eq!(keys, ["user:a: ran/c1"]);
    assert_eq!(state_document(&[processor.store()], &NotState::default()).unwrap(), before);
    assert_eq!(processor.inbox_after(0, 10).unwrap().len(), 2);
    assert!(processor.ask_catalog(&question("a")).unwrap().is_empty());
    assert!(processor.ask_balances(&question("a")).unwrap().is_empty());
    assert!(processor.ask_usage(&question("a"), T0, T0 + 1).unwrap().is_empty());
}

#[test]
fn a_list_gets_its_kind_filter_and_page() {
    let page = Page { after: Some("x".into()), limit: 7 };
    let listed = processor().ask_list(&question("a"), "things", Some("new"), &page).unwrap();
    assert_eq!(listed[0].id, r#"things/Some("new")/Some("x")/7"#);
}

#[test]
fn a_validation_sees_no_account() {
    let proposed = product("inst_1", json!({})).values;
    let candidate = Candidate { by: ActorKind::User, current: None, proposed };
    let values = processor().validate(&candidate, T0).unwrap();
    assert_eq!(values.name, "denied: an account is opened once, for an event or a question");
}

#[test]
fn a_store_error_that_the_extension_ignores_fails_the_question() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let failing = faults.clone();
    let runner = ToyRunner::with(
        1,
        Box::new(move |moment| {
            if moment == Moment::Opened {
                failing.fail_reads(true);
            }
        }),
    );
    let mut processor = Processor::new(faults.open(), Box::new(runner), business()).unwrap();
    let unavailable = ImportError::Unavailable("fault at a read".into());
    let expected = AskError::Run(RunError::Failure(Failure::Store(unavailable)));
    assert_eq!(processor.ask_entitlements(&question("a")), Err(expected));
}

/// Returns the toy's entitlements of an account.
fn entitlements(answerer: &mut Answerer, account: &str) -> Vec<String> {
    let answer = answerer.ask_entitlements(&question(account)).unwrap();
    answer.into_iter().map(|entitlement| entitlement.key).collect()
}

#[test]
fn a_question_is_answered_while_a_decision_waits_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Store>; 2] =
        [Box::new(MemoryStore::new()), Box::new(SqliteStore::open(folder.path().join("store.db")).unwrap())];
    for store in stores {
        let ((entered, has_entered), (go, may_go)) = (sync_channel(1), sync_channel::<()>(1));
        let gate = Mutex::new(may_go);
        // The first decision passes; the second one waits after it has opened its account.
        let decisions = AtomicU32::new(0);
        let wait = move |moment| {
            if moment == Moment::Opened && decisions.fetch_add(1, Ordering::Relaxed) == 1 {
                entered.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
            }
        };
        let mut processor = Processor::new(store, Box::new(ToyRunner::with(1, Box::new(wait))), business()).unwrap();
        accept(&mut processor, vec![command("c1", "a", T0, json!({}))]);
        let mut answerer = Answerer::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
        let before = ["user:a: ran/c1"];
        thread::scope(|scope| {
            let decided = scope.spawn(|| {
                accept(&mut processor, vec![command("c2", "a", T0, json!({}))]);
            });
            has_entered.recv().unwrap();
            assert_eq!(entitlements(&mut answerer, "a"), before, "the decision waits, and its group is open");
            go.send(()).unwrap();
            decided.join().unwrap();
        });
        assert_eq!(entitlements(&mut answerer, "a"), ["user:a: ran/c1", "user:a: ran/c2"], "the last commit");
    }
}

#[test]
fn each_question_ends_its_snapshot() {
    let mut processor = processor();
    accept(&mut processor, vec![command("c1", "a", T0, json!({}))]);
    let mut answerer = Answerer::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
    let candidate = Candidate { by: ActorKind::User, current: None, proposed: product("p", json!({})).values };
    for _ in 0..2 {
        assert!(answerer.validate(&candidate, T0).unwrap().name.starts_with("denied"));
        assert_eq!(entitlements(&mut answerer, "a"), ["user:a: ran/c1"]);
    }
}
