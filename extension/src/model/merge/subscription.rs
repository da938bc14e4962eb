//! A subscription: the newest snapshot wins. Snapshots are ordered by these rules: (1) a final state comes last, at any time; (2)
//! Stripe's time; (3) in one second: created, then updated or retrieved, then deleted; (4) `incomplete` comes first; (5) the chain of
//! previous attributes or, for a retrieved snapshot, of the states known at its request. Snapshots that are equal by rules (1) to (4)
//! form a set, whose order by rule (5) is clear or unclear.

use super::News;
use crate::model::ids::PriceId;
use crate::model::json::encode;
use crate::model::records::subscription::{
    Observation, Previous, State, StateSnapshot, SubscriptionRow, is_final, is_served,
};
use extension_contract::{Fallible, SnapshotRank, SubscriptionStatus, Timestamp};
use std::rc::Rc;

/// Maximum lengths of the stored lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Snapshots of the newest moment.
    pub views: usize,
    /// Snapshots in the history: with three snapshots a month, more than two years. An older snapshot cannot begin the
    /// unpaid run from which a grace period is counted.
    pub history: usize,
    /// Previous attributes of the snapshots with the same state.
    pub previous: usize,
}

/// Limits in production.
pub(crate) const BOUNDS: Bounds = Bounds { views: 16, history: 100, previous: 16 };

/// A snapshot in an event or a retrieval result.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionSnapshot {
    /// Stripe's time.
    pub at: Timestamp,
    /// When Stripe created the subscription, if the snapshot contains it.
    pub created: Option<Timestamp>,
    /// Rank of the snapshot within its second.
    pub rank: SnapshotRank,
    /// Id of the event that reported the snapshot.
    pub event_id: String,
    /// The customer, if the snapshot has one.
    pub customer: Option<String>,
    pub state: State,
    /// For an update: its previous attributes. For a retrieved snapshot: the states known at the request.
    pub previous: Vec<Previous>,
}

/// The place of a snapshot in the order by rules (1) to (4).
type Moment = (bool, Timestamp, SnapshotRank, bool);

fn moment(at: Timestamp, rank: SnapshotRank, status: SubscriptionStatus) -> Moment {
    // A retrieved snapshot may or may not include the updates of its second.
    let rank = if rank == SnapshotRank::Retrieved { SnapshotRank::Updated } else { rank };
    (is_final(status), at, rank, status != SubscriptionStatus::Incomplete)
}

/// Returns whether a snapshot is newer than the current snapshot by rules (1) to (4).
pub(crate) fn is_newer(record: &SubscriptionRow, snapshot: &SubscriptionSnapshot) -> bool {
    moment(snapshot.at, snapshot.rank, snapshot.state.status) > moment(record.at, record.rank, record.status())
}

/// Returns the earliest time that a snapshot shows of its subscription.
fn began(snapshot: &SubscriptionSnapshot) -> Timestamp {
    snapshot.created.map_or(snapshot.at, |created| created.min(snapshot.at))
}

/// Returns the record of the first snapshot. The record's customer is empty if the snapshot has no customer.
pub(crate) fn first(snapshot: SubscriptionSnapshot, bounds: Bounds) -> SubscriptionRow {
    SubscriptionRow {
        customer_id: snapshot.customer.clone().unwrap_or_default(),
        customer_at: if snapshot.customer.is_some() { snapshot.at } else { Timestamp::MIN },
        at: snapshot.at,
        rank: snapshot.rank,
        history: vec![observed(&snapshot)],
        first_at: began(&snapshot),
        was_ever_served: is_served(snapshot.state.status),
        views: vec![state_of(snapshot, bounds)],
        shown: 0,
        is_unclear: false,
        grace_end: None,
        settled: false,
        asked: None,
        paused: None,
        kept_with: None,
        kept_at: None,
    }
}

/// Merges a snapshot into a record.
pub(crate) fn merge(record: &mut SubscriptionRow, snapshot: SubscriptionSnapshot, bounds: Bounds) -> Fallible<News> {
    add_to_history(record, observed(&snapshot), bounds.history);
    record.first_at = record.first_at.min(began(&snapshot));
    record.was_ever_served |= is_served(snapshot.state.status);
    if let Some(customer) = &snapshot.customer
        && (snapshot.at, customer) > (record.customer_at, &record.customer_id)
    {
        (record.customer_at, record.customer_id) = (snapshot.at, customer.clone());
    }
    let now = moment(snapshot.at, snapshot.rank, snapshot.state.status);
    match now.cmp(&moment(record.at, record.rank, record.status())) {
        std::cmp::Ordering::Less => return Ok(News::Older),
        std::cmp::Ordering::Greater => {
            (record.at, record.rank) = (snapshot.at, snapshot.rank);
            record.views = vec![state_of(snapshot, bounds)];
            (record.shown, record.is_unclear) = (0, false);
            return Ok(News::Changed);
        }
        std::cmp::Ordering::Equal => {}
    }
    record.rank = record.rank.max(snapshot.rank);
    let shown = record.state().clone();
    let same = add(&mut record.views, snapshot, bounds)?;
    read_chain(record);
    Ok(match (*record.state() == shown, same) {
        (false, _) => News::Changed,
        (true, true) => News::Same,
        (true, false) => News::Older,
    })
}

