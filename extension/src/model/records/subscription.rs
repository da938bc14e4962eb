//! A subscription of the payment provider: the view that counts, the other views of its moment, and what was seen before.

use super::subscription_history::BillingHistory;
use super::to_record;
use crate::model::json::{decode, encode, is_false};
use crate::model::table::Record;
use extension_contract::{
    CatalogKey, Failure, Fallible, Reference, Row, RowKey, Snapshot, SnapshotRank, Subscription, SubscriptionItem,
    SubscriptionStatus, SubscriptionValues, Timestamp, Write,
};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Whether nothing leaves this status.
pub(crate) fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// Whether the provider serves in this status: paid, in trial, or tried again.
pub(crate) fn is_served(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Active | SubscriptionStatus::Trialing | SubscriptionStatus::PastDue)
}

/// What becomes of the invoices of a subscription whose collection is paused; its status stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pause {
    KeepAsDraft,
    MarkUncollectible,
    Void,
}

impl Pause {
    /// Stripe's `behavior`.
    pub fn parse(text: &str) -> Option<Pause> {
        Some(match text {
            "keep_as_draft" => Pause::KeepAsDraft,
            "mark_uncollectible" => Pause::MarkUncollectible,
            "void" => Pause::Void,
            _ => return None,
        })
    }
}

/// What a view says of the subscription's state: null counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct State {
    pub status: SubscriptionStatus,
    pub items: Vec<SubscriptionItem>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel_at_period_end: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// What an update says that it changed: `previous_attributes`, as far as we mirror the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Previous {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_at_period_end: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub cancel_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<SubscriptionItem>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub pause: Option<Option<Pause>>,
}

/// Tells null (given, and nothing) from absent.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Previous {
    /// All of a state: what it fits is that state alone.
    pub fn all_of(state: &State) -> Previous {
        Previous {
            status: Some(state.status),
            cancel_at_period_end: Some(state.cancel_at_period_end),
            cancel_at: Some(state.cancel_at),
            items: Some(state.items.clone()),
            pause: Some(state.pause),
        }
    }

    /// Whether a view with this state can be the one right before.
    pub fn fits(&self, state: &State) -> bool {
        self.status.is_none_or(|status| status == state.status)
            && self.cancel_at_period_end.is_none_or(|flag| flag == state.cancel_at_period_end)
            && self.cancel_at.is_none_or(|at| at == state.cancel_at)
            && self.items.as_ref().is_none_or(|items| *items == state.items)
            && self.pause.is_none_or(|pause| pause == state.pause)
    }
}

/// One view of the newest moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct View {
    pub state: State,
    /// What views of this state say that they changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
    /// Least id of the events that brought it; for people, never for ordering.
    pub event_id: String,
}

/// A view as it is remembered: when, its rank, its status, the prices with their quantities, and whether its collection
/// was paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Observation(
    pub Timestamp,
    pub SnapshotRank,
    pub SubscriptionStatus,
    pub Rc<Vec<(String, u32)>>,
    pub Option<Pause>,
);

impl Observation {
    /// The provider's time of the view.
    pub fn at(&self) -> Timestamp {
        self.0
    }

    /// Its status.
    pub fn status(&self) -> SubscriptionStatus {
        self.2
    }

    /// Prices of its items, with quantities.
    pub fn prices(&self) -> &[(String, u32)] {
        &self.3
    }

    /// How its collection was paused.
    pub fn pause(&self) -> Option<Pause> {
        self.4
    }

