//! Finds the periods in which due timers did not fire: in a raw stream, or while no host ran.

use crate::record::recording::Recording;
use extension_contract::{Account, Payload, Timestamp};
use host_store::{EffectState, TIMER};
use std::collections::BTreeMap;

/// A period in which due timers did not fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The due time of the first timer that did not fire on time.
    pub from: Timestamp,
    /// Time and inbox number of the timer event that ends the period; none if a timer never fired.
    pub until: Option<(Timestamp, u64)>,
}

/// Returns the periods in which due timers did not fire, in order, without overlap.
pub(crate) fn holds(recording: &Recording) -> Vec<Hold> {
    let mut fired: BTreeMap<(&Account, &str, u32), (Timestamp, u64)> = BTreeMap::new();
    let mut seqs: BTreeMap<&str, u64> = BTreeMap::new();
    for recorded in &recording.events {
        let event = &recorded.row.event;
        seqs.insert(&event.id, recorded.row.seq);
        if let (Payload::Timer(timer), Some(account)) = (&event.payload, &event.account) {
            fired.insert((account, &timer.key, timer.generation), (event.received_at, recorded.row.seq));
        }
    }
    let ended = recording.ended().unwrap_or(Timestamp::MIN);
    let mut holds = Vec::new();
    for row in recording.effects.iter().filter(|row| row.effect.kind == TIMER) {
        let from = row.effect.not_before.unwrap_or(row.created_at).max(row.created_at);
        let until = fired.get(&(&row.scope.account, row.effect.key.as_str(), row.effect.generation)).copied();
        let asked = seqs.get(row.caused_by.as_str()).copied().unwrap_or_default();
        let is_held = match until {
            Some((at, seq)) => at > from || is_passed(recording, from, asked, seq),
            None => row.state == EffectState::Queued && from <= ended,
        };
        if is_held {
            holds.push(Hold { from, until });
        }
    }
    joined(holds)
}

/// Returns true if an event arrived between a timer's due time and its firing.
fn is_passed(recording: &Recording, from: Timestamp, asked: u64, fired: u64) -> bool {
    recording.events.iter().any(|recorded| {
        recorded.is_step
            && recorded.row.event.received_at >= from
            && recorded.row.seq > asked
            && recorded.row.seq < fired
    })
}

fn joined(mut holds: Vec<Hold>) -> Vec<Hold> {
    holds.sort_by_key(|hold| hold.from);
    let mut joined: Vec<Hold> = Vec::new();
    for hold in holds {
        match joined.last_mut() {
            Some(last) if last.until.is_none_or(|(until, _)| hold.from < until) => {
                last.until = match (last.until, hold.until) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => joined.push(hold),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_holds_are_joined() {
        let hold = |from, until: Option<i64>| Hold { from, until: until.map(|at| (at, 0)) };
        let holds = vec![hold(50, Some(60)), hold(0, Some(10)), hold(5, Some(20)), hold(70, None), hold(80, Some(90))];
        assert_eq!(joined(holds), [hold(0, Some(20)), hold(50, Some(60)), hold(70, None)]);
    }
}