fn observed(snapshot: &SubscriptionSnapshot) -> Observation {
    let mut prices: Vec<(PriceId, u32)> =
        snapshot.state.items.iter().map(|item| (item.price_id.as_str().into(), item.quantity)).collect();
    prices.sort();
    let status = snapshot.state.status;
    // The previous attributes of other snapshots are states that were known before.
    let before = snapshot.previous.first().filter(|_| snapshot.rank == SnapshotRank::Updated);
    let before = before.and_then(|previous| previous.status).filter(|before| *before != status);
    let pause = snapshot.state.pause;
    // The period ends at the earliest end of an item; a snapshot without items is no period.
    let ends = || snapshot.state.items.iter().map(|item| item.period_end).min().unwrap_or(snapshot.at);
    Observation(snapshot.at, snapshot.rank, status, Rc::new(prices), pause, before, pause.map(|_| ends()))
}

/// Adds a snapshot to the history, which keeps the newest snapshots without duplicates.
fn add_to_history(record: &mut SubscriptionRow, seen: Observation, most: usize) {
    let start = record.history.partition_point(|known| known.at() < seen.at());
    let end = record.history.partition_point(|known| known.at() <= seen.at());
    if record.history[start..end].contains(&seen) {
        return;
    }
    record.history.insert(start, seen);
    order_second(&mut record.history[start..=end]);
    if record.history.len() > most {
        record.history.remove(0);
    }
}

/// Orders the snapshots of one second: an update comes after the snapshots with the status that it has changed. The order of what arrives
/// makes no difference.
fn order_second(seen: &mut [Observation]) {
    seen.sort();
    let precedes = |earlier: &Observation, later: &Observation| {
        let (Observation(_, rank, from, .., before, _), Observation(_, of, to, .., changed, _)) = (earlier, later);
        rank == of && *changed == Some(*from) && *before != Some(*to)
    };
    for place in 0..seen.len() {
        let rest = &seen[place..];
        let first = rest.iter().position(|one| !rest.iter().any(|other| precedes(other, one))).unwrap_or(0);
        seen[place..=place + first].rotate_right(1);
    }
}

/// Keeps the `most` entries with the greatest text, without duplicates.
fn keep_greatest(previous: &mut Vec<Previous>, most: usize) {
    if previous.len() > 1 {
        previous.sort_by_cached_key(|previous| encode(previous).unwrap_or_default());
        previous.dedup();
        let surplus = previous.len().saturating_sub(most);
        previous.drain(..surplus);
    }
}

fn state_of(mut snapshot: SubscriptionSnapshot, bounds: Bounds) -> StateSnapshot {
    keep_greatest(&mut snapshot.previous, bounds.previous);
    StateSnapshot { state: snapshot.state, previous: snapshot.previous, event_id: snapshot.event_id }
}

/// Adds a snapshot to the snapshots of the same moment. Returns true if one of them has the same state.
fn add(snapshots: &mut Vec<StateSnapshot>, snapshot: SubscriptionSnapshot, bounds: Bounds) -> Fallible<bool> {
    let found = snapshots.iter_mut().find(|known| known.state == snapshot.state);
    let same = found.is_some();
    match found {
        Some(known) => {
            known.previous.extend(snapshot.previous);
            keep_greatest(&mut known.previous, bounds.previous);
            known.event_id = std::mem::take(&mut known.event_id).min(snapshot.event_id);
        }
        None => {
            snapshots.push(state_of(snapshot, bounds));
            snapshots.sort_by_cached_key(|snapshot| encode(&snapshot.state).unwrap_or_default());
            let surplus = snapshots.len().saturating_sub(bounds.views);
            snapshots.drain(..surplus);
        }
    }
    Ok(same)
}

/// Determines the current snapshot of a moment: the only snapshot without a successor, if all others lead to it.
fn read_chain(record: &mut SubscriptionRow) {
    let snapshots = &record.views;
    // A retrieval knows whole states. What it knew is older, also if an update leads from the retrieved state to a known one: whoever
    // cancels and keeps a plan within a second is where they began.
    let was_known = |retrieved: usize, known: usize| {
        let state = Previous::all_of(&snapshots[known].state);
        snapshots[retrieved].previous.contains(&state)
    };
    let follows = |later: usize, earlier: usize| {
        let fits = |previous: &Previous| previous.fits(&snapshots[earlier].state);
        later != earlier && !was_known(earlier, later) && snapshots[later].previous.iter().any(fits)
    };
    let all = 0..snapshots.len();
    let ends: Vec<usize> = all.clone().filter(|snapshot| !all.clone().any(|later| follows(later, *snapshot))).collect();
    let last = match ends.as_slice() {
        [last] => *last,
        // The choice is arbitrary. The snapshot with the least text is the same in any order of arrival.
        _ => {
            (record.shown, record.is_unclear) = (0, true);
            return;
        }
    };
    let mut unreached: Vec<usize> = all.filter(|snapshot| *snapshot != last).collect();
    let mut reached = vec![last];
    while let Some(later) = reached.pop() {
        let (before, others): (Vec<_>, Vec<_>) = unreached.into_iter().partition(|snapshot| follows(later, *snapshot));
        reached.extend(before);
        unreached = others;
    }
    let is_unclear = !unreached.is_empty();
    (record.shown, record.is_unclear) = if is_unclear { (0, true) } else { (last, false) };
}
