//! Cases of the inbox: acceptance, progress, runs, parking and waking.

use super::Open;
use extension_contract::{
    Account, Actor, ActorKind, Delivery, EffectFailure, EffectFailureClass, EffectReport, Event, IgnoreReason, Outcome,
    Payload, PaymentFacts, ProductChange, Refusal, Usage,
};
use host_store::testing::samples;
use host_store::{
    Applied, Changes, Conflict, EFFECT_RESULTS, InboxProgress, InboxRow, InboxState, NewInbox, Partition, Provenance,
    Run, Store, StoreError, Stored, Wait,
};
use std::sync::Arc;

fn accept(store: &mut dyn Store, new: NewInbox) -> u64 {
    match store.apply(&samples::accepted(new)).expect("applied") {
        Applied::Done { seq: Some(seq) } => seq,
        other => panic!("not accepted: {other:?}"),
    }
}

fn set_progress(store: &mut dyn Store, seq: u64, progress: InboxProgress) {
    let inbox = Some(samples::moved(seq, progress));
    assert_eq!(store.apply(&Changes { inbox, ..Changes::default() }), Ok(Applied::Done { seq: None }));
}

fn waiting(state: InboxState, waits_for: &[&str]) -> InboxProgress {
    let waits_for = waits_for.iter().map(|key| (*key).to_owned()).collect();
    InboxProgress { waits_for, ..samples::progress(state) }
}

fn live() -> Partition {
    Partition { livemode: true, ..samples::partition() }
}

fn parked(since: i64) -> InboxState {
    InboxState::Parked { since }
}

fn deferred(since: i64) -> InboxState {
    InboxState::Deferred { since }
}

fn provenance() -> Provenance {
    Provenance {
        catalog_hash: "00ff".repeat(16),
        component_hash: "native".into(),
        claim_answers: "subdomain:a=mine\n".into(),
        fuel: 254_000,
        effects_hash: "00FF".into(),
    }
}

fn seqs(rows: Stored<Vec<InboxRow>>) -> Vec<u64> {
    rows.expect("read").iter().map(|row| row.seq).collect()
}

/// Business, mode, source and id identify an event. If an event arrives again, the first row stays.
pub fn an_event_is_accepted_once(open: Open<'_>) {
    let mut store = open();
    assert_eq!(accept(&mut *store, samples::new_event("evt_1")), 1);
    set_progress(&mut *store, 1, samples::progress(InboxState::Done));
    let mut again = samples::new_event("evt_1");
    Arc::make_mut(&mut again.event).received_at = 2000;
    assert_eq!(store.apply(&samples::accepted(again)), Ok(Applied::Conflict(Conflict::Event)));
    let row = store.event(&samples::partition(), "stripe", "evt_1").expect("read").expect("there");
    assert_eq!((row.seq, row.event.received_at, &row.state), (1, 1000, &InboxState::Done));
    let mut of_another_business = samples::new_event("evt_1");
    Arc::make_mut(&mut of_another_business.event).business = "bakery".into();
    let mut of_another_source = samples::new_event("evt_1");
    Arc::make_mut(&mut of_another_source.event).source = "api".into();
    let mut in_live_mode = samples::new_event("evt_1");
    in_live_mode.livemode = true;
    assert_eq!(accept(&mut *store, of_another_business), 2);
    assert_eq!(accept(&mut *store, of_another_source), 3);
    assert_eq!(accept(&mut *store, in_live_mode.clone()), 4);
    let row = store.inbox(4).expect("read").expect("there");
    assert_eq!((row.livemode, &row.event), (true, &*in_live_mode.event));
    assert_eq!(store.event(&live(), "stripe", "evt_1"), Ok(Some(row)));
    assert_eq!(store.event(&live(), "api", "evt_1"), Ok(None));
}

