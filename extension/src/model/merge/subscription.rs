//! A subscription: the newest view counts (`design.md`, "Order of snapshots of one object").
//!
//! (1) a final state absorbs, whatever the times; (2) the provider's time; (3) in one second created, updated or fetched,
//! deleted; (4) a subscription never becomes incomplete again; (5) the chain of what each view says that it changed, or
//! for a fetched one of what was known when it was asked for. The views that are alike up to (4) are kept as a set:
//! reading it by (5) is clear or unclear, in whatever order they came.

use super::News;
use crate::model::gather::sort_by;
use crate::model::records::subscription::{Observation, Previous, State, SubscriptionRow, View, is_final, is_served};
use extension_contract::{Fallible, SnapshotRank, SubscriptionStatus, Timestamp};
use std::rc::Rc;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Views of the newest moment.
    pub views: usize,
    /// Views that were seen: at three a month more than two years; older ones can't begin the run that grace is
    /// counted from.
    pub history: usize,
    /// What views of one state say that they changed.
    pub previous: usize,
}

/// What is kept of a subscription.
pub(crate) const BOUNDS: Bounds = Bounds { views: 16, history: 100, previous: 16 };

/// What one event or answer shows.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionView {
    /// The provider's time of it.
    pub at: Timestamp,
    /// Its rank within that second.
    pub rank: SnapshotRank,
    /// The event that brought it.
    pub event_id: String,
    /// The customer that it names.
    pub customer: Option<String>,
    pub state: State,
    /// What it says that it changed, or what it was asked for after.
    pub previous: Vec<Previous>,
}

/// What orders views before their chains do.
type Moment = (bool, Timestamp, SnapshotRank, bool);

fn moment(at: Timestamp, rank: SnapshotRank, status: SubscriptionStatus) -> Moment {
    // The second of an answer says nothing of whether what happened in it is told.
    let rank = if rank == SnapshotRank::Retrieved { SnapshotRank::Updated } else { rank };
    (is_final(status), at, rank, status != SubscriptionStatus::Incomplete)
}

/// Whether a view would take the place of what a record shows, as far as times and ranks tell.
pub(crate) fn is_newer(record: &SubscriptionRow, view: &SubscriptionView) -> bool {
    moment(view.at, view.rank, view.state.status) > moment(record.at, record.rank, record.status())
}

/// The record of the first view. Without a customer it is nobody's.
pub(crate) fn first(view: SubscriptionView, bounds: Bounds) -> SubscriptionRow {
    SubscriptionRow {
        customer_id: view.customer.clone().unwrap_or_default(),
        customer_at: if view.customer.is_some() { view.at } else { Timestamp::MIN },
        at: view.at,
        rank: view.rank,
        history: vec![observed(&view)],
        first_at: view.at,
        was_ever_served: is_served(view.state.status),
        views: vec![view_of(view, bounds)],
        shown: 0,
        is_unclear: false,
        grace_end: None,
        settled: false,
    }
}

/// Merge a view into a record.
pub(crate) fn merge(record: &mut SubscriptionRow, view: SubscriptionView, bounds: Bounds) -> Fallible<News> {
    remember(record, observed(&view), bounds.history);
    record.first_at = record.first_at.min(view.at);
    record.was_ever_served |= is_served(view.state.status);
    if let Some(customer) = &view.customer
        && (view.at, customer) > (record.customer_at, &record.customer_id)
    {
        (record.customer_at, record.customer_id) = (view.at, customer.clone());
    }
    let now = moment(view.at, view.rank, view.state.status);
    match now.cmp(&moment(record.at, record.rank, record.status())) {
        std::cmp::Ordering::Less => return Ok(News::Older),
        std::cmp::Ordering::Greater => {
            (record.at, record.rank) = (view.at, view.rank);
            record.views = vec![view_of(view, bounds)];
            (record.shown, record.is_unclear) = (0, false);
            return Ok(News::Changed);
        }
        std::cmp::Ordering::Equal => {}
    }
    record.rank = record.rank.max(view.rank);
    let shown = record.state().clone();
    let same = add(&mut record.views, view, bounds)?;
    read_chain(record);
    Ok(match (*record.state() == shown, same) {
        (false, _) => News::Changed,
        (true, true) => News::Same,
        (true, false) => News::Older,
    })
}

fn observed(view: &SubscriptionView) -> Observation {
    let mut prices: Vec<(String, u32)> =
        view.state.items.iter().map(|item| (item.price_id.clone(), item.quantity)).collect();
    sort_by(&mut prices, Ord::cmp);
    Observation(view.at, view.rank, view.state.status, Rc::new(prices), view.state.pause)
}

/// Keep the newest views that were seen, each once.
fn remember(record: &mut SubscriptionRow, seen: Observation, most: usize) {
    let Err(place) = record.history.binary_search(&seen) else { return };
    record.history.insert(place, seen);
    if record.history.len() > most {
        record.history.remove(0);
    }
}

/// What orders things that nothing else does: their text.
fn text(value: &impl serde::Serialize) -> Fallible<String> {
    crate::model::json::encode(value)
}

/// Keep the greatest by their text, each once.
fn keep_greatest(previous: &mut Vec<Previous>, most: usize) {
    if previous.len() > 1 {
        previous.sort_by_cached_key(|previous| text(previous).unwrap_or_default());
        previous.dedup();
        let surplus = previous.len().saturating_sub(most);
        previous.drain(..surplus);
    }
}

fn view_of(mut view: SubscriptionView, bounds: Bounds) -> View {
    keep_greatest(&mut view.previous, bounds.previous);
    View { state: view.state, previous: view.previous, event_id: view.event_id }
}

/// Add a view to those of its moment; true if its state is among them.
fn add(views: &mut Vec<View>, view: SubscriptionView, bounds: Bounds) -> Fallible<bool> {
    let found = views.iter_mut().find(|known| known.state == view.state);
    let same = found.is_some();
    match found {
        Some(known) => {
            known.previous.extend(view.previous);
            keep_greatest(&mut known.previous, bounds.previous);
            known.event_id = std::mem::take(&mut known.event_id).min(view.event_id);
        }
        None => {
            views.push(view_of(view, bounds));
            views.sort_by_cached_key(|view| text(&view.state).unwrap_or_default());
            let surplus = views.len().saturating_sub(bounds.views);
            views.drain(..surplus);
        }
    }
    Ok(same)
}

/// Which view of a moment is the last: the one that nothing follows, if all the others lead to it.
fn read_chain(record: &mut SubscriptionRow) {
    let views = &record.views;
    let follows = |later: usize, earlier: usize| {
        later != earlier && views[later].previous.iter().any(|previous| previous.fits(&views[earlier].state))
    };
    let all = 0..views.len();
    let ends: Vec<usize> = all.clone().filter(|view| !all.clone().any(|later| follows(later, *view))).collect();
    let last = match ends.as_slice() {
        [last] => *last,
        // Any of them is as good; the least by its text is the same one in every order.
        _ => {
            (record.shown, record.is_unclear) = (0, true);
            return;
        }
    };
    let mut unreached: Vec<usize> = all.filter(|view| *view != last).collect();
    let mut reached = vec![last];
    while let Some(later) = reached.pop() {
        let (before, others): (Vec<_>, Vec<_>) = unreached.into_iter().partition(|view| follows(later, *view));
        reached.extend(before);
        unreached = others;
    }
    let is_unclear = !unreached.is_empty();
    (record.shown, record.is_unclear) = if is_unclear { (0, true) } else { (last, false) };
}
