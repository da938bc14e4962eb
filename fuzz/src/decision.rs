//! Fuzzes decisions of a hostile component. A decision is stored completely, or its own event fails and no other event.
//! Both stores have the same result.

use super::decisions::Bytes;
use extension_contract::{
    Account, Actor, Balance, Candidate, Change, Decision, Declarations, EffectDecl, Entitlement, Event, Extension,
    Fallible, Imports, Listed, Offer, Opened, Outcome, Page, Payload, Placement, Problem, ProductValues, Question,
    RecordKey, RetryPolicy, Row, RowKey, Timestamp, UsageTotal, Write,
};
use host_engine::processor::{Business, Processor, Report};
use host_store::{MemoryStore, NotState, SqliteStore, Store, Synchronous, state_document};
use host_wasm_runner::around::Around;
use host_wasm_runner::native::NativeRunner;
use host_wasm_runner::wasm::check_decision;
use std::sync::{Arc, LazyLock, Mutex};

const NOW: Timestamp = 1_767_225_600_000;
/// Maximum number of events per input.
const EVENTS_MAX: usize = 8;
/// Kind of an event that gets a valid decision.
const GOOD: &str = "behave";

/// A store file with tables and no rows. It is created once, since creating the tables takes longer than the rest of a
/// run.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.db");
    drop(SqliteStore::open(&path).expect("a new file opens"));
    std::fs::read(&path).expect("the file")
});

/// An extension that returns a given decision for every event.
struct FixedDecision(Arc<Mutex<Decision>>);

impl Extension for FixedDecision {
    fn declare(&self) -> Declarations {
        let effect = EffectDecl {
            kind: "mail.send".to_owned(),
            payload_schema: "{}".to_owned(),
            result_schema: "{}".to_owned(),
            retry: RetryPolicy { delays_ms: vec![1_000] },
        };
        Declarations {
            name: "told".to_owned(),
            version: "1.0.0".to_owned(),
            data_version: 1,
            product_types: Vec::new(),
            collections: vec!["notes".to_owned()],
            payment_kinds: Vec::new(),
            commands: Vec::new(),
            effects: vec![effect],
            config: Vec::new(),
        }
    }

    fn validate(&self, _: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        Ok(candidate.proposed.clone())
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision> {
        let Opened::Here(_) = host.open(&Placement::known(Vec::new()), &[])? else {
            return Ok(Decision::of(Outcome::Applied));
        };
        if event.kind != GOOD {
            return Ok(self.0.lock().expect("an intact lock").clone());
        }
        let key = RowKey::Record(RecordKey { collection: "notes".to_owned(), id: "good".to_owned() });
        let stored = host.load(std::slice::from_ref(&key))?.pop().flatten();
        let expected = stored.map_or(0, |stored| match stored.row {
            Row::Record(record) => record.version,
            _ => 0,
        });
        let write = Write::Record(format!("{{\"by\":\"{}\"}}", event.id));
        let change = Change { key, expected, write, live: true, references: Vec::new(), fingerprint: None };
        Ok(Decision { changes: vec![change], ..Decision::of(Outcome::Applied) })
    }

    fn catalog(&self, _: &mut dyn Imports, _: &Question) -> Result<Vec<Offer>, Problem> {
        Ok(Vec::new())
    }

    fn entitlements(&self, _: &mut dyn Imports, _: &Question) -> Result<Vec<Entitlement>, Problem> {
        Ok(Vec::new())
    }

    fn usage(&self, _: &mut dyn Imports, _: &Question, _: Timestamp, _: Timestamp) -> Result<Vec<UsageTotal>, Problem> {
        Ok(Vec::new())
    }

    fn balances(&self, _: &mut dyn Imports, _: &Question) -> Result<Vec<Balance>, Problem> {
        Ok(Vec::new())
    }

    fn list(
        &self,
        _: &mut dyn Imports,
        _: &Question,
        _: &str,
        _: Option<&str>,
        _: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        Ok(Vec::new())
    }
}

fn processor(store: Box<dyn Store>, decision: &Arc<Mutex<Decision>>) -> Processor {
    let native = NativeRunner::new(Box::new(FixedDecision(Arc::clone(decision))));
    // A component's decision is checked when it leaves the component. Decisions of this native extension are checked
    // here.
    let bounded = Around::new(Box::new(native), |inner, imports, event| {
        let (decision, used) = inner.handle(imports, event)?;
        check_decision(&decision)?;
        Ok((decision, used))
    });
    let business = Business { name: "acme".to_owned(), ..Business::default() };
    Processor::new(store, Box::new(bounded), business).expect("an empty configuration")
}

fn event(number: usize, kind: &str, account: Account) -> Event {
    Event {
        id: format!("evt-{number}-{kind}"),
        source: "api".to_owned(),
        kind: kind.to_owned(),
        business: "acme".to_owned(),
        account: Some(account),
        livemode: Some(false),
        received_at: NOW,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        payment: None,
        payload: Payload::Command("{}".to_owned()),
    }
}

fn accept(processor: &mut Processor, event: Event) -> Report {
    let mut reports = processor.accept(event, Vec::new()).expect("a decision must not break the store");
    assert!(!reports.is_empty(), "an event is reported");
    reports.remove(0)
}

fn state(processor: &Processor) -> String {
    state_document(&[processor.store()], &NotState::default()).expect("a store can be read").to_string()
}

/// Processes some events, each with a decision from the input.
pub fn run(bytes: &[u8]) {
    let decision = Arc::new(Mutex::new(Decision::of(Outcome::Applied)));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.db");
    std::fs::write(&path, &*EMPTY).expect("written");
    let sqlite = SqliteStore::open_with(&path, Synchronous::Normal).expect("the file opens");
    let mut in_memory = processor(Box::new(MemoryStore::new()), &decision);
    let mut in_sqlite = processor(Box::new(sqlite), &decision);
    let mut bytes = Bytes(bytes);
    for number in 0..EVENTS_MAX {
        if bytes.0.is_empty() {
            break;
        }
        let account = if number % 3 == 2 { Account::Platform } else { Account::User(format!("u{}", number % 2)) };
        *decision.lock().expect("an intact lock") = bytes.decision();
        let before = state(&in_memory);
        let first = accept(&mut in_memory, event(number, "do", account.clone()));
        let second = accept(&mut in_sqlite, event(number, "do", account.clone()));
        assert_eq!(first, second, "both stores report the same");
        assert_eq!(state(&in_memory), state(&in_sqlite), "both stores have the same state");
        if first.result.outcome().is_none() {
            assert_eq!(state(&in_memory), before, "a failed event must not change the state");
        }
        let good = accept(&mut in_memory, event(number, GOOD, account.clone()));
        assert_eq!(good.result.name(), "applied", "the next event must be applied: {:?}", good.result);
        let also = accept(&mut in_sqlite, event(number, GOOD, account));
        assert_eq!(good, also);
    }
}
