//! Tests of partitions (H1): two businesses, or two modes of one business, do not affect each other in one store.

use super::business;
use super::events::{T0, command, lines, things, webhook};
use super::toy::ToyRunner;
use extension_contract::{Event, Refusal};
use host_engine::processor::{Business, Processor, WAIT_MAX_MS, replay_log};
use host_intake::Decoded;
use host_store::testing::Faults;
use host_store::{MemoryStore, SqliteStore, Store, StoreError};
use serde_json::json;

fn over(faults: &Faults, business: Business) -> Processor {
    Processor::new(faults.open(), Box::new(ToyRunner::new(1)), business).unwrap()
}

fn games() -> Business {
    Business { name: "games".into(), ..business() }
}

fn of_games(event: Event) -> Event {
    Event { business: "games".into(), ..event }
}

fn of_live(event: Event) -> Event {
    Event { livemode: Some(true), ..event }
}

/// Runs a check with toys in test mode and another partition: another business, or toys in live mode.
fn each(check: impl Fn(&mut Processor, &mut Processor, &dyn Fn(Event) -> Event)) {
    let stores: [fn() -> Box<dyn Store>; 2] =
        [|| Box::new(MemoryStore::new()), || Box::new(SqliteStore::open_in_memory().unwrap())];
    for store in stores {
        let faults = Faults::new(store());
        check(&mut over(&faults, business()), &mut over(&faults, games()), &of_games);
        let faults = Faults::new(store());
        let live = Business { livemode: true, ..business() };
        check(&mut over(&faults, business()), &mut over(&faults, live), &of_live);
    }
}

fn accept(processor: &mut Processor, event: Event) -> Vec<String> {
    lines(&processor.accept(event, Vec::new()).unwrap())
}

#[test]
fn waiting_events_of_another_partition_are_not_retried_woken_or_given_up() {
    each(|toys, others, of_others| {
        let failing = command("c1", "a", T0, json!({"fail": 1}));
        let parked = webhook("e1", T0, json!({"keys": ["customer:1"], "mark": "ours"}));
        let deferred = command("c2", "a", T0, json!({"needs_fact": "f"}));
        for event in [failing, parked, deferred] {
            accept(others, of_others(event));
        }
        let before = others.inbox_after(0, 10).unwrap();
        assert_eq!((toys.next_retry(T0).unwrap(), toys.failed().unwrap()), (None, Vec::new()));
        assert_eq!(toys.retry_due(T0 + 1_000).unwrap(), []);
        let taking = json!({"take": ["customer:1"], "note": ["f"]});
        assert_eq!(accept(toys, command("c9", "a", T0, taking.clone())), ["c9: applied"]);
        assert_eq!(toys.expire(T0 + WAIT_MAX_MS + 1).unwrap(), []);
        assert_eq!(toys.store().parked_count(toys.partition()).unwrap(), 0);
        assert_eq!(others.inbox_after(0, 10).unwrap()[..3], before);
        assert_eq!(lines(&others.retry_due(T0 + 1_000).unwrap()), ["later c1: applied"]);
        let own = accept(others, of_others(command("c9", "a", T0, taking)));
        assert_eq!(own, ["c9: applied", "later e1: applied", "later c2: applied"]);
    });
}

#[test]
fn parked_events_of_another_partition_do_not_count() {
    each(|toys, others, of_others| {
        toys.set_parked_max(1);
        for id in ["e1", "e2"] {
            accept(others, of_others(webhook(id, T0, json!({"keys": [id]}))));
        }
        let parked = accept(toys, webhook("e3", T0, json!({"keys": ["e3"]})));
        assert_eq!(parked, ["e3: deferred(claim(e3))"], "it is the first of its own partition");
        assert_eq!(others.store().parked_count(others.partition()).unwrap(), 2);
    });
}

#[test]
fn an_event_is_redriven_only_by_the_processor_of_its_partition() {
    each(|toys, others, of_others| {
        let refused = command("c1", "a", T0, json!({"outcome": {"rejected": {"already-owned": "plan"}}}));
        let reports = others.accept(of_others(refused), Vec::new()).unwrap();
        let seq = reports[0].seq;
        assert_eq!(toys.redrive(seq, T0).unwrap(), [], "the partition has no such row");
        assert_eq!(toys.store().runs(seq).unwrap().len(), 1);
        assert_eq!(lines(&others.redrive(seq, T0).unwrap()), ["later c1: rejected(already-owned(plan))"]);
        assert_eq!(others.store().runs(seq).unwrap().len(), 2);
    });
}

#[test]
fn ids_claims_and_accounts_are_separate_per_partition() {
    each(|toys, others, of_others| {
        let doing = || command("c1", "a", T0, json!({"take": ["name:x"], "ask": [{"kind": "mail.send", "key": "m"}]}));
        assert_eq!(accept(toys, doing()), ["c1: applied"]);
        assert_eq!(accept(others, of_others(doing())), ["c1: applied"]);
        assert_eq!(toys.store().effects_open_after(toys.partition(), 0, usize::MAX).unwrap().len(), 1);
        assert_eq!(others.store().effects_open_after(others.partition(), 0, usize::MAX).unwrap().len(), 1);
        assert_eq!(things(toys.store(), "a", "ran/"), ["c1"]);
    });
}

#[test]
fn a_log_replay_omits_events_of_another_partition() {
    each(|toys, others, of_others| {
        accept(others, of_others(command("c1", "a", T0, json!({"note": ["f"]}))));
        accept(toys, command("c2", "a", T0, json!({"note": ["f"]})));
        let mut fresh = super::processor();
        assert_eq!(replay_log(toys.store(), &mut fresh).unwrap(), []);
        let replayed: Vec<String> = fresh.inbox_after(0, 10).unwrap().into_iter().map(|row| row.event.id).collect();
        assert_eq!(replayed, ["c2"]);
    });
}

#[test]
fn an_event_of_another_business_is_denied_and_not_stored() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let (mut toys, games) = (over(&faults, business()), over(&faults, games()));
    let event = || of_games(command("c1", "a", T0, json!({})));
    let denied = StoreError::Misuse("event `c1` is of business `games`, expected `toys`".into());
    assert_eq!(toys.accept(event(), Vec::new()), Err(denied.clone()));
    let refused = Decoded { refusal: Some(Refusal::Unclaimed), ..event().into() };
    assert_eq!(toys.accept(refused, Vec::new()), Err(denied));
    assert_eq!((toys.inbox_after(0, 10).unwrap(), games.inbox_after(0, 10).unwrap()), (Vec::new(), Vec::new()));
}

#[test]
fn a_page_of_the_inbox_is_filled_with_own_events_only() {
    each(|toys, others, of_others| {
        for n in 0..7 {
            accept(others, of_others(command(&format!("o{n}"), "a", T0, json!({}))));
            if n % 3 == 0 {
                accept(toys, command(&format!("c{n}"), "a", T0, json!({})));
            }
        }
        let ids = |after, limit| -> Vec<(u64, String)> {
            toys.inbox_after(after, limit).unwrap().into_iter().map(|row| (row.seq, row.event.id)).collect()
        };
        let all = [(2, "c0".to_owned()), (6, "c3".to_owned()), (10, "c6".to_owned())];
        assert_eq!((ids(0, 2), ids(6, 2), ids(0, 10)), (all[..2].to_vec(), all[2..].to_vec(), all.to_vec()));
        assert_eq!(ids(10, 2), []);
    });
}
