//! Tests of conflicts: the account, the catalog or a claim changes between a decision's reads and its commit.

use super::business;
use super::events::{T0, command, lines, things, user, webhook};
use super::toy::{FUEL, Moment, ToyRunner};
use extension_contract::{Account, Event, Failure, ImportError, Outcome, Product, Row, RowKey};
use host_engine::processor::{CONFLICTS_MAX, Disposition, Processor, RETRY_DELAYS_MS};
use host_store::testing::{Faults, samples};
use host_store::{
    Applied, Changes, ClaimRow, EffectState, InboxProgress, InboxState, MemoryStore, NewInbox, RowWrite, Scope, Store,
};
use host_wasm_runner::runner::RunError;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Returns a processor and its number of decisions. During each of the first `times` decisions, `other` provides
/// changes that are written to the same store.
fn disturbed(times: u32, other: impl Fn(u32) -> Changes + Send + 'static) -> (Processor, Arc<AtomicU32>) {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let store: Mutex<Box<dyn Store>> = Mutex::new(faults.open());
    let decisions = Arc::new(AtomicU32::new(0));
    let counted = decisions.clone();
    let meanwhile = move |moment| {
        if matches!(moment, Moment::Decided | Moment::Elsewhere) {
            let decision = counted.fetch_add(1, Ordering::Relaxed) + 1;
            if decision <= times {
                let applied = store.lock().unwrap().apply(&other(decision)).unwrap();
                assert!(matches!(applied, Applied::Done { .. }));
            }
        }
    };
    let runner = ToyRunner::with(1, Box::new(meanwhile));
    (Processor::new(faults.open(), Box::new(runner), business()).unwrap(), decisions)
}

fn scope(account: Account) -> Scope {
    Scope { business: "toys".into(), livemode: false, account }
}

/// Returns changes with a new fact of account `a`.
fn fact(number: u32) -> Changes {
    let facts = [format!("meanwhile:{number}")].into();
    Changes { scope: Some(scope(user("a"))), event_id: "other".into(), facts, ..Changes::default() }
}

#[test]
fn a_decision_is_made_again_if_its_account_changed() {
    let (mut processor, decisions) = disturbed(1, fact);
    let doing = json!({"note": ["meanwhile:1"], "log": "here", "take": ["name:x"],
        "ask": [{"kind": "mail.send", "key": "m"}]});
    let reports = processor.accept(command("c1", "a", T0, doing), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["c1: duplicate(meanwhile:1)"], "the second decision sees the fact");
    assert_eq!(decisions.load(Ordering::Relaxed), 2);
    assert_eq!((reports[0].fuel, reports[0].logs.len(), reports[0].effects.len()), (FUEL, 1, 0));
    assert_eq!(things(processor.store(), "a", ""), [""; 0]);
    let runs = processor.store().runs(reports[0].seq).unwrap();
    assert_eq!(runs.len(), 1, "a discarded decision is not a run");
    let provenance = runs[0].provenance.clone().unwrap();
    assert_eq!((provenance.fuel, &*provenance.claim_answers), (FUEL, "name:x=free\n"));
    assert_eq!(processor.store().claims(&["toys/test//name:x".into()]).unwrap(), [None]);
    assert!(processor.store().effect(&scope(user("a")), "m").unwrap().is_empty());
}

#[test]
fn a_decision_is_made_again_if_its_claim_was_taken() {
    let taken = |_| {
        let row = ClaimRow { holder: Some(user("b")), until: None, blocked_until: None };
        let claims = [("toys/test//name:x".to_owned(), Some(row))].into();
        Changes { scope: Some(scope(user("b"))), event_id: "other".into(), claims, ..Changes::default() }
    };
    let (mut processor, decisions) = disturbed(1, taken);
    let doing = json!({"take": ["name:x"], "reply": {"answer": "{}"}});
    let reports = processor.accept(command("c1", "a", T0, doing), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["c1: rejected(name-taken(name:x))"]);
    assert_eq!(decisions.load(Ordering::Relaxed), 2);
    assert!(matches!(reports[0].reply, Some(extension_contract::Reply::Refused(_))), "not the discarded answer");
    let row = processor.store().inbox(reports[0].seq).unwrap().unwrap();
    assert_eq!(row.provenance.unwrap().claim_answers, "name:x=taken\n");
    let claim = processor.store().claims(&["toys/test//name:x".into()]).unwrap().remove(0).unwrap();
    assert_eq!(claim.holder, Some(user("b")));
}