/// Every kind of payload, every part of the envelope, and the raw bytes are stored.
pub fn every_payload_is_read_as_it_was_written(open: Open<'_>) {
    let mut store = open();
    let account: Account = "organization:O".parse().expect("an account");
    let delivery = Delivery { sender: account.clone(), key: "k".into(), generation: 3, payload: "{\"a\": 1}".into() };
    let product = samples::product(&account, "prod_1", "instance");
    let failure = EffectFailure { class: EffectFailureClass::Final, code: "quota".into(), message: "no".into() };
    let report = |answer| {
        let context = "{\"c\":1}".into();
        Payload::EffectResult(EffectReport { key: "k".into(), generation: 1, attempts: 2, context, answer })
    };
    let usage = Usage {
        id: "u1".into(),
        meter: "tokens".into(),
        quantity: -5,
        at: 7,
        attributes: vec![("model".into(), "large".into())],
    };
    let payloads = [
        Payload::Payment(vec![0xff, 0x00, b'{']),
        Payload::Product(Box::new(ProductChange { before: None, after: Some(product) })),
        Payload::Command("{ \"spaces\" : \"stay\" }".into()),
        Payload::Usage(vec![usage]),
        Payload::Timer(delivery.clone()),
        Payload::Message(delivery),
        report(Ok("{}".into())),
        report(Err(failure)),
    ];
    for (at, payload) in payloads.into_iter().enumerate() {
        let mut new = samples::new_event(&format!("evt_{at}"));
        Arc::make_mut(&mut new.event).payload = payload;
        Arc::make_mut(&mut new.event).account = (at % 2 == 0).then(|| account.clone());
        Arc::make_mut(&mut new.event).actor =
            Actor { kind: ActorKind::Admin, subject: "ann".into(), roles: vec!["owner".into()] };
        Arc::make_mut(&mut new.event).reply_to = Some("caller".into());
        Arc::make_mut(&mut new.event).livemode = None;
        Arc::make_mut(&mut new.event).attempt = 2;
        Arc::make_mut(&mut new.event).payment = Some(PaymentFacts {
            source: "stripe".into(),
            time: Some(5),
            connected_account: Some("acct_1".into()),
            ..PaymentFacts::default()
        });
        new.raw = Arc::new(if at == 2 { b"{ \"spaces\" : \"stay\" }".to_vec() } else { vec![at as u8; at] });
        let seq = accept(&mut *store, new.clone());
        let stored = store.inbox(seq).expect("read").expect("there");
        assert_eq!((&stored.event, &stored.raw, stored.livemode), (&*new.event, &*new.raw, new.livemode));
        assert_eq!((stored.failures, stored.error, stored.outcome, stored.provenance), (0, None, None, None));
    }
}

/// An event that runs immediately is written once, in its final state, with its run.
pub fn an_event_may_be_inserted_in_its_final_state(open: Open<'_>) {
    let mut store = open();
    let run = Run { at: 1500, outcome: Some(Outcome::Applied), error: None, provenance: Some(provenance()) };
    let mut new = samples::new_event("evt_1");
    new.progress = InboxProgress {
        account: Some(Account::User("A".into())),
        outcome: Some(Outcome::Applied),
        run: Some(run.clone()),
        ..samples::progress(InboxState::Done)
    };
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.facts.insert("paid:in_1".into());
    changes.inbox = samples::accepted(new).inbox;
    assert_eq!(store.apply(&changes), Ok(Applied::Done { seq: Some(1) }));
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!((row.event.account, row.state), (Some(Account::User("A".into())), InboxState::Done));
    assert_eq!((row.outcome, row.provenance), (Some(Outcome::Applied), Some(provenance())));
    assert_eq!(store.runs(1), Ok(vec![run]));
    assert_eq!(store.inbox_due(&samples::partition(), i64::MAX, 10), Ok(Vec::new()));
    assert_eq!(store.known(&scope, &["paid:in_1".into()]), Ok(vec![true]));

    let mut parked_at_once = samples::new_event("evt_2");
    parked_at_once.progress = waiting(parked(1000), &["claim:k"]);
    assert_eq!(accept(&mut *store, parked_at_once), 2);
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(vec![2]));
    assert_eq!(store.parked_count(&samples::partition()), Ok(1));
}

