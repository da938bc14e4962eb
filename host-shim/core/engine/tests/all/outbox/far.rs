//! Tests of a worker on another machine: each request has an outbox of its own, which reads from the store what is running.

use super::events::{T0, command, lines, user};
use super::{result, toy::ToyRunner};
use host_engine::outbox::{Begun, LEASE_MS, LentReply, Outbox, Round};
use host_engine::processor::{Business, Processor};
use host_provider_api::{Call, CallOutcome, Reply};
use host_store::testing::Faults;
use host_store::{EffectRow, EffectState, MemoryStore};
use serde_json::{Value, json};

/// The requests of a worker.
struct Requests(Faults);

impl Requests {
    fn new() -> Requests {
        Requests(Faults::new(Box::new(MemoryStore::new())))
    }

    /// Returns the outbox of a request that knows what is running.
    fn open(&self, now: i64) -> Outbox {
        let mut outbox = self.new_outbox();
        outbox.remember(now).unwrap();
        outbox
    }

    fn new_outbox(&self) -> Outbox {
        let business = Business { name: "toys".into(), ..Business::default() };
        let mut outbox =
            Outbox::of_worker(Processor::new(self.0.open(), Box::new(ToyRunner::new(1)), business).unwrap());
        outbox.set_owner("worker");
        outbox
    }

    fn ask(&self, id: &str, account: &str, effects: Value) {
        let asked = command(id, account, T0, json!({"ask": effects}));
        assert_eq!(lines(&self.open(T0).accept(asked, Vec::new()).unwrap()), [format!("{id}: applied")]);
    }

    fn lease(&self, now: i64) -> Vec<Call> {
        self.open(now).begin(now).unwrap().calls
    }

    /// Carries out what needs no worker.
    fn tick(&self, now: i64) -> Begun {
        let mut outbox = self.open(now);
        outbox.set_round(Round { calls: 0, ends: 1 });
        outbox.begin(now).unwrap()
    }

    fn answer(&self, call: &Call, outcome: CallOutcome, now: i64) -> Vec<String> {
        let mut outbox = self.new_outbox();
        let scope = outbox.processor().scope(user("a"));
        let Call { key, generation, lease, .. } = call.clone();
        let reply = LentReply { scope, key, generation, lease, reply: Reply::Answer(outcome) };
        lines(&outbox.take_answers(vec![reply], now).unwrap())
    }

    fn effect(&self, key: &str) -> EffectRow {
        super::effect(&self.new_outbox(), key).remove(0)
    }
}

fn done() -> CallOutcome {
    CallOutcome::Done(json!({}))
}

fn works(after_ms: i64) -> CallOutcome {
    CallOutcome::InProgress { after_ms, token: "job".into() }
}

const MAIL: &str = "toys/test/user:a/m@1";

#[test]
fn a_call_is_leased_once_and_its_answer_counts_once() {
    let requests = Requests::new();
    requests.ask("c1", "a", json!([{"kind": "mail.send", "key": "m"}]));
    assert_eq!(requests.tick(T0).moved, 0, "without a worker no call begins");
    let call = requests.lease(T0).remove(0);
    assert_eq!(requests.lease(T0 + 1), [], "it is under a lease");
    assert_eq!(requests.open(T0 + 1).next_time().unwrap(), Some(T0 + LEASE_MS));
    assert_eq!(requests.answer(&call, done(), T0 + 2), [format!("{MAIL}: applied")]);
    assert_eq!(requests.answer(&call, done(), T0 + 3), [""; 0], "the worker did not learn that it was taken");
    assert_eq!(requests.open(T0 + 4).next_time().unwrap(), None);
}