const CUSTOMER: &str = "toys/test//customer:1";

/// Returns changes that give the customer's claim to `holder`. They belong to another account, so that the holder's
/// revision stays.
fn customer_of(holder: &str) -> Changes {
    let row = ClaimRow { holder: Some(user(holder)), until: None, blocked_until: None };
    let claims = [(CUSTOMER.to_owned(), Some(row))].into();
    Changes { scope: Some(scope(user("z"))), event_id: "other".into(), claims, ..Changes::default() }
}

#[test]
fn an_event_is_placed_again_if_its_claim_moved() {
    let (mut processor, decisions) = disturbed(1, |_| customer_of("b"));
    processor.store_mut().apply(&customer_of("a")).unwrap();
    let reports = processor.accept(webhook("e1", T0, json!({"keys": ["customer:1"]})), Vec::new()).unwrap();
    assert_eq!((reports[0].account.clone(), decisions.load(Ordering::Relaxed)), (Some(user("b")), 2));
    assert_eq!(things(processor.store(), "a", ""), [""; 0]);
    assert_eq!(things(processor.store(), "b", "ran/"), ["e1"]);
}

#[test]
fn an_event_whose_claim_is_taken_during_its_decision_is_not_parked() {
    let (mut processor, decisions) = disturbed(1, |_| customer_of("b"));
    let reports = processor.accept(webhook("e1", T0, json!({"keys": ["customer:1"]})), Vec::new()).unwrap();
    assert_eq!((lines(&reports), reports[0].account.clone()), (vec!["e1: applied".into()], Some(user("b"))));
    assert_eq!(decisions.load(Ordering::Relaxed), 2);
}

#[test]
fn a_change_of_the_catalog_is_a_conflict_and_a_change_of_another_account_is_not() {
    let product = |_| {
        let values = super::events::product("toy", json!({})).values;
        let product = Product { id: "toy".into(), owner: Account::Platform, values, version: 1, deleted: false };
        let write = RowWrite {
            key: RowKey::Product("toy".into()),
            row: Some(Row::Product(product)),
            data_version: 1,
            live: false,
            references: Vec::new(),
            fingerprint: None,
        };
        let scope = Some(scope(Account::Platform));
        Changes { scope, event_id: "other".into(), rows: vec![write], ..Changes::default() }
    };
    let (mut processor, decisions) = disturbed(1, product);
    let reports = processor.accept(command("c1", "a", T0, json!({})), Vec::new()).unwrap();
    assert_eq!((lines(&reports), decisions.load(Ordering::Relaxed)), (vec!["c1: applied".into()], 2));

    let of_another = |number| Changes { scope: Some(scope(user("b"))), ..fact(number) };
    let (mut processor, decisions) = disturbed(1, of_another);
    let reports = processor.accept(command("c1", "a", T0, json!({})), Vec::new()).unwrap();
    assert_eq!((lines(&reports), decisions.load(Ordering::Relaxed)), (vec!["c1: applied".into()], 1));
}

#[test]
fn an_event_is_put_off_after_the_maximum_number_of_conflicts() {
    let (mut processor, decisions) = disturbed(CONFLICTS_MAX, fact);
    let doing = json!({"note": ["f"], "log": "here", "take": ["name:x"]});
    let reports = processor.accept(command("c1", "a", T0, doing), Vec::new()).unwrap();
    let text = "its account changed 8 times while it was decided".to_owned();
    let error = RunError::Failure(Failure::Store(ImportError::Unavailable(text)));
    assert_eq!(reports[0].result, Disposition::Failed(error));
    assert_eq!(decisions.load(Ordering::Relaxed), CONFLICTS_MAX);
    assert_eq!((reports[0].fuel, reports[0].logs.len(), reports[0].reply.is_none()), (0, 0, true));
    let row = processor.store().inbox(reports[0].seq).unwrap().unwrap();
    let not_before = T0 + RETRY_DELAYS_MS[0];
    assert_eq!((row.state, row.failures), (InboxState::Pending { not_before, waits_since: None }, 0));
    let runs = processor.store().runs(reports[0].seq).unwrap();
    assert_eq!((runs.len(), runs[0].provenance.is_none()), (1, true));
    assert_eq!(things(processor.store(), "a", ""), [""; 0]);
    // There are no more concurrent changes.
    assert_eq!(lines(&processor.retry_due(not_before).unwrap()), ["later c1: applied"]);
    assert_eq!(things(processor.store(), "a", "fact/"), ["f"]);
}

