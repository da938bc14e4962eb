//! Tests, through processor and store and in both modes, that a misbehaving component harms only its own event.
//!
//! The component is `tests/hostile-guest`, built here; the kind of an event selects its behaviour. Before it
//! misbehaves, it usually decides a row, a fact, a claim and an effect, none of which may be stored.

#![allow(clippy::unwrap_used)]

use extension_contract::{
    Account, Actor, Event, Failure, IgnoreReason, ImportError, Outcome, Payload, PaymentFacts, Question, Refusal,
};
use host_engine::processor::{
    ATTEMPTS_MAX, AskError, Business, Disposition, Processor, Questions, RETRY_DELAYS_MS, Report,
};
use host_store::{
    ClaimRow, EffectRow, EffectState, InboxState, MemoryStore, NotState, Partition, Read, SqliteStore, Store,
    state_document,
};
use host_wasm_runner::runner::RunError;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use serde_json::Value;
use std::sync::LazyLock;

const T0: i64 = 1_700_000_000_000;

/// Maximum number of host calls.
const HOST_CALLS: u64 = 1_000;

static HOSTILE: LazyLock<LoadedComponent> =
    LazyLock::new(|| load(CallLimits { host_calls: HOST_CALLS, ..CallLimits::default() }));

fn load(limits: CallLimits) -> LoadedComponent {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| component_builder::build("hostile-guest").unwrap());
    LoadedComponent::load_quickly(&BYTES, limits, None).unwrap()
}

fn user(id: &str) -> Account {
    Account::User(id.to_owned())
}

/// A processor and a counter for unique event ids.
struct World {
    processor: Processor,
    events: u32,
}

impl World {
    fn new(loaded: &LoadedComponent, mode: Mode, store: Box<dyn Store>) -> Self {
        let business = Business { name: "acme".to_owned(), ..Business::default() };
        World { processor: Processor::new(store, Box::new(loaded.runner(mode)), business).unwrap(), events: 0 }
    }

    fn in_memory(mode: Mode) -> Self {
        World::new(&HOSTILE, mode, Box::new(MemoryStore::new()))
    }

    /// Returns worlds with reused and with fresh instances, in memory and in SQLite.
    fn each() -> Vec<Self> {
        let on_disk = World::new(&HOSTILE, Mode::Reused, Box::new(SqliteStore::open_in_memory().unwrap()));
        vec![World::in_memory(Mode::Reused), World::in_memory(Mode::Fresh), on_disk]
    }

    fn event(&mut self, kind: &str, account: Option<Account>, payload: Payload) -> Event {
        self.events += 1;
        Event {
            id: format!("evt-{}", self.events),
            source: "api".to_owned(),
            kind: kind.to_owned(),
            business: "acme".to_owned(),
            account,
            livemode: Some(false),
            received_at: T0,
            attempt: 1,
            actor: Actor::system(),
            reply_to: None,
            payment: None,
            payload,
        }
    }

    /// Accepts an event of this kind; returns its report.
    fn take(&mut self, kind: &str, account: Account) -> Report {
        let event = self.event(kind, Some(account), Payload::Command("{}".to_owned()));
        let mut reports = self.processor.accept(event, Vec::new()).unwrap();
        assert_eq!(reports.len(), 1, "{kind}: {reports:?}");
        reports.remove(0)
    }

    /// Accepts a provider's event, which must be placed; returns its report.
    fn take_of_provider(&mut self, kind: &str) -> Report {
        let mut event = self.event(kind, None, Payload::Payment(b"{}".to_vec()));
        event.payment = Some(PaymentFacts { source: "stripe".to_owned(), ..PaymentFacts::default() });
        self.processor.accept(event, Vec::new()).unwrap().remove(0)
    }

    /// Asserts that a good event of `u1` is applied and all its changes are stored.
    fn assert_behaves(&mut self) {
        let before = version(&self.processor);
        let report = self.take("behave", user("u1"));
        assert_eq!(report.result, Disposition::Outcome(Outcome::Applied));
        assert_eq!(version(&self.processor), before + 1);
        let (store, scope) = (self.processor.store(), self.processor.scope(user("u1")));
        assert_eq!(store.known(&scope, &[format!("seen:{}", report.event_id)]).unwrap(), [true]);
        assert_eq!(store.effect(&scope, &format!("mail:{}", report.event_id)).unwrap().len(), 1);
        let claim = store.claims(&[format!("acme/test//name:{}", report.event_id)]).unwrap().remove(0);
        assert_eq!(claim.unwrap().holder, Some(user("u1")));
    }