#[test]
fn an_answer_that_does_not_come_is_a_failed_attempt() {
    let requests = Requests::new();
    requests.ask("c1", "a", json!([{"kind": "mail.send", "key": "m"}]));
    let first = requests.lease(T0).remove(0);
    assert_eq!(requests.tick(T0 + LEASE_MS - 1).moved, 0);
    assert_eq!(requests.tick(T0 + LEASE_MS).moved, 1);
    let second = requests.lease(T0 + LEASE_MS + 1_000).remove(0);
    assert_eq!((first.attempt, first.lease, second.attempt, second.lease), (1, 1, 2, 2));
    assert_eq!(requests.answer(&first, CallOutcome::refused("x", "y"), T0 + LEASE_MS + 2_000), [""; 0]);
    assert_eq!(requests.effect("m").state, EffectState::Running, "a refusal under an old lease ends nothing");
}

#[test]
fn a_worker_that_starts_again_gets_its_calls_again_as_the_same_attempt() {
    let requests = Requests::new();
    requests.ask("c1", "a", json!([{"kind": "mail.send", "key": "m"}]));
    let lost = requests.lease(T0).remove(0);
    let mut outbox = requests.new_outbox();
    let again = outbox.begin_again(T0 + 5).unwrap().calls.remove(0);
    assert_eq!((&again.key, again.attempt, again.lease), (&lost.key, 1, 2));
    assert_eq!(requests.effect("m").lease.until, Some(T0 + 5 + LEASE_MS));
    assert_eq!(requests.lease(T0 + 6), []);
    let reports = requests.answer(&lost, done(), T0 + 7);
    assert_eq!(reports, [format!("{MAIL}/late: applied")], "the first call has lost its lease");
}

#[test]
fn a_provider_that_works_is_polled_under_a_lease_also_after_the_deadline() {
    let requests = Requests::new();
    requests.ask("c1", "a", json!([{"kind": "mail.send", "key": "m", "deadline": T0 + 1_500}]));
    let call = requests.lease(T0).remove(0);
    requests.answer(&call, works(1_000), T0);
    assert_eq!(requests.lease(T0 + 999), []);
    let poll = requests.lease(T0 + 1_000).remove(0);
    assert_eq!((poll.token.as_deref(), poll.attempt, poll.lease), (Some("job"), 1, 1));
    assert_eq!(requests.lease(T0 + 1_001), [], "the poll is under a lease");
    requests.answer(&poll, works(100), T0 + 1_100);
    // No worker comes until the deadline has passed.
    assert_eq!(lines(&requests.tick(T0 + 1_500).reports), [format!("{MAIL}: applied")]);
    assert_eq!(result(&requests.new_outbox(), MAIL).answer.unwrap_err().code, "deadline");
    let poll = requests.lease(T0 + 1_600).remove(0);
    assert_eq!(requests.lease(T0 + 1_601), [], "this poll, too");
    assert_eq!(requests.answer(&poll, done(), T0 + 1_700), [format!("{MAIL}/late: applied")]);
    assert_eq!(requests.lease(T0 + LEASE_MS + 1_700), []);
}

#[test]
fn the_accounts_take_turns_and_what_needs_no_worker_waits_for_no_call() {
    let requests = Requests::new();
    let mails: Vec<Value> = (0..9).map(|n| json!({"kind": "mail.send", "key": format!("m{n}")})).collect();
    requests.ask("c1", "a", json!(mails));
    requests.ask("c2", "b", json!([{"kind": "mail.send", "key": "of b"}]));
    requests.ask("c3", "a", json!([{"kind": "timer.at", "key": "t", "not_before": T0}]));
    assert_eq!(lines(&requests.tick(T0).reports), ["toys/test/user:a/t@1: applied"]);
    let mut outbox = requests.open(T0);
    outbox.set_round(Round { calls: 4, ends: 1 });
    let keys: Vec<String> = outbox.begin(T0).unwrap().calls.into_iter().map(|call| call.key).collect();
    assert_eq!(keys, ["m0", "of b", "m1", "m2"]);
    assert_eq!(requests.lease(T0).len(), 4, "the share of one account in a request");
}