/// A row has the outcome and error of its last change, keeps a known account, and keeps every run.
pub fn inbox_rows_keep_their_progress_and_every_run(open: Open<'_>) {
    let mut store = open();
    accept(&mut *store, samples::new_event("evt_1"));
    assert_eq!(store.runs(1), Ok(Vec::new()));
    let rejected = Outcome::Rejected(Refusal::Malformed("/id".into()));
    let first = Run { at: 1000, outcome: None, error: Some("trap".into()), provenance: None };
    let second = Run { at: 2000, outcome: Some(rejected.clone()), error: None, provenance: Some(provenance()) };
    set_progress(
        &mut *store,
        1,
        InboxProgress {
            account: Some(Account::User("A".into())),
            failures: 1,
            error: Some("trap".into()),
            run: Some(first.clone()),
            ..samples::progress(InboxState::Pending { not_before: 5000, waits_since: None })
        },
    );
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!(row.event.account, Some(Account::User("A".into())));
    assert_eq!(
        (row.state, row.failures, row.error),
        (InboxState::Pending { not_before: 5000, waits_since: None }, 1, Some("trap".into()))
    );
    assert_eq!((row.outcome, row.provenance), (None, None));
    set_progress(
        &mut *store,
        1,
        InboxProgress {
            outcome: Some(rejected.clone()),
            run: Some(second.clone()),
            ..samples::progress(InboxState::Done)
        },
    );
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!(row.event.account, Some(Account::User("A".into())));
    assert_eq!((row.state, row.failures, row.error), (InboxState::Done, 0, None));
    assert_eq!((row.outcome, row.provenance), (Some(rejected), Some(provenance())));
    assert_eq!(store.runs(1), Ok(vec![first.clone(), second.clone()]));

    // Without a run, the host itself sets the outcome; the row keeps the provenance of the last run.
    let ignored = Some(Outcome::Ignored(IgnoreReason::NotOurs));
    set_progress(&mut *store, 1, InboxProgress { outcome: ignored.clone(), ..samples::progress(InboxState::Done) });
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!((row.outcome, row.provenance), (ignored, Some(provenance())));
    for state in [InboxState::Dead, deferred(7), parked(8)] {
        set_progress(&mut *store, 1, samples::progress(state.clone()));
        assert_eq!(store.inbox(1).expect("read").expect("there").state, state);
    }
    assert_eq!(store.runs(1), Ok(vec![first, second]));
    assert_eq!(store.runs(2), Ok(Vec::new()));
}

/// Due pending rows are ordered by number, not by time.
pub fn pending_rows_are_due_in_order_of_acceptance(open: Open<'_>) {
    let mut store = open();
    let p = samples::partition();
    for (id, not_before) in [("evt_1", 3000), ("evt_2", 1000), ("evt_3", 2000), ("evt_4", 1000)] {
        let mut new = samples::new_event(id);
        new.progress = samples::progress(InboxState::Pending { not_before, waits_since: None });
        accept(&mut *store, new);
    }
    assert_eq!(store.inbox_due(&p, 3000, 10), Ok(vec![1, 2, 3, 4]));
    assert_eq!(store.inbox_due(&p, 3000, 4), Ok(vec![1, 2, 3, 4]));
    assert_eq!(store.inbox_due(&p, 3000, 2), Ok(vec![1, 2]));
    assert_eq!(store.inbox_due(&p, 2000, 10), Ok(vec![2, 3, 4]));
    assert_eq!(store.inbox_next_due(&p, 1000), Ok(Some(2000)));
    set_progress(&mut *store, 2, samples::progress(InboxState::Pending { not_before: 9000, waits_since: None }));
    set_progress(&mut *store, 3, samples::progress(InboxState::Done));
    assert_eq!(store.inbox_due(&p, 3000, 10), Ok(vec![1, 4]));
    assert_eq!(store.inbox_next_due(&p, 3000), Ok(Some(9000)));
    assert_eq!(store.inbox_next_due(&p, 9000), Ok(None));
    set_progress(&mut *store, 4, samples::progress(InboxState::Pending { not_before: 0, waits_since: None }));
    assert_eq!(store.inbox_due(&p, 9000, 10), Ok(vec![1, 2, 4]));
}

/// Only parked and deferred rows wait, for the keys of their last change. A result contains each row only once.
pub fn waiting_rows_are_woken_by_their_keys(open: Open<'_>) {
    let mut store = open();
    for id in ["evt_1", "evt_2", "evt_3"] {
        accept(&mut *store, samples::new_event(id));
    }
    set_progress(&mut *store, 3, waiting(parked(1), &["claim:a", "claim:b"]));
    set_progress(&mut *store, 1, waiting(deferred(1), &["claim:b", "fact:f", "claim:b"]));
    set_progress(&mut *store, 2, waiting(InboxState::Done, &["claim:b"]));
    let woken = |store: &dyn Store, keys: &[&str]| {
        store.woken_by(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).expect("read")
    };
    assert_eq!(woken(&*store, &["claim:b", "claim:a"]), [1, 3]);
    assert_eq!(woken(&*store, &["fact:f"]), [1]);
    assert!(woken(&*store, &["claim:none"]).is_empty());
    assert!(woken(&*store, &[]).is_empty());
    set_progress(&mut *store, 3, waiting(parked(1), &["claim:c"]));
    assert_eq!(woken(&*store, &["claim:a", "claim:b", "claim:c"]), [1, 3]);
    assert!(woken(&*store, &["claim:a"]).is_empty());
    set_progress(&mut *store, 1, samples::progress(InboxState::Done));
    assert!(woken(&*store, &["claim:b", "fact:f"]).is_empty());
}