    /// Asserts that an event of this kind fails with this error and changes nothing, and that the next good event is
    /// applied.
    fn assert_fails(&mut self, kind: &str, account: Account, expected: &str) {
        self.assert_behaves();
        let before = stored_data(self.processor.store());
        let report = self.take(kind, account);
        let Disposition::Failed(error) = &report.result else { panic!("{kind}: {report:?}") };
        assert_eq!(error.to_string(), expected, "{kind}");
        assert_eq!((report.effects.len(), report.reply.is_some(), report.alert), (0, false, false), "{kind}");
        assert_eq!(stored_data(self.processor.store()), before, "{kind}");
        self.assert_pending(&report, expected);
        self.assert_behaves();
    }

    /// Asserts that the event waits for its retry and that its only run has the error.
    fn assert_pending(&self, report: &Report, error: &str) {
        let store = self.processor.store();
        let row = store.inbox(report.seq).unwrap().unwrap();
        assert_eq!(row.state, InboxState::Pending { not_before: T0 + RETRY_DELAYS_MS[0], waits_since: None });
        assert_eq!((row.failures, row.error.as_deref(), row.outcome), (1, Some(error), None));
        let runs = store.runs(report.seq).unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].error.as_deref(), &runs[0].outcome), (Some(error), &None));
        assert_eq!(runs[0].provenance, None);
        let scope = self.processor.scope(user("u1"));
        assert_eq!(store.known(&scope, &[format!("seen:{}", report.event_id)]).unwrap(), [false]);
    }
}

/// Returns the version of the record that every good decision writes; 0 without a record.
fn version(processor: &Processor) -> u64 {
    let record = host_engine::read::record(processor.store(), &processor.scope(user("u1")), "notes", "n").unwrap();
    record.map_or(0, |record| record.version)
}

/// All stored data that an event can change, except its inbox row.
#[derive(Debug, PartialEq)]
struct StoredData {
    state: Value,
    effects: Vec<EffectRow>,
    claims: Vec<(String, ClaimRow)>,
    /// Revisions of the accounts. Each changed row, fact or claim raises a revision.
    revisions: Vec<u64>,
}

fn stored_data(store: &dyn Read) -> StoredData {
    let partition = Partition { business: "acme".to_owned(), livemode: false };
    StoredData {
        state: state_document(&[store], &NotState::default()).unwrap(),
        effects: store.effects_open_after(&partition, 0, usize::MAX).unwrap(),
        claims: store.claims_after("", None, usize::MAX).unwrap(),
        revisions: store.scopes(None).unwrap().iter().map(|scope| store.account(scope).unwrap().revision).collect(),
    }
}

/// Asserts the failure in each world.
fn assert_fails(kind: &str, expected: &RunError) {
    for mut world in World::each() {
        world.assert_fails(kind, user("u1"), &expected.to_string());
    }
}

fn too_large(what: &str, limit_bytes: u64) -> RunError {
    RunError::ValueTooLarge { what: what.to_owned(), limit_bytes }
}

fn bad(what: &str, problem: &str) -> RunError {
    RunError::BadValue { what: what.to_owned(), problem: problem.to_owned() }
}

//
#[test]
fn calls_are_limited_by_default() {
    let CallLimits { fuel, memory_bytes, deadline_ms, .. } = CallLimits::default();
    assert_eq!((fuel.is_some(), memory_bytes, deadline_ms), (true, 64 << 20, 1_000));
}

//
#[test]
fn spinning_runs_out_of_fuel() {
    assert_fails("spin", &RunError::OutOfFuel { limit: 100_000_000 });
}

//
#[test]
fn spinning_without_a_fuel_limit_hits_the_deadline() {
    let limits = CallLimits { fuel: None, deadline_ms: 100, ..CallLimits::default() };
    let mut world = World::new(&load(limits), Mode::Reused, Box::new(MemoryStore::new()));
    world.assert_fails("spin", user("u1"), &RunError::Deadline { limit_ms: 100 }.to_string());
}

/// Fuel bounds the time of a call: an instruction that copies 16 MiB costs a unit for each byte.
//
#[test]
fn copying_memory_in_a_loop_runs_out_of_fuel() {
    assert_fails("copy", &RunError::OutOfFuel { limit: 100_000_000 });
}

#[test]
fn the_same_event_uses_the_same_fuel_and_the_fuel_is_recorded() {
    let fuel = || {
        let mut world = World::in_memory(Mode::Fresh);
        let report = world.take("behave", user("u1"));
        let row = world.processor.store().inbox(report.seq).unwrap().unwrap();
        assert_eq!(row.provenance.unwrap().fuel, report.fuel);
        report.fuel
    };
    let first = fuel();
    assert!(first > 0);
    assert_eq!(fuel(), first);
}

