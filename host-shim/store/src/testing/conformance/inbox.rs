//! The inbox: acceptance, places, parking and waking.

use super::Open;
use crate::rows::{InboxState, NewInboxRow, Provenance};
use crate::store::{Inserted, Store};
use crate::testing::samples;
use products_contract::{
    Account, Actor, ActorKind, Delivery, EffectFailure, EffectFailureClass, EffectReport, IgnoreReason, Outcome,
    Payload, ProductChange, ProviderFacts, Refusal, StoreError, Usage,
};

fn accept(store: &mut dyn Store, row: &NewInboxRow) -> u64 {
    match store.accept(row).expect("accepted") {
        Inserted::New(seq) => seq,
        Inserted::Known(known) => panic!("{} is known as {}", row.event.id, known.seq),
    }
}

fn place(store: &mut dyn Store, seq: u64, state: InboxState, waits_for: &[&str]) {
    let mut change = samples::inbox_change(seq, state);
    change.waits_for = waits_for.iter().map(|key| (*key).to_owned()).collect();
    store.apply(&crate::Changes { inbox: Some(change), ..crate::Changes::default() }).expect("applied");
}

/// The same business, mode, source and id is one event; the first one's row stays.
pub fn an_event_is_accepted_once(open: Open<'_>) {
    let mut store = open();
    assert_eq!(accept(&mut *store, &samples::inbox_row("evt_1")), 1);
    let mut again = samples::inbox_row("evt_1");
    again.event.received_at = 2000;
    place(&mut *store, 1, InboxState::Done, &[]);
    match store.accept(&again).expect("accepted") {
        Inserted::Known(row) => {
            assert_eq!((row.seq, row.event.received_at, &row.state), (1, 1000, &InboxState::Done));
        }
        Inserted::New(seq) => panic!("accepted twice, as {seq}"),
    }
    let mut of_another_business = samples::inbox_row("evt_1");
    of_another_business.event.business = "bakery".into();
    let mut of_another_source = samples::inbox_row("evt_1");
    of_another_source.event.source = "api".into();
    let mut live = samples::inbox_row("evt_1");
    live.livemode = true;
    assert_eq!(accept(&mut *store, &of_another_business), 2);
    assert_eq!(accept(&mut *store, &of_another_source), 3);
    assert_eq!(accept(&mut *store, &live), 4);
    let row = store.inbox(4).expect("read").expect("there");
    assert_eq!((row.livemode, row.event), (true, live.event));
}

/// Every kind of payload, every part of the envelope, and the raw bytes.
pub fn every_payload_comes_back(open: Open<'_>) {
    let mut store = open();
    let account: Account = "organization:O".parse().expect("an account");
    let delivery = Delivery { sender: account.clone(), key: "k".into(), generation: 3, payload: "{\"a\": 1}".into() };
    let product = samples::product(&account, "prod_1", "instance");
    let failure = EffectFailure { class: EffectFailureClass::Final, code: "quota".into(), message: "no".into() };
    let report = |answer| Payload::EffectResult(EffectReport { key: "k".into(), generation: 1, attempts: 2, answer });
    let usage = Usage {
        id: "u1".into(),
        meter: "tokens".into(),
        quantity: -5,
        at: 7,
        attributes: vec![("model".into(), "large".into())],
    };
    let payloads = [
        Payload::Provider(vec![0xff, 0x00, b'{']),
        Payload::Product(Box::new(ProductChange { before: None, after: Some(product) })),
        Payload::Command("{ \"spaces\" : \"stay\" }".into()),
        Payload::Usage(vec![usage]),
        Payload::Timer(delivery.clone()),
        Payload::Message(delivery),
        report(Ok("{}".into())),
        report(Err(failure)),
    ];
    for (at, payload) in payloads.into_iter().enumerate() {
        let mut row = samples::inbox_row(&format!("evt_{at}"));
        row.event.payload = payload;
        row.event.account = (at % 2 == 0).then(|| account.clone());
        row.event.actor = Actor { kind: ActorKind::Admin, subject: "ann".into(), roles: vec!["owner".into()] };
        row.event.reply_to = Some("caller".into());
        row.event.livemode = None;
        row.event.attempt = 2;
        row.event.provider = Some(ProviderFacts {
            provider: "stripe".into(),
            time: Some(5),
            connected_account: Some("acct_1".into()),
            ..ProviderFacts::default()
        });
        row.raw = if at == 2 { b"{ \"spaces\" : \"stay\" }".to_vec() } else { vec![at as u8; at] };
        let seq = accept(&mut *store, &row);
        let stored = store.inbox(seq).expect("read").expect("there");
        assert_eq!((stored.event, stored.raw, stored.livemode), (row.event, row.raw, row.livemode));
        assert_eq!((stored.failures, stored.error, stored.outcome, stored.provenance), (0, None, None, None));
    }
}