    /// How many of a price it names, if it names it.
    pub fn quantity_of(&self, price: &str) -> Option<u32> {
        self.prices().iter().find(|(id, _)| id == price).map(|(_, quantity)| *quantity)
    }
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionRow {
    /// The customer, by the newest view that named one.
    pub customer_id: String,
    /// The provider's time of that view.
    pub customer_at: Timestamp,
    /// The provider's time of the newest view.
    pub at: Timestamp,
    /// Its rank within that second.
    pub rank: SnapshotRank,
    /// The views of that moment, in order of their content; one of them, mostly.
    pub views: Vec<View>,
    /// Which of them counts.
    pub shown: usize,
    /// Nothing tells which of them is the last: the one that counts is as good as any.
    pub is_unclear: bool,
    /// Views that were seen, in order of time.
    pub history: Vec<Observation>,
    /// The provider's time of the first view that was seen.
    pub first_at: Timestamp,
    /// Some view was in good standing.
    pub was_ever_served: bool,
    /// Until when service goes on although a payment failed.
    pub grace_end: Option<Timestamp>,
    /// It has ended, and gives nothing that is missed any more.
    pub settled: bool,
}

/// What the row's metadata keeps.
#[derive(Default, Serialize, SmallDeserialize)]
#[serde(default)]
struct Kept {
    customer_at: Timestamp,
    /// Left out where the columns say all of the one view.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    views: Vec<View>,
    #[serde(skip_serializing_if = "is_first")]
    shown: usize,
    #[serde(skip_serializing_if = "is_false")]
    is_unclear: bool,
    history: KeptHistory,
    first_at: Timestamp,
    #[serde(skip_serializing_if = "is_false")]
    was_ever_served: bool,
    #[serde(skip_serializing_if = "is_false")]
    settled: bool,
}

/// The history as it is stored: most views name the same prices, and numbers are read fast.
#[derive(Default, Serialize, SmallDeserialize)]
struct KeptHistory {
    /// The different lists of prices with quantities.
    prices: Vec<Rc<Vec<(String, u32)>>>,
    /// Time, rank, status with pause, and place in `prices` of each view.
    seen: Vec<(Timestamp, usize, usize, usize)>,
}

const RANKS: [SnapshotRank; 4] =
    [SnapshotRank::Created, SnapshotRank::Updated, SnapshotRank::Retrieved, SnapshotRank::Deleted];

const STATUSES: [SubscriptionStatus; 8] = [
    SubscriptionStatus::Incomplete,
    SubscriptionStatus::IncompleteExpired,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
    SubscriptionStatus::PastDue,
    SubscriptionStatus::Canceled,
    SubscriptionStatus::Unpaid,
    SubscriptionStatus::Paused,
];

const PAUSES: [Option<Pause>; 4] = [None, Some(Pause::KeepAsDraft), Some(Pause::MarkUncollectible), Some(Pause::Void)];

impl KeptHistory {
    fn of(history: &[Observation]) -> KeptHistory {
        let mut kept = KeptHistory::default();
        for Observation(at, rank, status, prices, pause) in history {
            let known = kept.prices.iter().position(|known| Rc::ptr_eq(known, prices) || known == prices);
            let place = known.unwrap_or_else(|| {
                kept.prices.push(prices.clone());
                kept.prices.len() - 1
            });
            let rank = RANKS.iter().position(|known| known == rank).unwrap_or(0);
            let status = STATUSES.iter().position(|known| known == status).unwrap_or(0);
            let pause = PAUSES.iter().position(|known| known == pause).unwrap_or(0);
            kept.seen.push((*at, rank, status + pause * STATUSES.len(), place));
        }
        kept
    }

    fn read(self, id: &str) -> Fallible<Vec<Observation>> {
        let damaged = || Failure::Internal(format!("the history of subscription {id} is damaged"));
        let mut out = Vec::with_capacity(self.seen.len());
        for (at, rank, status, place) in self.seen {
            let (status, pause) = (status % STATUSES.len(), status / STATUSES.len());
            let (rank, pause) = (RANKS.get(rank).ok_or_else(damaged)?, PAUSES.get(pause).ok_or_else(damaged)?);
            let prices = self.prices.get(place).ok_or_else(damaged)?;
            out.push(Observation(at, *rank, STATUSES[status], prices.clone(), *pause));
        }
        Ok(out)
    }
}

fn is_first(index: &usize) -> bool {
    *index == 0
}

impl SubscriptionRow {
    /// The view that counts.
    pub fn view(&self) -> &View {
        // A row has a view from its first moment; `shown` is one of them by merge.
        &self.views[self.shown]
    }

    /// The state that counts.
    pub fn state(&self) -> &State {
        &self.view().state
    }

    /// Its status.
    pub fn status(&self) -> SubscriptionStatus {
        self.state().status
    }

    /// Whether nothing follows any more.
    pub fn is_final(&self) -> bool {
        is_final(self.status())
    }

    /// The events that brought the views of the newest moment.
    pub fn events(&self) -> Vec<String> {
        self.views.iter().map(|view| view.event_id.clone()).collect()
    }

    /// The states of that moment that these events brought.
    pub fn views_of<'r>(&'r self, events: &'r [String]) -> impl Iterator<Item = &'r State> {
        self.views.iter().filter(|view| events.contains(&view.event_id)).map(|view| &view.state)
    }

    /// How many views of that moment there are, if what was fetched is one of them; else none.
    pub fn views_beside_an_answer(&self) -> usize {
        if self.rank == SnapshotRank::Retrieved { self.views.len() } else { 0 }
    }

    /// The view that counts, as the contract names it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { at: self.at, rank: self.rank, event_id: self.view().event_id.clone() }
    }

