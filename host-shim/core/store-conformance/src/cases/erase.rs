//! Cases of erasure: which data of an account is removed, and which stays.

use super::Open;
use extension_contract::{
    Account, Delivery, EffectFailure, EffectFailureClass, EffectReport, FieldError, FieldErrorCode, Outcome, Payload,
    Product, ProductChange, Refusal, Row, Usage,
};
use host_store::testing::samples;
use host_store::{
    Applied, Changes, Conflict, DueQuery, EffectRow, EffectState, InboxProgress, InboxRow, InboxState, NewInbox,
    NotState, Provenance, Run, Scope, Store, StoreError, state_hash,
};
use std::sync::Arc;

/// A personal text that must disappear.
const CANARY: &str = "Ann Canary";
const DONE: Result<Applied, StoreError> = Ok(Applied::Done { seq: None });

fn account() -> Account {
    samples::scope("user:A").account
}

fn json() -> String {
    format!("{{\"name\":\"{CANARY}\"}}")
}

fn delivery(payload: String) -> Delivery {
    Delivery { sender: account(), key: "k".into(), generation: 3, payload }
}

fn report(context: String, answer: Result<String, EffectFailure>) -> Payload {
    Payload::EffectResult(EffectReport { key: "k".into(), generation: 1, attempts: 2, context, answer })
}

fn failure(message: &str) -> EffectFailure {
    EffectFailure { class: EffectFailureClass::Final, code: "quota".into(), message: message.into() }
}

fn product(text: &str, metadata: String) -> Product {
    let mut product = samples::product(&account(), "prod_1", "instance");
    let values = &mut product.values;
    (values.name, values.description, values.metadata) = (text.into(), text.into(), metadata);
    values.filters = if text.is_empty() { Vec::new() } else { vec![("owner".into(), text.into())] };
    values.price = Some(samples::usd(500));
    product
}

fn change(before: Option<Product>, after: Option<Product>) -> Payload {
    Payload::Product(Box::new(ProductChange { before, after }))
}

fn usage(attributes: Vec<(String, String)>) -> Payload {
    Payload::Usage(vec![Usage { id: "u1".into(), meter: "tokens".into(), quantity: -5, at: 7, attributes }])
}

/// Returns each kind of payload with a canary in every text, and its expected form after the erasure.
fn payloads() -> Vec<(Payload, Payload)> {
    let none = || "{}".to_owned();
    vec![
        (Payload::Payment(json().into_bytes()), Payload::Payment(b"{}".to_vec())),
        (Payload::Command(json()), Payload::Command(none())),
        (change(None, Some(product(CANARY, json()))), change(None, Some(product("", none())))),
        (change(Some(product(CANARY, json())), None), change(Some(product("", none())), None)),
        (usage(vec![("by".into(), CANARY.into())]), usage(Vec::new())),
        (Payload::Timer(delivery(json())), Payload::Timer(delivery(none()))),
        (Payload::Message(delivery(json())), Payload::Message(delivery(none()))),
        (report(json(), Ok(json())), report(none(), Ok(none()))),
        (report(json(), Err(failure(CANARY))), report(none(), Err(failure("")))),
    ]
}

fn run(outcome: Option<Outcome>, error: Option<&str>) -> Run {
    let provenance = Provenance {
        catalog_hash: "00ff".repeat(16),
        component_hash: "native".into(),
        claim_answers: format!("name:{CANARY}=mine\n"),
        fuel: 254_000,
        effects_hash: "00ff".into(),
    };
    Run { at: 1000, provenance: outcome.is_some().then_some(provenance), outcome, error: error.map(str::to_owned) }
}

fn refused(message: &str) -> Outcome {
    let error = FieldError::new("/name", FieldErrorCode::BadFormat, message);
    Outcome::Rejected(Refusal::Invalid(vec![error]))
}

fn accept(store: &mut dyn Store, id: &str, payload: Payload, progress: InboxProgress) -> u64 {
    let mut new = samples::new_event(id);
    Arc::make_mut(&mut new.event).payload = payload;
    let progress = InboxProgress { account: progress.account.or(Some(account())), ..progress };
    let new = NewInbox { raw: Arc::new(format!("raw of {CANARY}").into_bytes()), progress, ..new };
    match store.apply(&samples::accepted(new)).expect("applied") {
        Applied::Done { seq: Some(seq) } => seq,
        other => panic!("not accepted: {other:?}"),
    }
}

fn done(store: &mut dyn Store, id: &str, payload: Payload) -> u64 {
    accept(store, id, payload, samples::progress(InboxState::Done))
}

fn ask(store: &mut dyn Store, scope: &Scope, key: &str, state: EffectState) {
    let mut effect = samples::effect("mail.send", key);
    (effect.payload, effect.context) = (json(), json());
    let mut changes = samples::changes(scope, "evt_1");
    changes.effects = vec![samples::insert(EffectRow { state, ..samples::queued(scope, effect, 2000) })];
    assert_eq!(store.apply(&changes), DONE);
}

