//! Tests of groups: a group has the same results as its events one by one.

use super::events::{T0, command, lines, webhook};
use super::toy::{Moment, ToyRunner};
use super::{business, over, processor};
use extension_contract::{Account, Event};
use host_engine::processor::{Arrived, Decider, Processor, Report};
use host_store::testing::{Faults, samples};
use host_store::{
    ClaimRow, EffectChange, EffectRow, EffectState, InboxRow, Lease, MemoryStore, SqliteStore, StoreError,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Deterministic pseudo-random numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn some_name(&mut self) -> String {
        format!("name:{}", self.below(6))
    }
}

/// Returns the story of one event. There are only a few accounts, names, facts and effects, so that events interact.
fn doing(numbers: &mut Numbers) -> Value {
    let (name, fact, key) = (numbers.some_name(), format!("f{}", numbers.below(5)), format!("e{}", numbers.below(4)));
    match numbers.below(8) {
        0 => json!({"take": [name]}),
        1 => json!({"release": [name]}),
        2 => json!({"note": [fact]}),
        3 => json!({"needs_fact": fact}),
        4 => json!({"ask": [{"kind": "mail.send", "key": key}], "quiet": numbers.below(2) == 0}),
        5 => json!({"cancel": [key], "begun": [key], "quiet": numbers.below(2) == 0}),
        6 => json!({"take": [name], "note": [fact], "fail": numbers.below(2)}),
        _ => json!({"log": "nothing else"}),
    }
}

fn event(numbers: &mut Numbers, number: u64) -> Event {
    // Some ids repeat, mostly after a few events.
    let id = format!("ev_{}", if numbers.below(6) == 0 { number.saturating_sub(numbers.below(9)) } else { number });
    let at = T0 + number as i64;
    let doing = doing(numbers);
    match numbers.below(6) {
        0 => {
            let mut event = command(&id, "x", at, json!({"sell": [format!("price_{}", numbers.below(9))]}));
            event.account = Some(Account::Platform);
            event
        }
        1 | 2 => {
            let mut doing = doing;
            doing["keys"] = json!([numbers.some_name()]);
            doing["mark"] = json!(["ours", "by-prices", "unknown"][numbers.below(3) as usize]);
            doing["prices"] = json!([format!("price_{}", numbers.below(9))]);
            webhook(&id, at, doing)
        }
        _ => command(&id, ["a", "b", "c", "d", "e", "f", "g", "h"][numbers.below(8) as usize], at, doing),
    }
}

fn arrived(event: Event) -> Arrived {
    Arrived::new(event, Vec::new())
}

/// Accepts events of this business in a group.
fn accept_all(processor: &mut Processor, events: impl IntoIterator<Item = Arrived>) -> Vec<Vec<Report>> {
    let results = processor.accept_all(events.into_iter().collect()).unwrap();
    results.into_iter().map(Result::unwrap).collect()
}

/// Returns all stored data of events: outcomes, waits, provenance.
fn inbox(processor: &Processor) -> Vec<InboxRow> {
    processor.store().inbox_after(None, 0, 10_000).unwrap()
}

fn effects(processor: &Processor) -> Vec<EffectRow> {
    processor.store().effects_open_after(processor.partition(), 0, usize::MAX).unwrap()
}

fn claims(processor: &Processor) -> Vec<(String, ClaimRow)> {
    processor.store().claims_after("", None, usize::MAX).unwrap()
}

#[test]
fn a_group_has_the_same_results_as_its_events_one_by_one() {
    compare(60, processor);
}

#[test]
fn a_group_in_sqlite_has_the_same_results_as_its_events_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = 0;
    compare(5, || {
        files += 1;
        over(Box::new(SqliteStore::open(folder.path().join(format!("{files}.db"))).unwrap()))
    });
}

#[test]
fn events_decided_ahead_have_the_same_results_as_one_by_one() {
    let (mut kept, mut outdated) = (0, 0);
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let decisions = Arc::new(AtomicU32::new(0));
        let runner = Box::new(counting(&decisions));
        let mut grouped = Processor::new(Box::new(MemoryStore::new()), runner, business()).unwrap();
        let mut decider = Decider::of(&grouped, Box::new(ToyRunner::new(1))).unwrap();
        let mut single = processor();
        for round in 0..2 {
            let mut events: Vec<Event> = (0..60).map(|n| event(&mut numbers, 60 * round + n)).collect();
            let expected: Vec<Report> =
                events.iter().flat_map(|event| single.accept(event.clone(), Vec::new()).unwrap()).collect();
            // One snapshot for three groups: the second and the third are decided on an old state.
            let ahead = decider.decide(events.iter_mut());
            kept += ahead.iter().flatten().count();
            let mut new = events.into_iter().zip(ahead).map(|(event, ahead)| Arrived { ahead, ..arrived(event) });
            let mut reports = Vec::new();
            for _ in 0..3 {
                reports.extend(accept_all(&mut grouped, new.by_ref().take(20)).into_iter().flatten());
            }
            assert_eq!(reports, expected, "seed {seed}");
        }
        outdated += decisions.load(Ordering::Relaxed);
        assert_eq!(inbox(&grouped), inbox(&single), "seed {seed}");
        assert_eq!(claims(&grouped), claims(&single), "seed {seed}");
        assert_eq!(effects(&grouped), effects(&single), "seed {seed}");
    }
    assert!(kept > 1_000 && outdated > 1_000, "{kept} decided ahead, {outdated} decided by the writer");
}

