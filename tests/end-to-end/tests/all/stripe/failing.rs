//! Tests what the host does with an event whose component traps.

use super::story_bytes;
use end_to_end::world::{Setup, World};
use host_engine::processor::ATTEMPTS_MAX;
use host_replay::runners::Runners;
use host_store::InboxState;
use host_wasm_runner::around::Around;
use host_wasm_runner::native::NativeRunner;
use host_wasm_runner::runner::RunError;
use instance_provisioner::Provisioner;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Starts a host on which the first `times` calls of `handle` for `evt_bad` run out of fuel at their end.
fn failing(times: u32) -> World {
    let left = Arc::new(AtomicU32::new(times));
    let runners = Runners::new("failing", move || {
        let (inner, left) = (NativeRunner::new(Box::new(Provisioner)), left.clone());
        Ok(Box::new(Around::new(Box::new(inner), move |inner, imports, event| {
            let decided = inner.handle(imports, event);
            let fails = event.id == "evt_bad"
                && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if fails { Err(RunError::OutOfFuel { limit: 1 }) } else { decided }
        })))
    });
    World::start(Setup { runners, ..Setup::default() })
}

const BAD: &str = "  - {stripe: customer.subscription.created, id: evt_bad, set: {metadata: {user_id: A}}}\n";
const SAME_ACCOUNT: &str = "  - {stripe: customer.subscription.created, id: evt_own, set: {id: sub_own, price: price_xyz789, metadata: {user_id: A}}}\n";
const OTHER_ACCOUNT: &str = "  - {stripe: customer.subscription.created, id: evt_other, \
     set: {id: sub_2, customer: cus_B, metadata: {user_id: B}}}\n";

/// Delivers an event whose component may trap. Returns its outcome, and whether operators are told.
fn attempt(world: &mut World, step: &str) -> (&'static str, bool) {
    let event = story_bytes::events(step).remove(0);
    let report = world.deliver(&event).expect("the store has no fault").remove(0);
    (report.result.name(), report.alert)
}

/// Ids and outcomes of the events that ran after report `from`.
fn later(world: &mut World, from: usize) -> Vec<String> {
    world.reports[from..].iter().map(|report| format!("{} {}", report.event_id, report.result.name())).collect()
}

// covers: S22
#[test]
fn an_event_that_traps_once_is_rolled_back_and_retried() {
    let mut world = failing(1);
    let empty = world.state();
    assert_eq!(attempt(&mut world, BAD), ("failed", false));
    assert_eq!(world.state(), empty, "the attempt is rolled back");
    let [row] = &world.processor().failed().expect("the store has no fault")[..] else { panic!("one row") };
    assert_eq!(row.state, InboxState::Pending { not_before: world.clock() + 1_000, waits_since: None });
    assert_eq!(attempt(&mut world, OTHER_ACCOUNT), ("applied", false), "other accounts continue");
    assert_eq!(attempt(&mut world, BAD), ("duplicate", false), "Stripe's retry does not run it again");
    let from = world.reports.len();
    world.advance_to(world.clock() + 1_000).expect("the store has no fault");
    assert_eq!(later(&mut world, from), ["evt_bad applied"]);
    let mut calm = failing(0);
    for step in [BAD, OTHER_ACCOUNT] {
        assert_eq!(attempt(&mut calm, step), ("applied", false));
    }
    assert_eq!(world.state(), calm.state());
}

// covers: S22
#[test]
fn an_event_that_always_traps_becomes_a_dead_letter_that_can_be_redriven() {
    let mut world = failing(ATTEMPTS_MAX);
    assert_eq!(attempt(&mut world, BAD), ("failed", false));
    let from = world.reports.len();
    world.advance_to(world.clock() + 3_600_000).expect("the store has no fault");
    assert_eq!(later(&mut world, from), ["evt_bad failed"; ATTEMPTS_MAX as usize - 1]);
    assert!(world.reports.last().is_some_and(|report| report.alert), "the last one alerts an operator");
    let [row] = &world.processor().dead().expect("the store has no fault")[..] else { panic!("one dead letter") };
    assert_eq!((row.failures, row.error.as_deref()), (ATTEMPTS_MAX, Some("out of fuel: the call used more than 1")));
    let seq = row.seq;
    assert_eq!(attempt(&mut world, SAME_ACCOUNT), ("applied", false), "other events of the account continue");
    let now = world.clock();
    let driven = world.processor_mut().redrive(seq, now).expect("the store has no fault");
    assert_eq!(driven[0].result.name(), "applied");
    assert_eq!(world.processor().dead().expect("the store has no fault"), []);
    let mut calm = failing(0);
    calm.advance_to(now).expect("the store has no fault");
    for step in [SAME_ACCOUNT, BAD] {
        assert_eq!(attempt(&mut calm, step), ("applied", false));
    }
    assert_eq!(world.state(), calm.state());
}

// covers: S20
#[test]
fn a_known_id_with_different_content_is_a_duplicate_with_an_alert() {
    let mut world = failing(0);
    let first = "  - {stripe: invoice.paid, id: evt_1, add: {metadata.user_id: A}}\n";
    let other_count = first.replace("add:", "envelope: {set: {pending_webhooks: 7}}, add:");
    let other_shape = first.replace("add:", "version: '2020-08-27', add:");
    let other_amount = first.replace("add:", "set: {amount: 99900}, add:");
    assert_eq!(attempt(&mut world, first), ("applied", false));
    let state = world.state();
    assert_eq!(attempt(&mut world, &other_count), ("duplicate", false));
    assert_eq!(attempt(&mut world, &other_shape), ("duplicate", false));
    assert_eq!(attempt(&mut world, &other_amount), ("duplicate", true));
    assert_eq!(world.state(), state, "the first event counts");
}