fn erase(scope: &Scope) -> Changes {
    Changes { erase: true, ..samples::changes(scope, "evt_1") }
}

fn inbox(store: &dyn Store) -> Vec<InboxRow> {
    store.inbox_after(None, 0, usize::MAX).expect("read")
}

/// Texts are erased from events of every kind, runs and effects. Ids, amounts, times and rows stay.
pub fn an_erased_account_keeps_ids_amounts_and_times(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    for (at, (payload, _)) in payloads().into_iter().enumerate() {
        done(&mut *store, &format!("evt_{at}"), payload);
    }
    let failed = Some("no row for Ann Canary".to_owned());
    let waits = samples::progress(InboxState::Pending { not_before: 9, waits_since: None });
    let trapped = InboxProgress { run: Some(run(None, failed.as_deref())), ..waits };
    let dead = accept(&mut *store, "evt_dead", Payload::Command(json()), trapped.clone());
    let trapped = InboxProgress { state: InboxState::Dead, failures: 5, error: failed, ..trapped };
    let inbox_of_dead = Some(samples::moved(dead, trapped));
    assert_eq!(store.apply(&Changes { inbox: inbox_of_dead, ..Changes::default() }), DONE);
    let outcome = refused("expected a name, not Ann Canary");
    let rejected = InboxProgress { outcome: Some(outcome.clone()), ..samples::progress(InboxState::Done) };
    let rejected = InboxProgress { run: Some(run(Some(outcome), None)), ..rejected };
    let rejected = accept(&mut *store, "evt_no", Payload::Command(json()), rejected);
    ask(&mut *store, &scope, "ended", EffectState::Finished);
    ask(&mut *store, &scope, "cancelled", EffectState::Cancelled);
    ask(&mut *store, &scope, "erase", EffectState::Running);
    let mut rows = samples::changes(&scope, "evt_1");
    rows.rows = vec![samples::write(Row::Record(samples::record("things", "r", &json())))];
    assert_eq!(store.apply(&rows), DONE);

    let (events, keys) = (inbox(&*store), ["ended", "cancelled", "erase"]);
    let effects = |store: &dyn Store| keys.map(|key| store.effect(&scope, key).expect("read").remove(0));
    let (asked, runs) = (effects(&*store), [dead, rejected].map(|seq| store.runs(seq).expect("read")));
    let state = state_hash(&[&*store], &NotState::default()).expect("hashed");
    assert!(events.iter().all(|row| !row.erased) && asked.iter().all(|row| !row.erased));

    let mut changes = erase(&scope);
    changes.effects = vec![samples::update("erase", EffectState::Finished, 1, 2000)];
    assert_eq!(store.apply(&changes), DONE);

    let mut left = payloads().into_iter().map(|(_, left)| left);
    for (before, after) in events.into_iter().zip(inbox(&*store)) {
        let mut expected = InboxRow { raw: Vec::new(), erased: true, ..before };
        expected.event.payload = left.next().unwrap_or(Payload::Command("{}".into()));
        if let Some(provenance) = &mut expected.provenance {
            provenance.claim_answers = String::new();
        }
        expected.error = expected.error.map(|_| String::new());
        expected.outcome = expected.outcome.map(|_| refused(""));
        assert_eq!(after, expected);
    }
    for (before, after) in asked.into_iter().zip(effects(&*store)) {
        let mut expected = EffectRow { state: after.state, attempts: after.attempts, erased: true, ..before };
        (expected.effect.payload, expected.effect.context) = ("{}".into(), "{}".into());
        assert_eq!(after, expected);
    }
    assert_eq!(effects(&*store)[2].state, EffectState::Finished, "an effect that ends in the same change is erased");
    let [of_dead, of_rejected] = runs;
    let erased = |run: &Run| Run {
        error: run.error.as_ref().map(|_| String::new()),
        outcome: run.outcome.as_ref().map(|_| refused("")),
        provenance: run.provenance.clone().map(|it| Provenance { claim_answers: String::new(), ..it }),
        ..run.clone()
    };
    assert_eq!((of_dead.len(), of_rejected.len()), (2, 1));
    assert_eq!(store.runs(dead).expect("read"), of_dead.iter().map(erased).collect::<Vec<_>>());
    assert_eq!(store.runs(rejected).expect("read"), of_rejected.iter().map(erased).collect::<Vec<_>>());

    assert_eq!(state_hash(&[&*store], &NotState::default()).expect("hashed"), state, "rows stay");
    assert_eq!(store.account(&scope).map(|it| it.revision), Ok(1));
    let dead_row = store.dead(&samples::partition(), 0, 9).expect("read").remove(0);
    assert_eq!((dead_row.seq, dead_row.failures, dead_row.erased), (dead, 5, true));
    let again = samples::accepted(samples::new_event("evt_0"));
    assert_eq!(store.apply(&again), Ok(Applied::Conflict(Conflict::Event)), "the event is still known by its id");
}