#[test]
fn an_event_decided_ahead_is_decided_once() {
    let (mut processor, decisions) = counted();
    let mut decider = Decider::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
    let mut events: Vec<Event> = (0..16).map(|n| command(&format!("c{n}"), &format!("u{n}"), T0, json!({}))).collect();
    let ahead = decider.decide(events.iter_mut());
    let new = events.into_iter().zip(ahead).map(|(event, ahead)| Arrived { ahead, ..arrived(event) });
    let reports = accept_all(&mut processor, new);
    assert!(reports.iter().all(|reports| lines(reports)[0].ends_with("applied")));
    assert_eq!(decisions.load(Ordering::Relaxed), 0, "the writer decides none of them");
}

#[test]
fn an_effect_that_has_ended_since_a_decision_makes_it_outdated() {
    let (mut processor, decisions) = counted();
    let ask = command("c1", "a", T0, json!({"ask": [{"kind": "mail.send", "key": "m"}], "quiet": true}));
    processor.accept(ask, Vec::new()).unwrap();
    let mut decider = Decider::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
    let mut cancel = command("c2", "a", T0, json!({"cancel": ["m"], "quiet": true}));
    let ahead = decider.decide([&mut cancel]).remove(0);
    assert!(ahead.is_some());
    let row = effects(&processor).remove(0);
    let mut began = samples::changes(&row.scope, "");
    let lease = Lease { number: 1, ..Lease::default() };
    began.effects = vec![EffectChange::Update {
        key: "m".into(),
        generation: 1,
        state: EffectState::Running,
        attempts: 1,
        due_at: row.due_at,
        lease,
    }];
    processor.store_mut().apply(&began).unwrap();
    let before = decisions.load(Ordering::Relaxed);
    accept_all(&mut processor, [Arrived { ahead, ..arrived(cancel) }]);
    assert_eq!(decisions.load(Ordering::Relaxed), before + 1, "it is decided again");
    assert_eq!(effects(&processor)[0].state, EffectState::Running, "a running effect is not cancelled");
}

#[test]
fn an_event_without_an_account_is_decided_again_if_the_catalog_has_changed() {
    let mut processor = processor();
    let mut decider = Decider::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
    let mut foreign = webhook("w1", T0, json!({"mark": "by-prices", "prices": ["price_1"]}));
    let ahead = decider.decide([&mut foreign]).remove(0);
    let sell = Event { account: Some(Account::Platform), ..command("c1", "a", T0, json!({"sell": ["price_1"]})) };
    processor.accept(sell, Vec::new()).unwrap();
    let reports = accept_all(&mut processor, [Arrived { ahead, ..arrived(foreign) }]);
    assert_eq!(
        lines(&reports[0]),
        ["w1: rejected(malformed(/data/object/id))"],
        "it is not ignored: the price is ours"
    );
}

#[test]
fn a_thin_event_whose_snapshot_event_is_stored_meanwhile_is_a_duplicate() {
    let mut processor = processor();
    processor.accept(command("c1", "a", T0, json!({"take": ["customer:1"]})), Vec::new()).unwrap();
    let mut decider = Decider::of(&processor, Box::new(ToyRunner::new(1))).unwrap();
    let mut thin = webhook("thin", T0, json!({"keys": ["customer:1"]}));
    let facts = thin.payment.get_or_insert_default();
    facts.snapshot_event = Some("w1".to_owned());
    let ahead = decider.decide([&mut thin]).remove(0);
    processor.accept(webhook("w1", T0, json!({"keys": ["customer:1"]})), Vec::new()).unwrap();
    let reports = accept_all(&mut processor, [Arrived { ahead, ..arrived(thin) }]);
    assert_eq!(reports[0][0].result.name(), "duplicate");
}