//
#[test]
fn allocating_without_end_runs_out_of_memory() {
    assert_fails("allocate", &RunError::OutOfMemory { limit_bytes: 64 << 20 });
}

#[test]
fn recursing_without_end_overflows_the_stack() {
    assert_fails("recurse", &RunError::StackOverflow);
}

#[test]
fn a_trap_is_reported_with_its_text() {
    assert_fails("trap", &RunError::Trap("wasm trap: wasm `unreachable` instruction executed".to_owned()));
}

#[test]
fn a_trap_in_a_question_is_reported_and_the_next_event_works() {
    let mut world = World::in_memory(Mode::Reused);
    let question = Question { account: user("u1"), actor: Actor::system(), at: T0 };
    let trap = RunError::Trap("wasm trap: wasm `unreachable` instruction executed".to_owned());
    assert_eq!(world.processor.ask_catalog(&question), Err(AskError::Run(trap)));
    world.assert_behaves();
}

#[test]
fn a_failure_of_the_extension_is_reported_with_its_text() {
    assert_fails("fail", &RunError::Failure(Failure::Internal("on request".to_owned())));
}

#[test]
fn a_reply_beyond_the_contracts_limit_is_refused() {
    assert_fails("long-reply", &too_large("reply", 256 << 10));
}

#[test]
fn a_reply_beyond_the_transfer_limit_is_refused_unread() {
    assert_fails("huge-reply", &too_large("a value that was passed or returned", 8 << 20));
}

#[test]
fn a_reply_that_is_not_json_is_refused() {
    assert_fails("broken-reply", &bad("reply", "not JSON: EOF while parsing a value at line 1 column 5"));
}

#[test]
fn an_outcome_without_a_key_is_refused() {
    assert_fails("empty-duplicate", &bad("outcome duplicate", "it is empty"));
    assert_fails("deferred-for-nothing", &bad("outcome deferred", "0 entries, expected 1 to 256"));
}

#[test]
fn garbage_passed_to_imports_returns_typed_errors() {
    for mut world in World::each() {
        let report = world.take("garbage", user("u1"));
        assert_eq!(report.result, Disposition::Outcome(Outcome::Ignored(IgnoreReason::NoChange)));
        world.assert_behaves();
    }
}

#[test]
fn a_million_keys_are_refused_unread() {
    assert_fails("million-keys", &too_large("a value that was passed or returned", 8 << 20));
}

#[test]
fn endless_calls_of_imports_are_stopped() {
    assert_fails("chatter", &RunError::TooManyHostCalls { limit: HOST_CALLS });
}

#[test]
fn endless_passing_of_bytes_is_stopped() {
    assert_fails("flood", &too_large("all that was passed", 64 << 20));
}

#[test]
fn opening_twice_is_denied() {
    let denied = ImportError::Denied("an account is opened once, for an event or a question".to_owned());
    assert_fails("open-twice", &RunError::Failure(Failure::Store(denied)));
}

/// Decisions that break the contract, with their error texts.
const BAD_DECISIONS: [(&str, &str); 37] = [
    ("undeclared-collection", "collection `others` is not declared"),
    ("other-kind", "purchase:p is written as a row of another kind"),
    ("purchase-removed", "purchase:p is written as a row of another kind"),
    ("product-not-there", "product `p` cannot be removed: it does not exist"),
    ("product-of-catalog", "product `plan` belongs to the catalog"),
    ("product-no-json", "values do not fit the schema: /metadata expected ident at line 1 column 2"),
    ("key-twice", "record:notes:m is changed twice"),
    ("empty-id", "limit exceeded: row id of 0 bytes, expected 1 to 255"),
    ("long-id", "limit exceeded: row id of 256 bytes, expected 1 to 255"),
    ("large-record", "limit exceeded: /value of 262152 bytes, at most 262144"),
    ("broken-record", "values do not fit the schema: /value EOF while parsing an object at line 1 column 1"),
    ("record-is-a-list", "values do not fit the schema: /value expected a JSON object"),
    ("endless-record", "values do not fit the schema: /value recursion limit exceeded at line 1 column 128"),
    ("price", "price `price_1` belongs to the catalog"),
    ("many-references", "record:notes:m has 33 references, at most 32"),
    ("empty-reference", "limit exceeded: reference of 0 bytes, expected 1 to 255"),
    ("empty-fingerprint", "limit exceeded: fingerprint of 0 bytes, expected 1 to 255"),
    ("not-opened", "it changes an account that was not opened"),
    ("empty-fact", "limit exceeded: fact of 0 bytes, expected 1 to 255"),
    ("long-fact", "limit exceeded: fact of 256 bytes, expected 1 to 255"),
    ("empty-claim", "limit exceeded: claim key of 0 bytes, expected 1 to 255"),
    ("claim-of-another", "it takes claim `name:held`, which another account holds"),
    ("claim-blocked", "it takes claim `name:blocked`, which is blocked"),
    ("claim-of-rejected", "it takes claims although it rejects or defers"),
    ("claim-of-deferred", "it takes claims although it rejects or defers"),
    ("unknown-effect", "unknown effect kind `no.such`"),
    ("empty-effect-key", "limit exceeded: effect key of 0 bytes, expected 1 to 255"),
    ("empty-cancel", "limit exceeded: effect key of 0 bytes, expected 1 to 255"),
    ("broken-payload", "mail.send `k`: payload: EOF while parsing a value at line 1 column 5"),
    ("broken-context", "mail.send `k`: context: expected ident at line 1 column 2"),
    ("large-payload", "limit exceeded: effect payload of 262152 bytes, at most 262144"),
    ("large-context", "limit exceeded: effect context of 262152 bytes, at most 262144"),
    ("timer-without-time", "timer.at `k`: a timer needs a not-before"),
    ("message-to-nobody", "account.send `k`: a message needs a receiver"),
    ("mail-to-an-account", "mail.send `k`: only a message has a receiver"),
    ("many-retries", "mail.send `k`: a retry policy has at most 20 delays"),
    ("other-contents", "effect key `k` was used with other contents"),
];