/// Unfinished events and open effects stay until a later erasure. Other accounts stay.
pub fn an_erasure_keeps_unfinished_events_and_other_accounts(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let payload = || Payload::Command(json());
    let waiting = [
        InboxState::Pending { not_before: 1000, waits_since: None },
        InboxState::Parked { since: 1000 },
        InboxState::Deferred { since: 1000 },
    ];
    for (at, state) in waiting.into_iter().enumerate() {
        let progress = InboxProgress { waits_for: vec!["claim:k".into()], ..samples::progress(state) };
        accept(&mut *store, &format!("waits_{at}"), payload(), progress);
    }
    let of_other = Some(samples::scope("user:B").account);
    let other = InboxProgress { account: of_other, ..samples::progress(InboxState::Done) };
    accept(&mut *store, "other", payload(), other);
    let mut live = samples::new_event("live");
    live.livemode = true;
    Arc::make_mut(&mut live.event).payload = payload();
    live.progress = InboxProgress { account: Some(account()), ..samples::progress(InboxState::Done) };
    store.apply(&samples::accepted(live.clone())).expect("applied");
    let mut bakery = NewInbox { livemode: false, ..live };
    Arc::make_mut(&mut bakery.event).business = "bakery".into();
    store.apply(&samples::accepted(bakery)).expect("applied");
    let of_nobody = accept(&mut *store, "nobody", payload(), samples::progress(InboxState::Done));
    ask(&mut *store, &scope, "queued", EffectState::Queued);
    ask(&mut *store, &scope, "running", EffectState::Running);
    ask(&mut *store, &samples::scope("user:B"), "ended", EffectState::Finished);
    ask(&mut *store, &Scope { livemode: true, ..scope.clone() }, "ended", EffectState::Finished);

    let (before, open_before) =
        (inbox(&*store), store.effects_open_after(&samples::partition(), 0, usize::MAX).expect("read"));
    assert_eq!(store.apply(&erase(&scope)), DONE);
    let after = inbox(&*store);
    assert_eq!((after[6].seq, after[6].erased), (of_nobody, true), "the ended event of the account");
    assert_eq!(after[..6], before[..6]);
    assert_eq!(store.effects_open_after(&samples::partition(), 0, usize::MAX), Ok(open_before));
    for other in [samples::scope("user:B"), Scope { livemode: true, ..scope.clone() }] {
        let row = store.effect(&other, "ended").expect("read").remove(0);
        assert_eq!((row.erased, row.effect.payload), (false, json()), "{}", other.name());
    }
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(vec![2, 3]));

    for seq in 1..=3 {
        let inbox = Some(samples::moved(seq, samples::progress(InboxState::Done)));
        assert_eq!(store.apply(&Changes { inbox, ..Changes::default() }), DONE);
    }
    let mut changes = erase(&scope);
    changes.effects = vec![samples::update("running", EffectState::Finished, 1, 2000)];
    assert_eq!(store.apply(&changes), DONE);
    assert!(inbox(&*store)[..3].iter().all(|row| row.erased && row.event.payload == Payload::Command("{}".into())));
    assert!(store.effect(&scope, "running").expect("read")[0].erased);
    assert!(!store.effect(&scope, "queued").expect("read")[0].erased);
    let without_scope = Changes { scope: None, ..erase(&scope) };
    store.apply(&without_scope).expect_err("an erasure needs a scope");
}

/// A rollback or a conflict undoes an erasure.
pub fn a_rolled_back_erasure_erases_nothing(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    for (at, (payload, _)) in payloads().into_iter().enumerate() {
        done(&mut *store, &format!("evt_{at}"), payload);
    }
    ask(&mut *store, &scope, "ended", EffectState::Finished);
    ask(&mut *store, &scope, "queued", EffectState::Queued);
    let all = |store: &dyn Store| (inbox(store), ["ended", "queued"].map(|key| store.effect(&scope, key)));
    let before = all(&*store);
    store.begin().expect("no group is open");
    let mut changes = erase(&scope);
    changes.effects = vec![samples::update("queued", EffectState::Finished, 1, 2000)];
    assert_eq!(store.apply(&changes), DONE);
    assert_ne!(all(&*store), before);
    store.rollback().expect("a group is open");
    assert_eq!(all(&*store), before);
    let due = store.effects_due(&DueQuery::of(&samples::partition(), 9000, 9)).expect("read");
    assert_eq!(due.iter().map(|row| row.effect.key.as_str()).collect::<Vec<_>>(), ["queued"]);

    changes.expected.account_revision = Some(7);
    assert_eq!(store.apply(&changes), Ok(Applied::Conflict(Conflict::Read)));
    let mut unknown = erase(&scope);
    unknown.effects = vec![samples::update("nothing", EffectState::Finished, 1, 2000)];
    store.apply(&unknown).expect_err("the effect does not exist");
    assert_eq!(all(&*store), before);
}