    /// When it ended, by the provider.
    pub fn ended_at(&self) -> Timestamp {
        self.state().ended_at.unwrap_or(self.at)
    }

    /// When the present run of a property began: the time of the oldest view of the newest unbroken run.
    pub fn run_start(&self, holds: impl Fn(&Observation) -> bool) -> Option<Timestamp> {
        self.history.iter().rev().take_while(|seen| holds(seen)).last().map(Observation::at)
    }

    /// Since when no more than so many of a price count: the first view after those that named more, or the first of
    /// those that name more and are not paid for. None where no view ever named more.
    pub fn fewer_since(&self, price: &str, quantity: u32) -> Option<Timestamp> {
        let more = |seen: &Observation| seen.quantity_of(price).is_some_and(|named| named > quantity);
        let fell = || self.history.iter().any(more).then(|| self.run_start(|seen| !more(seen))).flatten();
        self.run_start(more).or_else(fell)
    }

    /// When the newest view before the present run of `past_due` was seen; what a run is known by.
    pub fn before_past_due(&self) -> Option<Timestamp> {
        self.history.iter().rev().find(|seen| seen.status() != SubscriptionStatus::PastDue).map(Observation::at)
    }

    /// Prices that any view of it named; views that name the same share a list, which counts once.
    pub fn named(&self) -> impl Iterator<Item = &String> {
        let mut lists: Vec<&Rc<Vec<(String, u32)>>> = Vec::new();
        for Observation(_, _, _, prices, _) in &self.history {
            if !lists.iter().any(|known| Rc::ptr_eq(known, prices)) {
                lists.push(prices);
            }
        }
        lists.into_iter().flat_map(|list| list.iter().map(|(id, _)| id))
    }

    /// What everybody sees of it.
    pub fn values(&self) -> Fallible<SubscriptionValues> {
        let state = self.state();
        let said_by_columns =
            |view: &View| view.previous.is_empty() && view.state.ended_at.is_none() && view.state.pause.is_none();
        let kept = Kept {
            customer_at: self.customer_at,
            views: match self.views.as_slice() {
                [view] if said_by_columns(view) => Vec::new(),
                views => views.to_vec(),
            },
            shown: self.shown,
            is_unclear: self.is_unclear,
            history: KeptHistory::of(&self.history),
            first_at: self.first_at,
            was_ever_served: self.was_ever_served,
            settled: self.settled,
        };
        Ok(SubscriptionValues {
            customer_id: self.customer_id.clone(),
            status: state.status,
            items: state.items.clone(),
            cancel_at_period_end: state.cancel_at_period_end,
            cancel_at: state.cancel_at,
            trial_end: state.trial_end,
            grace_end: self.grace_end,
            snapshot: self.snapshot(),
            metadata: encode(&kept)?,
        })
    }
}

impl Record for SubscriptionRow {
    fn key(id: &str) -> RowKey {
        RowKey::Subscription(id.to_owned())
    }

    fn read(row: &Row) -> Fallible<Option<Self>> {
        let Row::Subscription(Subscription { id, values, .. }) = row else { return Ok(None) };
        let kept: Kept = decode("subscriptions", id, &values.metadata)?;
        let view = || View {
            state: State {
                status: values.status,
                items: values.items.clone(),
                cancel_at_period_end: values.cancel_at_period_end,
                cancel_at: values.cancel_at,
                trial_end: values.trial_end,
                ended_at: None,
                pause: None,
            },
            previous: Vec::new(),
            event_id: values.snapshot.event_id.clone(),
        };
        let views = if kept.views.is_empty() { vec![view()] } else { kept.views };
        Ok(Some(SubscriptionRow {
            customer_id: values.customer_id.clone(),
            customer_at: kept.customer_at,
            at: values.snapshot.at,
            rank: values.snapshot.rank,
            shown: kept.shown.min(views.len() - 1),
            views,
            is_unclear: kept.is_unclear,
            history: kept.history.read(id)?,
            first_at: kept.first_at,
            was_ever_served: kept.was_ever_served,
            grace_end: values.grace_end,
            settled: kept.settled,
        }))
    }

    fn write(&self) -> Fallible<Write> {
        self.values().map(Write::Subscription)
    }

    fn is_live(&self) -> bool {
        !self.settled
    }

    fn references(&self) -> Vec<Reference> {
        let prices = self.state().items.iter().map(|item| CatalogKey::Price(item.price_id.clone()));
        prices.map(Reference::Catalog).take(extension_contract::REFERENCES_MAX).collect()
    }
}

/// The record that goes with a subscription.
pub(crate) fn history_of(subscription: &str) -> Reference {
    to_record(BillingHistory::COLLECTION, subscription)
}
