//! A subscription at Stripe: the snapshots of its newest moment, which of them is current, and a history of earlier
//! snapshots.

use super::cancellation::{Because, CancelRequest, StripeDetails};
use super::subscription_history::BillingHistory;
use super::to_record;
use crate::model::ids::PriceId;
use crate::model::json::{decode, encode};
use crate::model::packed;
use crate::model::table::Record;
use extension_contract::{
    CatalogKey, Failure, Fallible, Reference, Row, RowKey, Snapshot, SnapshotRank, Subscription, SubscriptionItem,
    SubscriptionStatus, SubscriptionValues, Timestamp, Write,
};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Returns whether the status is final.
pub(crate) fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// Returns whether the subscription is served in this status: paid, in trial, or during payment retries.
pub(crate) fn is_served(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Active | SubscriptionStatus::Trialing | SubscriptionStatus::PastDue)
}

/// Treatment of the invoices of a subscription with paused collection. The pause does not change the subscription's
/// status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pause {
    KeepAsDraft,
    MarkUncollectible,
    Void,
}

impl Pause {
    /// Parses Stripe's `behavior`.
    pub fn parse(text: &str) -> Option<Pause> {
        Some(match text {
            "keep_as_draft" => Pause::KeepAsDraft,
            "mark_uncollectible" => Pause::MarkUncollectible,
            "void" => Pause::Void,
            _ => return None,
        })
    }
}

/// The state of the subscription in a snapshot. `None` is Stripe's null, which is also a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub status: SubscriptionStatus,
    pub items: Vec<SubscriptionItem>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_at_period_end: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Why it is to end, or has ended, as Stripe has it.
    #[serde(default, skip_serializing_if = "StripeDetails::is_empty")]
    pub said: StripeDetails,
}

/// The `previous_attributes` of an update, for the fields that are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<StripeDetails>,
}

/// Distinguishes null from an absent field.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

impl Previous {
    /// Returns all attributes of a state, so that only this state fits them.
    pub fn all_of(state: &State) -> Previous {
        Previous {
            status: Some(state.status),
            cancel_at_period_end: Some(state.cancel_at_period_end),
            cancel_at: Some(state.cancel_at),
            items: Some(state.items.clone()),
            pause: Some(state.pause),
            said: Some(state.said.clone()),
        }
    }

    /// Returns whether a snapshot with this state can directly precede the update with these attributes.
    pub fn fits(&self, state: &State) -> bool {
        self.status.is_none_or(|status| status == state.status)
            && self.cancel_at_period_end.is_none_or(|flag| flag == state.cancel_at_period_end)
            && self.cancel_at.is_none_or(|at| at == state.cancel_at)
            && self.items.as_ref().is_none_or(|items| *items == state.items)
            && self.pause.is_none_or(|pause| pause == state.pause)
            && self.said.as_ref().is_none_or(|said| *said == state.said)
    }
}

/// A snapshot of the newest moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateSnapshot {
    pub state: State,
    /// Previous attributes of the snapshots with this state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
    /// Least id of the events with this snapshot. Not used to order snapshots.
    pub event_id: String,
}

/// A snapshot in the history: time, rank, status, prices with quantities, pause of the collection, the status before an update that
/// changed it, and the end of the period in which the collection is paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Observation(
    pub Timestamp,
    pub SnapshotRank,
    pub SubscriptionStatus,
    pub Rc<Vec<(PriceId, u32)>>,
    pub Option<Pause>,
    pub Option<SubscriptionStatus>,
    pub Option<Timestamp>,
);

impl Observation {
    /// Returns Stripe's time of the snapshot.
    pub fn at(&self) -> Timestamp {
        self.0
    }

    /// Returns the status.
    pub fn status(&self) -> SubscriptionStatus {
        self.2
    }

    /// Returns the prices of its items, with quantities.
    pub fn prices(&self) -> &[(PriceId, u32)] {
        &self.3
    }

    /// Returns the pause of its collection.
    pub fn pause(&self) -> Option<Pause> {
        self.4
    }

    /// Returns the end of the period in which its collection is paused.
    pub fn paused_until_end(&self) -> Option<Timestamp> {
        self.6
    }