#[test]
fn an_attempt_succeeds_below_the_maximum_number_of_conflicts() {
    let (mut processor, decisions) = disturbed(CONFLICTS_MAX - 1, fact);
    let reports = processor.accept(command("c1", "a", T0, json!({"log": "here"})), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["c1: applied"]);
    assert_eq!((decisions.load(Ordering::Relaxed), reports[0].fuel, reports[0].logs.len()), (CONFLICTS_MAX, FUEL, 1));
}

/// Returns changes that store a command as done, as another host would.
fn done_elsewhere(event: Event) -> Changes {
    let progress = InboxProgress { outcome: Some(Outcome::Applied), ..samples::progress(InboxState::Done) };
    let new = NewInbox { event: Arc::new(event), livemode: false, raw: Arc::default(), progress };
    samples::accepted(new)
}

#[test]
fn an_event_that_another_host_stores_during_its_decision_is_a_duplicate() {
    let event = || command("c1", "a", T0, json!({"note": ["f"]}));
    let (mut processor, decisions) = disturbed(1, move |_| done_elsewhere(event()));
    let reports = processor.accept(command("c1", "a", T0, json!({"note": ["f"]})), Vec::new()).unwrap();
    assert_eq!((lines(&reports), decisions.load(Ordering::Relaxed)), (vec!["c1: duplicate(c1)".into()], 1));
    assert_eq!(
        processor.store().known(&scope(user("a")), &["f".into()]).unwrap(),
        [false],
        "this decision is discarded"
    );
    assert_eq!(processor.inbox_after(0, 9).unwrap().len(), 1);
}

#[test]
fn a_waiting_event_that_another_host_runs_during_its_decision_is_not_run_twice() {
    let done =
        |_| Changes { inbox: Some(samples::moved(1, samples::progress(InboxState::Done))), ..Changes::default() };
    let (mut processor, decisions) = disturbed(1, done);
    let pending = NewInbox {
        progress: samples::progress(InboxState::Pending { not_before: T0, waits_since: None }),
        event: Arc::new(command("c1", "a", T0, json!({"note": ["f"]}))),
        livemode: false,
        raw: Arc::default(),
    };
    processor.store_mut().apply(&samples::accepted(pending)).unwrap();
    let reports = processor.retry_due(T0).unwrap();
    assert_eq!((lines(&reports), decisions.load(Ordering::Relaxed)), (vec!["later c1: duplicate(c1)".into()], 1));
    assert_eq!(processor.store().known(&scope(user("a")), &["f".into()]).unwrap(), [false]);
    assert_eq!(processor.store().inbox(1).unwrap().unwrap().state, InboxState::Done);
}

#[test]
fn an_effect_that_another_host_begins_during_a_decision_is_not_cancelled() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let decisions = Arc::new(AtomicU32::new(0));
    let counted = decisions.clone();
    let count = move |moment| {
        counted.fetch_add(u32::from(matches!(moment, Moment::Decided)), Ordering::Relaxed);
    };
    let runner = ToyRunner::with(1, Box::new(count));
    let mut processor = Processor::new(faults.open(), Box::new(runner), business()).unwrap();
    processor.accept(command("c1", "a", T0, json!({"ask": [{"kind": "mail.send", "key": "m"}]})), Vec::new()).unwrap();
    // The second write, after the begin of the group, stores the decision.
    faults.before(2, |store| {
        let effects = vec![samples::update("m", EffectState::Running, 1, T0)];
        let begun = Changes { scope: Some(scope(user("a"))), effects, ..Changes::default() };
        store.apply(&begun).unwrap();
    });
    let reports = processor.accept(command("c2", "a", T0, json!({"cancel": ["m"]})), Vec::new()).unwrap();
    assert_eq!((lines(&reports), decisions.load(Ordering::Relaxed)), (vec!["c2: applied".into()], 3));
    assert_eq!(processor.store().effect(&scope(user("a")), "m").unwrap()[0].state, EffectState::Running);
}