/// Outcome, provenance and errors are what the last change said; an account is kept once it is known.
pub fn inbox_rows_keep_where_they_stand(open: Open<'_>) {
    let mut store = open();
    accept(&mut *store, &samples::inbox_row("evt_1"));
    let mut change = samples::inbox_change(1, InboxState::Pending { not_before: 5000 });
    change.account = Some(Account::User("A".into()));
    change.failures = 2;
    change.error = Some("trap".into());
    change.outcome = Some(Outcome::Rejected(Refusal::Malformed("/id".into())));
    change.provenance = Some(Provenance {
        catalog_hash: "00ff".repeat(16),
        component_hash: "native".into(),
        claim_answers: "subdomain:a=mine\n".into(),
        fuel: 254_000,
        effects_hash: "00FF".into(),
    });
    store.apply(&crate::Changes { inbox: Some(change.clone()), ..crate::Changes::default() }).expect("applied");
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!(row.event.account, change.account);
    assert_eq!((row.state, row.failures, row.error), (change.state, 2, Some("trap".into())));
    assert_eq!((row.outcome, row.provenance), (change.outcome, change.provenance));

    let mut done = samples::inbox_change(1, InboxState::Done);
    done.outcome = Some(Outcome::Ignored(IgnoreReason::NotOurs));
    store.apply(&crate::Changes { inbox: Some(done), ..crate::Changes::default() }).expect("applied");
    let row = store.inbox(1).expect("read").expect("there");
    assert_eq!(row.event.account, Some(Account::User("A".into())));
    assert_eq!((row.state, row.failures, row.error, row.provenance), (InboxState::Done, 0, None, None));
    assert_eq!(row.outcome, Some(Outcome::Ignored(IgnoreReason::NotOurs)));
    for state in [InboxState::Dead, InboxState::Deferred, InboxState::Parked] {
        place(&mut *store, 1, state.clone(), &[]);
        assert_eq!(store.inbox(1).expect("read").expect("there").state, state);
    }
}

/// By number, not by time, among those that may be tried.
pub fn pending_rows_are_due_in_order_of_acceptance(open: Open<'_>) {
    let mut store = open();
    for (id, received_at) in [("evt_1", 3000), ("evt_2", 1000), ("evt_3", 2000), ("evt_4", 1000)] {
        let mut row = samples::inbox_row(id);
        row.event.received_at = received_at;
        accept(&mut *store, &row);
    }
    assert_eq!(store.inbox_due(3000, 10), Ok(vec![1, 2, 3, 4]));
    assert_eq!(store.inbox_due(3000, 2), Ok(vec![1, 2]));
    assert_eq!(store.inbox_due(2000, 10), Ok(vec![2, 3, 4]));
    assert_eq!(store.inbox_next_due(1000), Ok(Some(2000)));
    place(&mut *store, 2, InboxState::Pending { not_before: 9000 }, &[]);
    place(&mut *store, 3, InboxState::Done, &[]);
    place(&mut *store, 4, InboxState::Parked, &["claim:k"]);
    assert_eq!(store.inbox_due(3000, 10), Ok(vec![1]));
    assert_eq!(store.inbox_next_due(3000), Ok(Some(9000)));
    assert_eq!(store.inbox_next_due(9000), Ok(None));
    place(&mut *store, 4, InboxState::Pending { not_before: 0 }, &[]);
    assert_eq!(store.inbox_due(9000, 10), Ok(vec![1, 2, 4]));
}

