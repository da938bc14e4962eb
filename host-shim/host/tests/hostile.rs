//! A component that misbehaves gives a named error, its transaction comes back, and the next event works.
//!
//! The component is `tests/hostile-guest`, built here; the kind of an event says what it does.

#![allow(clippy::unwrap_used)]

use host_store::{Access, Context, Declared, MemoryStore, Scope, Transaction};
use products_contract::{Account, Actor, Event, Failure, Handled, Outcome, Payload, Placement};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use wasm_runner::runner::{RunError, Runner};
use wasm_runner::wasm::{Limits, LoadError, LoadedComponent, Mode, WasmRunner};

static HOSTILE: LazyLock<LoadedComponent> = LazyLock::new(|| load(Limits::default()));

fn load(limits: Limits) -> LoadedComponent {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| component_builder::build("hostile-guest").unwrap());
    LoadedComponent::load(&BYTES, limits, None).unwrap()
}

fn event(kind: &str) -> Event {
    Event {
        id: format!("evt-{kind}"),
        source: "api".to_owned(),
        kind: kind.to_owned(),
        business: "acme".to_owned(),
        account: Some(Account::User("u1".to_owned())),
        livemode: Some(false),
        received_at: 1_700_000_000_000,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        provider: None,
        payload: Payload::Command("{}".to_owned()),
    }
}

/// A transaction over an empty store, in which the extension may call 1000 imports.
fn transaction(runner: &WasmRunner, event: &Event) -> Transaction {
    let context = Context {
        scope: Scope { business: "acme".to_owned(), livemode: false, account: Account::User("u1".to_owned()) },
        event_id: event.id.clone(),
        connected_account: None,
        now: event.received_at,
        access: Access::Full,
        call_limit: 1000,
        declared: Arc::new(Declared::new(runner.declarations(), &BTreeMap::new()).unwrap()),
    };
    Transaction::begin(Box::new(MemoryStore::new()), context)
}

fn handle(runner: &mut WasmRunner, kind: &str) -> Result<Handled, RunError> {
    let event = event(kind);
    let tx = transaction(runner, &event);
    let (tx, answer) = runner.handle(tx, &event);
    assert_eq!(tx.context().event_id, event.id, "the transaction that comes back is the one that went in");
    answer.map(|(handled, _)| handled)
}

fn correlate(runner: &mut WasmRunner, kind: &str) -> Result<Placement, RunError> {
    let event = event(kind);
    let tx = transaction(runner, &event);
    runner.correlate(tx, &event).1.map(|(placement, _)| placement)
}

/// The event of this kind fails so, in both modes, and the runner that had the failure handles the next event.
fn assert_fails(kind: &str, expected: &RunError) {
    for mode in [Mode::Reused, Mode::Fresh] {
        let mut runner = HOSTILE.runner(mode);
        assert_behaves(&mut runner);
        assert_eq!(handle(&mut runner, kind).unwrap_err(), *expected, "{kind}, {mode:?}");
        assert_behaves(&mut runner);
    }
}

fn assert_behaves(runner: &mut WasmRunner) {
    assert_eq!(handle(runner, "behave").unwrap(), Handled { outcome: Outcome::Applied, reply: None });
}

fn too_large(what: &str, limit_bytes: u64) -> RunError {
    RunError::ValueTooLarge { what: what.to_owned(), limit_bytes }
}

fn bad(what: &str, problem: &str) -> RunError {
    RunError::BadValue { what: what.to_owned(), problem: problem.to_owned() }
}

// covers: Q-91
#[test]
fn spinning_runs_out_of_fuel() {
    assert_fails("spin", &RunError::OutOfFuel { limit: 100_000_000 });
}

// covers: Q-91
#[test]
fn spinning_without_fuel_runs_into_the_deadline() {
    let limits = Limits { fuel: None, deadline_ms: 100, ..Limits::default() };
    let mut runner = load(limits).runner(Mode::Reused);
    assert_eq!(handle(&mut runner, "spin").unwrap_err(), RunError::Deadline { limit_ms: 100 });
    assert_behaves(&mut runner);
}

#[test]
fn the_same_call_uses_the_same_fuel() {
    let fuel = |runner: &mut WasmRunner| {
        let event = event("behave");
        let tx = transaction(runner, &event);
        runner.handle(tx, &event).1.unwrap().1.fuel
    };
    let first = fuel(&mut HOSTILE.runner(Mode::Fresh));
    assert!(first > 0);
    assert_eq!(fuel(&mut HOSTILE.runner(Mode::Fresh)), first);
}

