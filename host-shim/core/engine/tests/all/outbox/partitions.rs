//! Tests of partitions (H1): an outbox carries out only the effects of its own business and mode.

use super::events::{T0, command};
use super::{advance, of, over, run};
use extension_contract::Event;
use host_engine::outbox::Outbox;
use host_engine::processor::Business;
use host_provider_api::scripted::{Scripted, ScriptedAnswer};
use host_store::testing::Faults;
use host_store::{EffectRow, EffectState, MemoryStore};
use serde_json::{Value, json};

fn open(outbox: &Outbox) -> Vec<EffectRow> {
    outbox.processor().store().effects_open_after(outbox.processor().partition(), 0, usize::MAX).unwrap()
}

#[test]
fn effects_and_timers_of_another_partition_are_not_run_or_recovered() {
    let live = Business { name: "toys".into(), livemode: true, ..Business::default() };
    let games = Business { name: "games".into(), ..Business::default() };
    for business in [live, games] {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let (ours, theirs) = (Scripted::new(), Scripted::new());
        let mut other = of(business.clone(), faults.open(), &theirs);
        theirs.script("m", vec![ScriptedAnswer::Never, ScriptedAnswer::Ok(Value::Null)]);
        let effects = json!({"ask": [
            {"kind": "mail.send", "key": "m"},
            {"kind": "timer.at", "key": "t", "not_before": T0 + 10},
            {"kind": "database.ensure", "key": "db", "not_before": T0 + 10},
        ]});
        let asking = command("c1", "a", T0, effects);
        let asking = Event { business: business.name.clone(), livemode: Some(business.livemode), ..asking };
        other.accept(asking, Vec::new()).unwrap();
        run(&mut other, T0);
        let before = open(&other);
        let states: Vec<EffectState> = before.iter().map(|row| row.state).collect();
        assert_eq!(states, [EffectState::Running, EffectState::Queued, EffectState::Queued]);

        let mut outbox = over(faults.open(), &ours);
        outbox.recover(T0 + 1).unwrap();
        assert_eq!(outbox.next_time().unwrap(), None);
        assert_eq!(advance(&mut outbox, T0 + 1_000_000), [""; 0]);
        assert!(ours.journal().is_empty());
        assert_eq!((open(&other), open(&outbox)), (before, Vec::new()));

        // The host of the other partition continues.
        let mut other = of(business, faults.open(), &theirs);
        other.recover(T0 + 2).unwrap();
        assert_eq!(advance(&mut other, T0 + 20).len(), 3);
        assert_eq!(open(&other), []);
    }
}