/// Only parked and deferred rows wait, each for what its last change named, and once in an answer.
pub fn waiting_rows_are_woken_by_their_keys(open: Open<'_>) {
    let mut store = open();
    for id in ["evt_1", "evt_2", "evt_3"] {
        accept(&mut *store, &samples::inbox_row(id));
    }
    place(&mut *store, 3, InboxState::Parked, &["claim:a", "claim:b"]);
    place(&mut *store, 1, InboxState::Deferred, &["claim:b", "fact:f", "claim:b"]);
    place(&mut *store, 2, InboxState::Done, &["claim:b"]);
    let woken = |store: &dyn Store, keys: &[&str]| {
        store.woken_by(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).expect("read")
    };
    assert_eq!(woken(&*store, &["claim:b", "claim:a"]), [1, 3]);
    assert_eq!(woken(&*store, &["fact:f"]), [1]);
    assert!(woken(&*store, &["claim:none"]).is_empty());
    assert!(woken(&*store, &[]).is_empty());
    place(&mut *store, 3, InboxState::Parked, &["claim:c"]);
    assert_eq!(woken(&*store, &["claim:a", "claim:b", "claim:c"]), [1, 3]);
    assert!(woken(&*store, &["claim:a"]).is_empty());
    place(&mut *store, 1, InboxState::Done, &[]);
    assert!(woken(&*store, &["claim:b", "fact:f"]).is_empty());
}

/// Parked rows by age, for the end of their time and for the bound.
pub fn parked_rows_are_counted_and_bounded(open: Open<'_>) {
    let mut store = open();
    for (id, received_at) in [("evt_1", 1000), ("evt_2", 2000), ("evt_3", 1500)] {
        let mut row = samples::inbox_row(id);
        row.event.received_at = received_at;
        accept(&mut *store, &row);
    }
    for seq in 1..=3 {
        place(&mut *store, seq, InboxState::Parked, &["claim:k"]);
    }
    assert_eq!(store.parked_count(), Ok(3));
    assert_eq!(store.parked_before(2000, 10), Ok(vec![1, 3]));
    assert_eq!(store.parked_before(9000, 2), Ok(vec![1, 2]));
    assert_eq!(store.parked_before(1000, 10), Ok(Vec::new()));
    place(&mut *store, 1, InboxState::Done, &[]);
    assert_eq!(store.parked_count(), Ok(2));
    assert_eq!(store.parked_before(9000, 10), Ok(vec![2, 3]));
}

/// All rows, by pages.
pub fn inbox_rows_are_read_in_order(open: Open<'_>) {
    let mut store = open();
    for id in ["evt_b", "evt_a", "evt_c"] {
        accept(&mut *store, &samples::inbox_row(id));
    }
    let page = |store: &dyn Store, after, limit| -> Vec<u64> {
        store.inbox_after(after, limit).expect("read").iter().map(|row| row.seq).collect()
    };
    assert_eq!(page(&*store, 0, 2), [1, 2]);
    assert_eq!(page(&*store, 2, 2), [3]);
    assert!(page(&*store, 3, 2).is_empty());
    assert!(page(&*store, u64::MAX, 2).is_empty());
}

/// A change of a row that is not there is refused.
pub fn an_unknown_inbox_row_is_an_error(open: Open<'_>) {
    let mut store = open();
    for seq in [0, 1, u64::MAX >> 1] {
        let mut changes = samples::changes(&samples::scope("user:A"), "evt_1");
        changes.facts.insert("paid:in_1".into());
        changes.inbox = Some(samples::inbox_change(seq, InboxState::Done));
        assert!(matches!(store.apply(&changes), Err(StoreError::Unavailable(_))));
        assert_eq!(store.fact(&samples::scope("user:A"), "paid:in_1"), Ok(None));
        assert_eq!(store.inbox(seq), Ok(None));
    }
}