    /// Returns the status until this snapshot; `None` if the snapshot does not show it.
    pub fn status_before(&self) -> Option<SubscriptionStatus> {
        // The previous attributes of an update contain the status only if it changed.
        self.5.or((self.1 == SnapshotRank::Updated).then_some(self.2))
    }

    /// Returns the quantity of a price, if the snapshot has the price.
    pub fn quantity_of(&self, price: &PriceId) -> Option<u32> {
        self.prices().iter().find(|(id, _)| id == price).map(|(_, quantity)| *quantity)
    }
}

/// A pause that a command has asked for, and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PauseRequest {
    /// Time at which the subscription goes on.
    pub until: Timestamp,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionRow {
    /// The customer in the newest snapshot that named one.
    pub customer_id: String,
    /// Stripe's time of the snapshot that named the customer.
    pub customer_at: Timestamp,
    /// Stripe's time of the newest snapshot.
    pub at: Timestamp,
    /// Rank of the newest snapshot within its second.
    pub rank: SnapshotRank,
    /// The snapshots of the newest moment, sorted by content; usually one.
    pub views: Vec<StateSnapshot>,
    /// Index of the current snapshot in `views`.
    pub shown: usize,
    /// Whether the order of `views` is unclear. Then the current snapshot is an arbitrary one of them.
    pub is_unclear: bool,
    /// Received snapshots, in chronological order.
    pub history: Vec<Observation>,
    /// When Stripe made the subscription: the earliest time in any received snapshot.
    pub first_at: Timestamp,
    /// Whether any snapshot had a served status.
    pub was_ever_served: bool,
    /// End of the grace period after a failed payment.
    pub grace_end: Option<Timestamp>,
    /// Whether the subscription has ended and grants nothing any more.
    pub settled: bool,
    /// The cancellation that a command has asked for.
    pub asked: Option<CancelRequest>,
    /// The pause that a command has asked for.
    pub paused: Option<PauseRequest>,
    /// The code of the coupon with which the customer stayed.
    pub kept_with: Option<String>,
    /// When the customer stayed with it.
    pub kept_at: Option<Timestamp>,
}

/// The content of the row's metadata.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SubscriptionMetadata {
    customer_at: Timestamp,
    /// Empty if the row's columns contain all data of the only snapshot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    views: Vec<StateSnapshot>,
    #[serde(skip_serializing_if = "is_first")]
    shown: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_unclear: bool,
    history: StoredHistory,
    first_at: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    was_ever_served: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<CancelRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<PauseRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_at: Option<Timestamp>,
}

/// The stored form of the history. Most snapshots have the same prices.
#[derive(Default, Serialize, Deserialize)]
struct StoredHistory {
    /// The distinct lists of prices with quantities.
    prices: Vec<Rc<Vec<(PriceId, u32)>>>,
    /// Two packed numbers for each snapshot, or three if the collection is paused. The first is the time since the previous snapshot; the
    /// second combines the rank with the previous status, the status with the pause, and the index in `prices`; the third is the time to
    /// the end of the period.
    seen: String,
}