/// The age of a wait counts from its start, not from the receipt of the event.
pub fn waiting_rows_are_counted_and_selected_by_age(open: Open<'_>) {
    let mut store = open();
    let p = samples::partition();
    for id in ["evt_1", "evt_2", "evt_3", "evt_4"] {
        accept(&mut *store, samples::new_event(id));
    }
    for (seq, since) in [(1, 4000), (2, 5000), (3, 4500)] {
        set_progress(&mut *store, seq, waiting(parked(since), &["claim:k"]));
    }
    set_progress(&mut *store, 4, waiting(deferred(4200), &["fact:k"]));
    assert_eq!(store.parked_count(&p), Ok(3));
    assert_eq!(store.waiting_before(&p, Wait::Parked, 5000, 10), Ok(vec![1, 3]));
    assert_eq!(store.waiting_before(&p, Wait::Parked, 9000, 2), Ok(vec![1, 3]));
    assert_eq!(store.waiting_before(&p, Wait::Parked, 4000, 10), Ok(Vec::new()), "received long before");
    assert_eq!(store.waiting_before(&p, Wait::Deferred, 4200, 10), Ok(Vec::new()));
    assert_eq!(store.waiting_before(&p, Wait::Deferred, 4201, 10), Ok(vec![4]));
    assert_eq!(store.waiting_before(&p, Wait::Deferred, 4201, 0), Ok(Vec::new()));
    // If a row is parked again, its wait starts again.
    set_progress(&mut *store, 1, waiting(parked(8000), &["claim:k"]));
    assert_eq!(store.waiting_before(&p, Wait::Parked, 8000, 10), Ok(vec![3, 2]));
    set_progress(&mut *store, 3, samples::progress(InboxState::Done));
    set_progress(&mut *store, 4, samples::progress(parked(1)));
    assert_eq!(
        (store.parked_count(&p), store.waiting_before(&p, Wait::Deferred, i64::MAX, 10)),
        (Ok(3), Ok(Vec::new()))
    );
    set_progress(&mut *store, 2, samples::progress(InboxState::Pending { not_before: 0, waits_since: None }));
    assert_eq!(store.parked_count(&p), Ok(2));
    assert_eq!(store.waiting_before(&p, Wait::Parked, 9000, 10), Ok(vec![4, 1]));
}

/// Dead letters, alone or with pending rows, are listed by pages.
pub fn dead_and_failed_rows_are_listed(open: Open<'_>) {
    let mut store = open();
    let p = samples::partition();
    for id in ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"] {
        accept(&mut *store, samples::new_event(id));
    }
    for (seq, state) in [
        (1, InboxState::Dead),
        (3, InboxState::Done),
        (4, InboxState::Dead),
        (5, deferred(1)),
        (6, InboxState::Pending { not_before: 9000, waits_since: None }),
    ] {
        set_progress(&mut *store, seq, samples::progress(state));
    }
    assert_eq!(seqs(store.dead(&p, 0, 10)), [1, 4]);
    assert_eq!(seqs(store.dead(&p, 0, 1)), [1]);
    assert_eq!(seqs(store.dead(&p, 1, 10)), [4]);
    assert_eq!(seqs(store.failed(&p, 0, 10)), [1, 2, 4, 6]);
    assert_eq!(seqs(store.failed(&p, 1, 2)), [2, 4]);
    assert!(seqs(store.failed(&p, 6, 10)).is_empty());
    let dead = store.dead(&p, 1, 1).expect("read").remove(0);
    assert_eq!(Some(dead), store.inbox(4).expect("read"));
    set_progress(&mut *store, 1, samples::progress(InboxState::Pending { not_before: 0, waits_since: None }));
    assert_eq!(seqs(store.dead(&p, 0, 10)), [4]);
}