// covers: Q-91
#[test]
fn allocating_without_end_runs_out_of_memory() {
    assert_fails("allocate", &RunError::OutOfMemory { limit_bytes: 64 << 20 });
}

#[test]
fn recursing_without_end_overflows_the_stack() {
    assert_fails("recurse", &RunError::StackOverflow);
}

#[test]
fn a_trap_is_named() {
    assert_fails("trap", &RunError::Trap("wasm trap: wasm `unreachable` instruction executed".to_owned()));
}

#[test]
fn a_failure_is_the_extensions_own() {
    assert_fails("fail", &RunError::Failure(Failure::Internal("on request".to_owned())));
}

#[test]
fn a_reply_beyond_the_contracts_limit_is_refused() {
    assert_fails("long-reply", &too_large("reply", 256 << 10));
}

#[test]
fn a_reply_beyond_the_crossing_limit_is_not_even_read() {
    assert_fails("huge-reply", &too_large("a value that was passed or returned", 8 << 20));
}

#[test]
fn a_reply_that_is_no_json_is_refused() {
    assert_fails("broken-reply", &bad("reply", "not JSON: EOF while parsing a value at line 1 column 5"));
}

#[test]
fn an_empty_fact_is_refused() {
    assert_fails("empty-fact", &bad("outcome duplicate", "it is empty"));
}

#[test]
fn garbage_in_imports_is_answered_with_typed_errors() {
    for mode in [Mode::Reused, Mode::Fresh] {
        let mut runner = HOSTILE.runner(mode);
        assert_eq!(handle(&mut runner, "garbage").unwrap().outcome, Outcome::Applied);
        assert_behaves(&mut runner);
    }
}

#[test]
fn a_million_keys_are_not_even_read() {
    assert_fails("million-keys", &too_large("a value that was passed or returned", 8 << 20));
}

#[test]
fn calling_imports_without_end_is_stopped() {
    assert_fails("chatter", &RunError::TooManyHostCalls { limit: 1000 });
}

#[test]
fn passing_bytes_without_end_is_stopped() {
    assert_fails("flood", &too_large("all that was passed", 64 << 20));
}

#[test]
fn placement_keys_are_held_against_the_contract() {
    let mut runner = HOSTILE.runner(Mode::Reused);
    assert_eq!(correlate(&mut runner, "empty-key").unwrap_err(), bad("placement key", "it is empty"));
    assert_eq!(correlate(&mut runner, "long-key").unwrap_err(), too_large("placement key", 255));
    assert_eq!(correlate(&mut runner, "many-keys").unwrap_err(), bad("placement keys", "257 entries, at most 256"));
    assert_behaves(&mut runner);
}

/// A component of these words, loaded.
fn load_text(text: &str) -> Result<LoadedComponent, LoadError> {
    LoadedComponent::load(&wat::parse_str(text).unwrap(), Limits::default(), None)
}

#[test]
fn imports_beyond_the_world_are_refused_by_name() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance))
        (import "solobase:products/log@0.2.0" (instance))
        (import "solobase:products/secrets@0.1.0" (instance))
        (import "solobase:products/config@0.1.0" (instance)))"#;
    let imports = ["wasi:cli/environment@0.2.0", "solobase:products/log@0.2.0", "solobase:products/secrets@0.1.0"];
    let expected = LoadError::ForeignImports { imports: imports.map(str::to_owned).to_vec() };
    assert_eq!(load_text(text).err(), Some(expected));
}

#[test]
fn an_import_of_another_type_is_another_contract() {
    let text = r#"(component
        (import "solobase:products/log@0.1.0" (instance (export "write" (func (param "text" string))))))"#;
    let error = load_text(text).err().unwrap();
    assert!(matches!(&error, LoadError::OtherContract(reason) if reason.contains("log@0.1.0")), "{error}");
}

#[test]
fn missing_exports_are_named() {
    let Err(LoadError::MissingExports { exports }) = load_text("(component)") else { panic!("it loads") };
    assert_eq!(exports.len(), 9);
    assert_eq!(exports[0], "solobase:products/manifest@0.1.0#declare");
}

#[test]
fn what_is_no_component_is_refused() {
    assert_eq!(load_text("(module)").err(), Some(LoadError::CoreModule));
    let error = LoadedComponent::load(b"#!/bin/sh", Limits::default(), None).err().unwrap();
    assert!(matches!(error, LoadError::Malformed(_)), "{error}");
    let large = vec![0; wasm_runner::wasm::COMPONENT_BYTES_MAX + 1];
    let error = LoadedComponent::load(&large, Limits::default(), None).err().unwrap();
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
}
