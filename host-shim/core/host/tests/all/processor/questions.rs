//! Tests of questions.

use super::events::{T0, command, product, user};
use super::toy::{Moment, ToyRunner};
use super::{accept, business, processor};
use extension_contract::StoreError;
use extension_contract::{Actor, ActorKind, Candidate, Failure, Page, Question};
use host::processor::{AskError, Processor};
use host_store::testing::Faults;
use host_store::{MemoryStore, NotState, state_document};
use host_wasm_runner::runner::RunError;
use serde_json::json;

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
    let unavailable = StoreError::Unavailable("fault at a read".into());
    let expected = AskError::Run(RunError::Failure(Failure::Store(unavailable)));
    assert_eq!(processor.ask_entitlements(&question("a")), Err(expected));
}