/// Queries for waiting rows return only rows of their mode and business.
pub fn inbox_queues_are_of_one_partition(open: Open<'_>) {
    let mut store = open();
    let p = samples::partition();
    let bakery = Partition { business: "bakery".into(), ..p.clone() };
    let states = [
        InboxState::Pending { not_before: 10, waits_since: None },
        InboxState::Pending { not_before: 90, waits_since: None },
        parked(10),
        deferred(10),
        InboxState::Dead,
    ];
    for (at, partition) in [&p, &live(), &bakery].into_iter().enumerate() {
        for (n, state) in states.iter().enumerate() {
            let mut new = samples::new_event(&format!("evt_{n}"));
            Arc::make_mut(&mut new.event).business = partition.business.clone();
            new.livemode = partition.livemode;
            new.progress = samples::progress(state.clone());
            assert_eq!(accept(&mut *store, new), (at * states.len() + n) as u64 + 1);
        }
    }
    for (partition, first) in [(&p, 1), (&live(), 6), (&bakery, 11)] {
        assert_eq!(store.inbox_due(partition, 50, 10), Ok(vec![first]));
        assert_eq!(store.inbox_next_due(partition, 50), Ok(Some(90)));
        assert_eq!(store.waiting_before(partition, Wait::Parked, 50, 10), Ok(vec![first + 2]));
        assert_eq!(store.waiting_before(partition, Wait::Deferred, 50, 10), Ok(vec![first + 3]));
        assert_eq!(store.parked_count(partition), Ok(1));
        assert_eq!(seqs(store.dead(partition, 0, 10)), [first + 4]);
        assert_eq!(seqs(store.failed(partition, 0, 10)), [first, first + 1, first + 4]);
    }
    let nobody = Partition { business: "nobody".into(), livemode: false };
    assert_eq!(store.inbox_due(&nobody, 50, 10), Ok(Vec::new()));
    assert_eq!((store.inbox_next_due(&nobody, 0), store.parked_count(&nobody)), (Ok(None), Ok(0)));
}

/// The results of effects are read by pages, of all partitions and without other events.
pub fn effect_results_are_read_in_order(open: Open<'_>) {
    let mut store = open();
    for (id, source, livemode) in [
        ("a", EFFECT_RESULTS, false),
        ("b", "stripe", false),
        ("c", EFFECT_RESULTS, true),
        ("d", "effects2", false),
        ("e", EFFECT_RESULTS, false),
    ] {
        let new = samples::new_event(id);
        let event = Event { source: source.to_owned(), ..(*new.event).clone() };
        accept(&mut *store, NewInbox { livemode, event: event.into(), ..new });
    }
    assert_eq!(seqs(store.effect_results_after(0, 2)), [1, 3]);
    assert_eq!(seqs(store.effect_results_after(3, 2)), [5]);
    assert!(seqs(store.effect_results_after(5, 2)).is_empty());
    assert_eq!(store.effect_results_after(0, 1), store.inbox_after(None, 0, 1), "whole rows");
}

/// The events of an account are read by pages, without those of other accounts and partitions.
pub fn the_events_of_an_account_are_read_in_order(open: Open<'_>) {
    let mut store = open();
    let (ada, bob) = (Account::User("ada".to_owned()), Account::User("bob".to_owned()));
    for (id, account, livemode) in [
        ("a", Some(&ada), false),
        ("b", Some(&bob), false),
        ("c", Some(&ada), true),
        ("d", None, false),
        ("e", Some(&ada), false),
        ("f", Some(&ada), false),
    ] {
        let mut new = NewInbox { livemode, ..samples::new_event(id) };
        Arc::make_mut(&mut new.event).account = account.cloned();
        new.progress.account = None;
        accept(&mut *store, new);
    }
    let of = |store: &dyn Store, account: &Account, after, limit| {
        seqs(store.inbox_of(&samples::partition().scope(account.clone()), after, limit))
    };
    assert_eq!(of(&*store, &ada, 0, 2), [1, 5]);
    assert_eq!(of(&*store, &ada, 5, 2), [6]);
    assert_eq!((of(&*store, &ada, 6, 2), of(&*store, &bob, 0, 9)), (vec![], vec![2]));
    assert!(of(&*store, &Account::Organization("ada".to_owned()), 0, 9).is_empty());
    assert_eq!(seqs(store.inbox_of(&live().scope(ada.clone()), 0, 9)), [3]);
    let whole = store.inbox_after(None, 0, 1);
    assert_eq!(store.inbox_of(&samples::partition().scope(ada), 0, 1), whole, "whole rows");
}