/// Appends a snapshot to a packed history: its time, and its index in `prices`, rank and status as numbers.
fn push_seen(text: &mut String, last: &mut Timestamp, at: Timestamp, [place, ranked, paused]: [u64; 3]) {
    packed::push(text, packed::unsigned(at.wrapping_sub(*last)));
    packed::push(text, (place * RANKED + ranked) * PAUSED + paused);
    *last = at;
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

/// Numbers of the values of a rank with a status before, and of a status with a pause.
const RANKED: u64 = 36;
const PAUSED: u64 = 32;

/// Returns whether a number of a status with a pause is one without a pause.
fn paused_at_none(number: u64) -> bool {
    number < STATUSES.len() as u64
}

impl StoredHistory {
    fn of(history: &[Observation]) -> StoredHistory {
        let mut prices: Vec<Rc<Vec<(PriceId, u32)>>> = Vec::new();
        let (mut seen, mut last) = (String::with_capacity(history.len() * 10), 0);
        for Observation(at, rank, status, of, pause, before, period_end) in history {
            let known = prices.iter().position(|known| Rc::ptr_eq(known, of) || known == of);
            let place = known.unwrap_or_else(|| {
                prices.push(of.clone());
                prices.len() - 1
            });
            let rank = RANKS.iter().position(|known| known == rank).unwrap_or(0);
            let status = STATUSES.iter().position(|known| known == status).unwrap_or(0);
            let pause = PAUSES.iter().position(|known| known == pause).unwrap_or(0);
            let before = STATUSES.iter().position(|known| Some(*known) == *before).map_or(0, |place| place + 1);
            let (ranked, paused) = (rank + before * RANKS.len(), status + pause * STATUSES.len());
            push_seen(&mut seen, &mut last, *at, [place as u64, ranked as u64, paused as u64]);
            if !paused_at_none(paused as u64) {
                packed::push(&mut seen, packed::unsigned(period_end.unwrap_or(*at).wrapping_sub(*at)));
            }
        }
        StoredHistory { prices, seen }
    }

    fn read(self, id: &str) -> Fallible<Vec<Observation>> {
        let prices = self.prices;
        let damaged = || Failure::Internal(format!("history of subscription {id} cannot be read"));
        let observation = |at: Timestamp, ranked: usize, paused: usize, place: usize, end| -> Option<Observation> {
            let (status, pause) = (STATUSES[paused % STATUSES.len()], *PAUSES.get(paused / STATUSES.len())?);
            let before = match (ranked / RANKS.len()).checked_sub(1) {
                Some(place) => Some(*STATUSES.get(place)?),
                None => None,
            };
            Some(Observation(at, RANKS[ranked % RANKS.len()], status, prices.get(place)?.clone(), pause, before, end))
        };
        let (mut numbers, mut last, mut out) =
            (packed::Numbers::of(&self.seen), 0i64, Vec::with_capacity(self.seen.len() / 8));
        while !numbers.is_at_end() {
            let (since, code) = (numbers.next().ok_or_else(damaged)?, numbers.next().ok_or_else(damaged)?);
            last = last.wrapping_add(packed::signed(since));
            let (place, paused) = (usize::try_from(code / PAUSED / RANKED).ok(), (code % PAUSED) as usize);
            let ranked = (code / PAUSED % RANKED) as usize;
            let end = match paused_at_none(paused as u64) {
                true => None,
                false => Some(last.wrapping_add(packed::signed(numbers.next().ok_or_else(damaged)?))),
            };
            out.push(place.and_then(|place| observation(last, ranked, paused, place, end)).ok_or_else(damaged)?);
        }
        Ok(out)
    }
}

fn is_first(index: &usize) -> bool {
    *index == 0
}

impl SubscriptionRow {
    /// Returns the current snapshot.
    pub fn view(&self) -> &StateSnapshot {
        // A row always has a snapshot, and merge keeps `shown` in range.
        &self.views[self.shown]
    }

    /// Returns the current state.
    pub fn state(&self) -> &State {
        &self.view().state
    }

    /// Returns the status.
    pub fn status(&self) -> SubscriptionStatus {
        self.state().status
    }

    /// Returns whether the subscription is to end, with its period or at a time.
    pub fn is_ending(&self) -> bool {
        self.state().cancel_at_period_end || self.state().cancel_at.is_some()
    }

    /// Returns whether the subscription is to end with its period or at a time, also if only a command has asked for it and no newer
    /// snapshot is known.
    pub fn is_leaving(&self) -> bool {
        self.is_ending() || self.asked.as_ref().is_some_and(|asked| !asked.at_once && asked.at >= self.at)
    }

    /// Returns why the subscription is to end or has ended; nothing while it goes on. What a command said is more exact than what
    /// Stripe keeps of it. Other words at Stripe are newer: they were written in Stripe's portal.
    pub fn because(&self) -> Because {
        let said = &self.state().said;
        match &self.asked {
            _ if !self.is_leaving() && !self.is_final() => Because::default(),
            Some(asked) if said.is_empty() || *said == asked.because.at_stripe() => asked.because.clone(),
            _ => said.into(),
        }
    }

    /// Returns whether the subscription's status is final.
    pub fn is_final(&self) -> bool {
        is_final(self.status())
    }

    /// Returns the events of the snapshots of the newest moment.
    pub fn events(&self) -> Vec<String> {
        self.views.iter().map(|view| view.event_id.clone()).collect()
    }

    /// Returns the states in snapshots of the newest moment that these events reported.
    pub fn views_of<'r>(&'r self, events: &'r [String]) -> impl Iterator<Item = &'r State> {
        self.views.iter().filter(|view| events.contains(&view.event_id)).map(|view| &view.state)
    }

    /// Returns the number of snapshots of the newest moment if a retrieved snapshot is among them, and otherwise 0.
    pub fn views_beside_an_answer(&self) -> usize {
        if self.rank == SnapshotRank::Retrieved { self.views.len() } else { 0 }
    }

    /// Returns the time, rank and event of the current snapshot.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { at: self.at, rank: self.rank, event_id: self.view().event_id.clone() }
    }

    /// Returns the time of the subscription's end, by Stripe's clock.
    pub fn ended_at(&self) -> Timestamp {
        self.state().ended_at.unwrap_or(self.at)
    }

    /// Returns the time of the oldest snapshot in the newest unbroken run of snapshots for which `holds` is true.
    pub fn run_start(&self, holds: impl Fn(&Observation) -> bool) -> Option<Timestamp> {
        self.history.iter().rev().take_while(|seen| holds(seen)).last().map(Observation::at)
    }

    /// Returns when a price was sold: at the first snapshot that has it. `None` if none has it yet.
    pub fn sold_at(&self, price: &PriceId) -> Option<Timestamp> {
        self.history.iter().find(|seen| seen.quantity_of(price).is_some()).map(Observation::at)
    }

    /// Returns the time since which at most `quantity` of a price counts; `None` if no snapshot has a higher quantity.
    /// If the newest snapshot has a higher quantity, which is unpaid, this is the time of the first snapshot of this
    /// run. Otherwise it is the time of the first snapshot after the last higher quantity.
    pub fn fewer_since(&self, price: &PriceId, quantity: u32) -> Option<Timestamp> {
        let more = |seen: &Observation| seen.quantity_of(price).is_some_and(|named| named > quantity);
        let fell = || self.history.iter().any(more).then(|| self.run_start(|seen| !more(seen))).flatten();
        self.run_start(more).or_else(fell)
    }

    /// Returns the time of the newest snapshot before the current run of `past_due`, which identifies the run.
    pub fn before_past_due(&self) -> Option<Timestamp> {
        self.history.iter().rev().find(|seen| seen.status() != SubscriptionStatus::PastDue).map(Observation::at)
    }

    /// Returns the price ids in all snapshots. A list that several snapshots share is returned once.
    pub fn named(&self) -> impl Iterator<Item = &PriceId> {
        let mut lists: Vec<&Rc<Vec<(PriceId, u32)>>> = Vec::new();
        for Observation(_, _, _, prices, ..) in &self.history {
            if !lists.iter().any(|known| Rc::ptr_eq(known, prices)) {
                lists.push(prices);
            }
        }
        lists.into_iter().flat_map(|list| list.iter().map(|(id, _)| id))
    }

    /// Returns the values of the subscription's row.
    pub fn values(&self) -> Fallible<SubscriptionValues> {
        let state = self.state();
        let fits_columns = |view: &StateSnapshot| {
            let State { ended_at, pause, said, .. } = &view.state;
            view.previous.is_empty() && ended_at.is_none() && pause.is_none() && said.is_empty()
        };
        let kept = SubscriptionMetadata {
            customer_at: self.customer_at,
            views: match self.views.as_slice() {
                [view] if fits_columns(view) => Vec::new(),
                views => views.to_vec(),
            },
            shown: self.shown,
            is_unclear: self.is_unclear,
            history: StoredHistory::of(&self.history),
            first_at: self.first_at,
            was_ever_served: self.was_ever_served,
            settled: self.settled,
            asked: self.asked.clone(),
            paused: self.paused.clone(),
            kept_with: self.kept_with.clone(),
            kept_at: self.kept_at,
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
        let kept: SubscriptionMetadata = decode("subscriptions", id, &values.metadata)?;
        let view = || StateSnapshot {
            state: State {
                status: values.status,
                items: values.items.clone(),
                cancel_at_period_end: values.cancel_at_period_end,
                cancel_at: values.cancel_at,
                trial_end: values.trial_end,
                ended_at: None,
                pause: None,
                said: StripeDetails::default(),
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
            asked: kept.asked,
            paused: kept.paused,
            kept_with: kept.kept_with,
            kept_at: kept.kept_at,
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

/// Returns a reference to the billing history of a subscription.
pub(crate) fn history_of(subscription: &str) -> Reference {
    to_record(BillingHistory::COLLECTION, subscription)
}