#[test]
fn a_decision_that_breaks_the_contract_is_discarded() {
    for mut world in World::each() {
        for (kind, account) in [("hold", user("u2")), ("block", user("u2")), ("catalog", Account::Platform)] {
            let report = world.take(kind, account);
            assert_eq!(report.result, Disposition::Outcome(Outcome::Applied), "{kind}");
        }
        for (kind, problem) in BAD_DECISIONS {
            world.assert_fails(kind, user("u1"), &format!("the decision can't be kept: {problem}"));
        }
        let older = "the decision can't be kept: effect key `k` has a newer generation";
        world.assert_fails("older-generation", user("u1"), older);
        let renamed = "the decision can't be kept: price:price_2 is written as price `price_3`";
        world.assert_fails("price-of-another-key", Account::Platform, renamed);
    }
}

#[test]
fn a_version_that_never_existed_is_a_conflict() {
    assert_fails("wrong-version", &RunError::Failure(Failure::Store(ImportError::Conflict(0))));
}

//
#[test]
fn an_event_that_always_traps_becomes_a_dead_letter_while_good_events_are_applied() {
    let mut world = World::in_memory(Mode::Reused);
    let report = world.take("trap", user("u1"));
    let (mut now, last) = (T0, RETRY_DELAYS_MS[RETRY_DELAYS_MS.len() - 1]);
    for delay in RETRY_DELAYS_MS {
        world.assert_behaves();
        now += delay;
        let reports = world.processor.retry_due(now).unwrap();
        assert_eq!(
            reports.iter().map(|report| report.alert).collect::<Vec<_>>(),
            [delay == last],
            "an operator is alerted"
        );
    }
    let row = world.processor.store().inbox(report.seq).unwrap().unwrap();
    assert_eq!((row.state, row.failures), (InboxState::Dead, ATTEMPTS_MAX));
    assert_eq!(world.processor.store().runs(report.seq).unwrap().len(), ATTEMPTS_MAX as usize);
    world.assert_behaves();
    let scope = world.processor.scope(user("u1"));
    assert!(world.processor.store().effect(&scope, "mail:evt-1").unwrap().is_empty());
    assert_eq!(world.processor.store().effect(&scope, "mail:evt-2").unwrap()[0].state, EffectState::Queued);
}

#[test]
fn placement_keys_and_accounts_are_checked_against_the_contract() {
    let mut world = World::in_memory(Mode::Reused);
    let before = stored_data(world.processor.store());
    // Invalid keys and invalid accounts place no event.
    for (kind, pointer) in [
        ("empty-key", "/data/object/id"),
        ("long-key", "/data/object/id"),
        ("long-account", "/data/object/metadata"),
        ("empty-account", "/data/object/metadata"),
    ] {
        let report = world.take_of_provider(kind);
        let refusal = Refusal::Malformed(pointer.to_owned());
        assert_eq!(report.result, Disposition::Outcome(Outcome::Rejected(refusal)), "{kind}");
        assert!(report.alert && report.account.is_none(), "{kind}");
    }
    let report = world.take_of_provider("many-keys");
    let limit = ImportError::LimitExceeded("bulk call of 257 entries, at most 256".to_owned());
    assert_eq!(report.result, Disposition::Failed(RunError::Failure(Failure::Store(limit))));
    assert_eq!(stored_data(world.processor.store()), before);
    world.assert_behaves();
}