/// All rows are read by pages.
pub fn inbox_rows_are_read_in_order(open: Open<'_>) {
    let mut store = open();
    for (id, livemode) in [("evt_b", false), ("evt_a", true), ("evt_c", false), ("evt_d", false)] {
        accept(&mut *store, NewInbox { livemode, ..samples::new_event(id) });
    }
    assert_eq!(store.inbox_newest(), Ok(4));
    assert_eq!(seqs(store.inbox_after(None, 0, 2)), [1, 2]);
    assert_eq!(seqs(store.inbox_after(None, 2, 2)), [3, 4]);
    assert!(seqs(store.inbox_after(None, 4, 2)).is_empty());
    assert!(seqs(store.inbox_after(None, u64::MAX, 2)).is_empty());
    let test = samples::partition();
    assert_eq!(seqs(store.inbox_after(Some(&test), 0, 2)), [1, 3], "a page is full although it skips rows");
    assert_eq!(seqs(store.inbox_after(Some(&test), 3, 2)), [4]);
    assert_eq!(seqs(store.inbox_after(Some(&live()), 0, 2)), [2]);
    let unknown = Partition { business: "bakery".into(), ..test };
    assert!(seqs(store.inbox_after(Some(&unknown), 0, 2)).is_empty());
}

/// A change of a stored event is refused if the event is in another state, so that two hosts never both run it.
pub fn an_event_in_another_state_is_a_conflict(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let pending = |not_before| InboxState::Pending { not_before, waits_since: None };
    let change = |seq, state: InboxState, expected: InboxState| {
        let mut changes = samples::changes(&scope, "evt_1");
        changes.facts.insert(format!("{state:?} after {expected:?}"));
        changes.inbox = Some(samples::moved(seq, samples::progress(state)));
        changes.expected.inbox = Some(expected);
        changes
    };
    for (id, before) in [
        pending(1000),
        InboxState::Parked { since: 1000 },
        InboxState::Deferred { since: 1000 },
        InboxState::Done,
        InboxState::Dead,
    ]
    .into_iter()
    .enumerate()
    {
        let new = NewInbox { progress: samples::progress(before.clone()), ..samples::new_event(&format!("evt_{id}")) };
        let seq = accept(&mut *store, new);
        for other in [pending(1001), InboxState::Parked { since: 999 }, InboxState::Deferred { since: 1001 }] {
            let conflict = change(seq, pending(2000), other);
            assert_eq!(store.apply(&conflict), Ok(Applied::Conflict(Conflict::Event)), "{before:?}");
        }
        assert_eq!(store.account(&scope).map(|it| it.revision), Ok(id as u64));
        let taken = change(seq, pending(3000), before.clone());
        assert_eq!(store.apply(&taken), Ok(Applied::Done { seq: None }), "{before:?}");
        let again = change(seq, pending(4000), before);
        assert_eq!(store.apply(&again), Ok(Applied::Conflict(Conflict::Event)));
        assert_eq!(store.inbox(seq).expect("read").map(|row| row.state), Some(pending(3000)));
    }
    let mut new = samples::accepted(samples::new_event("evt_new"));
    new.expected.inbox = Some(pending(1000));
    assert!(matches!(store.apply(&new), Err(StoreError::Misuse(_))), "a new event has no state yet");
}

/// An update of a missing row is refused.
pub fn an_unknown_inbox_row_is_an_error(open: Open<'_>) {
    let mut store = open();
    for seq in [0, 1, u64::MAX >> 1, u64::MAX] {
        let mut changes = samples::changes(&samples::scope("user:A"), "evt_1");
        changes.facts.insert("paid:in_1".into());
        changes.inbox = Some(samples::moved(seq, samples::progress(InboxState::Done)));
        assert!(matches!(store.apply(&changes), Err(StoreError::Misuse(_))));
        assert_eq!(store.known(&samples::scope("user:A"), &["paid:in_1".into()]), Ok(vec![false]));
        assert_eq!(store.inbox(seq), Ok(None));
    }
}