/// Compares the same events in groups and one by one, for several seeds.
fn compare(seeds: usize, mut processor: impl FnMut() -> Processor) {
    let (mut met, mut woken) = (0, 0);
    for seed in 0..seeds {
        let mut numbers = Numbers(seed as u64);
        let (mut grouped, mut single) = (processor(), processor());
        for group in 0..4 {
            let events: Vec<Event> = (0..40).map(|n| event(&mut numbers, 40 * group + n)).collect();
            let expected: Vec<Report> =
                events.iter().flat_map(|event| single.accept(event.clone(), Vec::new()).unwrap()).collect();
            let all = accept_all(&mut grouped, events.into_iter().map(arrived));
            assert_eq!(all.len(), 40, "reports for each event");
            let reports: Vec<Report> = all.into_iter().flatten().collect();
            assert_eq!(lines(&reports), lines(&expected), "seed {seed}");
            assert_eq!(reports, expected, "seed {seed}");
            met += lines(&expected).iter().filter(|line| line.contains("name-taken")).count();
            woken += expected.iter().filter(|report| report.later).count();
        }
        assert_eq!(inbox(&grouped), inbox(&single), "seed {seed}");
        assert_eq!(claims(&grouped), claims(&single), "seed {seed}");
        assert_eq!(effects(&grouped), effects(&single), "seed {seed}");
    }
    assert!(met > seeds && woken > seeds, "events interact: {met} names were taken, {woken} events woken");
}

/// Returns an extension that counts its decisions.
fn counting(decisions: &Arc<AtomicU32>) -> ToyRunner {
    let counted = decisions.clone();
    let count = move |moment| {
        if matches!(moment, Moment::Decided | Moment::Elsewhere) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    ToyRunner::with(1, Box::new(count))
}

/// Returns a processor that counts its decisions.
fn counted() -> (Processor, Arc<AtomicU32>) {
    let decisions = Arc::new(AtomicU32::new(0));
    (Processor::new(Box::new(MemoryStore::new()), Box::new(counting(&decisions)), business()).unwrap(), decisions)
}

#[test]
fn events_of_different_accounts_are_decided_once() {
    let (mut processor, decisions) = counted();
    accept_all(&mut processor, (0..64).map(|n| arrived(command(&format!("c{n}"), &format!("u{n}"), T0, json!({})))));
    assert_eq!(decisions.load(Ordering::Relaxed), 64);
}

#[test]
fn a_claim_that_two_events_take_unread_goes_to_the_first() {
    let mut processor = processor();
    let grab = |id: &str, account: &str| arrived(command(id, account, T0, json!({"grab": ["name:x"]})));
    let reports = accept_all(&mut processor, [grab("c1", "a"), grab("c2", "b")]);
    assert_eq!(lines(&reports[0]), ["c1: applied"]);
    let line = lines(&reports[1]).remove(0);
    assert!(line.contains("it takes claim `name:x`, which another account holds"), "{line}");
}

#[test]
fn an_event_sees_the_effects_of_an_earlier_event_of_its_account() {
    let mut processor = processor();
    processor.accept(command("c1", "a", T0, json!({"take": ["customer:1"]})), Vec::new()).unwrap();
    let of_customer = |id: &str, mut doing: Value| {
        doing["keys"] = json!(["customer:1"]);
        doing["quiet"] = json!(true);
        arrived(webhook(id, T0, doing))
    };
    let asks = of_customer("w1", json!({"ask": [{"kind": "mail.send", "key": "m"}]}));
    let cancels = of_customer("w2", json!({"cancel": ["m"]}));
    accept_all(&mut processor, [asks, cancels]);
    assert_eq!(effects(&processor), [], "the requested effect is cancelled");
}

#[test]
fn each_event_of_a_burst_of_one_account_is_decided_once() {
    let (mut processor, decisions) = counted();
    let events = (0..100).map(|n| arrived(command(&format!("c{n}"), "a", T0, json!({}))));
    let reports = accept_all(&mut processor, events);
    assert!(reports.iter().all(|reports| lines(reports)[0].ends_with("applied")));
    assert_eq!(decisions.load(Ordering::Relaxed), 100);
}

#[test]
fn a_store_failure_within_a_group_stores_none_of_its_events() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let mut processor = Processor::new(faults.open(), Box::new(ToyRunner::new(1)), business()).unwrap();
    let events = || (0..5).map(|n| arrived(command(&format!("c{n}"), &format!("u{n}"), T0, json!({})))).collect();
    faults.fail_at(3, host_store::testing::Moment::Before, host_store::testing::Then::Alive);
    assert!(matches!(processor.accept_all(events()), Err(StoreError::Unavailable(_))));
    assert_eq!(inbox(&processor), []);
    assert_eq!(processor.accept_all(events()).unwrap().len(), 5);
}

#[test]
fn an_event_of_another_business_is_denied_and_the_others_of_its_group_are_stored() {
    let mut processor = processor();
    let foreign = Event { business: "other".into(), ..command("c2", "b", T0, json!({})) };
    let own = |id: &str| arrived(command(id, "a", T0, json!({})));
    let results = processor.accept_all(vec![own("c1"), arrived(foreign), own("c3")]).unwrap();
    assert!(matches!(results[1], Err(StoreError::Misuse(_))), "{results:?}");
    assert_eq!(inbox(&processor).iter().map(|row| &*row.event.id).collect::<Vec<_>>(), ["c1", "c3"]);
}
