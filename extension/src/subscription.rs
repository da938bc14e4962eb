//! Stripe's subscription: one view compared with another, and what is remembered beside the newest one.
//!
//! The row holds the newest view. Beside it a `billing` record holds what no single view tells: every status and plan
//! price that was seen with its time, and which invoices are open or paid. Both are merged by rules that don't care
//! about arrival (the largest of an order, the union of a set), so any order of events ends in the same rows.

use crate::context::{Context, Loaded, Step, Stop, decode, short_answer};
use crate::placement::{key, named_account};
use crate::rows::Rows;
use crate::stripe::{self, id_of};
use crate::{notice, purchase, retrieve, settle};
use products_contract::*;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Seen views that are kept for each subscription: at three events a month more than two years; older ones can't begin
/// the run that grace is counted from.
const HISTORY_MAX: usize = 100;

/// A view that was seen: when, its rank, its status and the plan price it named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Seen(pub Timestamp, pub SnapshotRank, pub SubscriptionStatus, pub Option<String>);

/// An invoice that is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenInvoice {
    /// Stripe's `billing_reason`.
    pub reason: String,
    /// Prices on its lines that are no prorations of the past.
    pub prices: Vec<String>,
    /// When it was voided, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_at: Option<Timestamp>,
}

/// What is remembered of a subscription beside its newest view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Billing {
    /// Views in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Seen>,
    /// Open invoices by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, OpenInvoice>,
    /// When the payment of an invoice failed first, by invoice; a later payment doesn't undo that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, Timestamp>,
    /// Prices on paid invoices, with the latest time of payment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paid: BTreeMap<String, Timestamp>,
    /// The purchase that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// What the newest view says that it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
    /// When it ended, by the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The change of plan that was asked for at the end of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A change of plan that can be taken back until its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The price to come.
    pub price: String,
    /// When it comes.
    pub at: Timestamp,
}

impl Billing {
    fn see(&mut self, seen: Seen) -> bool {
        let Err(place) = self.history.binary_search(&seen) else { return false };
        if place == 0 && self.history.len() == HISTORY_MAX {
            return false;
        }
        self.history.insert(place, seen);
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        true
    }

    /// Note when the payment of an invoice failed first; the oldest failures go when there are too many.
    pub fn fail(&mut self, invoice: &str, at: Timestamp) {
        let first = self.failed.entry(invoice.to_owned()).or_insert(at);
        *first = (*first).min(at);
        if self.failed.len() > HISTORY_MAX {
            let oldest = self.failed.iter().map(|(id, at)| (*at, id.clone())).min();
            oldest.and_then(|(_, id)| self.failed.remove(&id));
        }
    }

    /// When the newest view before the present run of `past_due` was seen; what a run is known by.
    pub fn before_past_due(&self) -> Option<Timestamp> {
        self.history.iter().rev().find(|seen| seen.2 != SubscriptionStatus::PastDue).map(|seen| seen.0)
    }

    /// The first failure of a payment in the present run of `past_due`, none where no failure is known.
    pub fn first_failure(&self) -> Option<Timestamp> {
        let before = self.before_past_due();
        self.failed.values().copied().filter(|at| before.is_none_or(|before| *at >= before)).min()
    }

    /// When the present run of a property began: the time of the oldest view of the newest unbroken run.
    pub fn run_start(&self, holds: impl Fn(&Seen) -> bool) -> Option<Timestamp> {
        self.history.iter().rev().take_while(|seen| holds(seen)).last().map(|seen| seen.0)
    }

    /// Whether any view named a plan.
    pub fn ever_named_a_plan(&self) -> bool {
        self.history.iter().any(|seen| seen.3.is_some())
    }

    /// Whether any view was ever in good standing.
    pub fn was_ever_live(&self) -> bool {
        use SubscriptionStatus::{Active, PastDue, Trialing};
        self.history.iter().any(|seen| matches!(seen.2, Active | Trialing | PastDue))
    }
}

/// What an update says that it changed: `previous_attributes`, as far as we mirror the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Previous {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SubscriptionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_at_period_end: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    cancel_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<SubscriptionItem>>,
}

/// Tells null (given, and nothing) from absent.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PreviousShape<'a> {
    #[serde(borrow)]
    status: Option<stripe::Text<'a>>,
    cancel_at_period_end: Option<bool>,
    #[serde(deserialize_with = "given")]
    cancel_at: Option<Option<i64>>,
    #[serde(borrow)]
    items: Option<stripe::List<stripe::Item<'a>>>,
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
}

impl Previous {
    /// Read beside the view itself: what didn't change is as the view says, so that every API version tells the same.
    fn read(raw: Option<&RawValue>, subscription: &str, view: &SubscriptionValues) -> Step<Option<Previous>> {
        let Some(raw) = raw else { return Ok(None) };
        let malformed = |at: &str| Stop::Refused(Refusal::Malformed(format!("/data/previous_attributes{at}")));
        let Ok(shape) = serde_json::from_str::<PreviousShape<'_>>(raw.get()) else { return Err(malformed("")) };
        let start = stripe::time(shape.current_period_start, "/data/previous_attributes/current_period_start")?;
        let end = stripe::time(shape.current_period_end, "/data/previous_attributes/current_period_end")?;
        let now = view.items.first().map(|item| (item.period_start, item.period_end));
        let period = (start.or(now.map(|now| now.0)), end.or(now.map(|now| now.1)));
        let items = match shape.items {
            Some(list) => Some(items(&list.data, subscription, period)?),
            // A period of the whole subscription is that of each item.
            None if start.is_some() || end.is_some() => {
                let moved = |item: &SubscriptionItem| SubscriptionItem {
                    period_start: start.unwrap_or(item.period_start),
                    period_end: end.unwrap_or(item.period_end),
                    ..item.clone()
                };
                Some(view.items.iter().map(moved).collect())
            }
            None => None,
        };
        let previous = Previous {
            status: shape.status.and_then(|text| parse_status(&text)),
            cancel_at_period_end: shape.cancel_at_period_end,
            cancel_at: match shape.cancel_at {
                None => None,
                Some(seconds) => Some(stripe::time(seconds, "/data/previous_attributes/cancel_at")?),
            },
            items,
        };
        Ok((previous != Previous::default()).then_some(previous))
    }

    /// Whether a view with these values can be the one right before.
    fn fits(&self, values: &SubscriptionValues) -> bool {
        self.status.is_none_or(|status| status == values.status)
            && self.cancel_at_period_end.is_none_or(|flag| flag == values.cancel_at_period_end)
            && self.cancel_at.is_none_or(|at| at == values.cancel_at)
            && self.items.as_ref().is_none_or(|items| *items == values.items)
    }
}

/// How a view stands to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Newer,
    Older,
    Same,
    Unclear,
}

/// Whether nothing leaves this status.
pub(crate) fn is_final(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

/// The order of two views of one subscription (design.md, "Order of snapshots of one object").
fn order(
    new: &SubscriptionValues,
    new_previous: Option<&Previous>,
    old: &SubscriptionValues,
    old_previous: Option<&Previous>,
) -> Order {
    match (is_final(new.status), is_final(old.status)) {
        (true, false) => return Order::Newer,
        (false, true) => return Order::Older,
        _ => {}
    }
    let same = same_view(new, old);
    match new.snapshot.at.cmp(&old.snapshot.at).then(new.snapshot.rank.cmp(&old.snapshot.rank)) {
        std::cmp::Ordering::Greater => return Order::Newer,
        std::cmp::Ordering::Less => return Order::Older,
        std::cmp::Ordering::Equal => {}
    }
    if same {
        return Order::Same;
    }
    // A subscription never becomes incomplete again.
    let incomplete = |values: &SubscriptionValues| values.status == SubscriptionStatus::Incomplete;
    match (incomplete(new), incomplete(old)) {
        (false, true) => return Order::Newer,
        (true, false) => return Order::Older,
        _ => {}
    }
    let follows = |later: Option<&Previous>, earlier: &SubscriptionValues| later.is_some_and(|p| p.fits(earlier));
    match (follows(new_previous, old), follows(old_previous, new)) {
        (true, false) => Order::Newer,
        (false, true) => Order::Older,
        _ => Order::Unclear,
    }
}

/// Whether two views say the same, apart from who brought them.
fn same_view(a: &SubscriptionValues, b: &SubscriptionValues) -> bool {
    a.customer_id == b.customer_id
        && a.status == b.status
        && a.items == b.items
        && a.cancel_at_period_end == b.cancel_at_period_end
        && a.cancel_at == b.cancel_at
        && a.trial_end == b.trial_end
}

/// Stripe's status; `cancelled` is what the platform also writes.
fn parse_status(text: &str) -> Option<SubscriptionStatus> {
    Some(match text {
        "incomplete" => SubscriptionStatus::Incomplete,
        "incomplete_expired" => SubscriptionStatus::IncompleteExpired,
        "trialing" => SubscriptionStatus::Trialing,
        "active" => SubscriptionStatus::Active,
        "past_due" => SubscriptionStatus::PastDue,
        "canceled" | "cancelled" => SubscriptionStatus::Canceled,
        "unpaid" => SubscriptionStatus::Unpaid,
        "paused" => SubscriptionStatus::Paused,
        _ => return None,
    })
}

/// Items in order of their ids, so that the sender's order doesn't matter.
fn items(
    shapes: &[stripe::Item<'_>],
    subscription: &str,
    period: (Option<Timestamp>, Option<Timestamp>),
) -> Step<Vec<SubscriptionItem>> {
    let mut out = Vec::with_capacity(shapes.len());
    for (index, item) in shapes.iter().enumerate() {
        let pointer = |field: &str| format!("/data/object/items/data/{index}/{field}");
        let Some(price_id) = item.price_id() else {
            return Err(Stop::Refused(Refusal::Malformed(pointer("price"))));
        };
        let start = stripe::time(item.current_period_start, &pointer("current_period_start"))?.or(period.0);
        let end = stripe::time(item.current_period_end, &pointer("current_period_end"))?.or(period.1);
        out.push(SubscriptionItem {
            id: id_of(&item.id).map_or_else(|| format!("{subscription}/{price_id}"), str::to_owned),
            price_id: price_id.to_owned(),
            quantity: item.quantity.unwrap_or(0),
            period_start: start.unwrap_or(0),
            period_end: end.unwrap_or(0),
        });
    }
    out.sort_unstable_by(|a: &SubscriptionItem, b| a.id.cmp(&b.id));
    Ok(out)
}

/// Which view of an object an event or an answer shows.
struct View<'a> {
    at: Timestamp,
    rank: SnapshotRank,
    previous: Option<&'a RawValue>,
}

/// `customer.subscription.*`.
pub(crate) fn event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Subscription<'_>>(body)?;
    let rank = match context.event.kind.as_str() {
        "customer.subscription.created" => SnapshotRank::Created,
        "customer.subscription.deleted" => SnapshotRank::Deleted,
        _ => SnapshotRank::Updated,
    };
    let view = View { at: context.provider_time(), rank, previous: body.data.previous_attributes };
    apply(context, &body.data.object, &view)
}

/// The answer of a `stripe.retrieve`: a view dated by the provider's answer.
pub(crate) fn retrieved(context: &mut Context<'_, '_>, object: &str, at: Timestamp) -> Step<Outcome> {
    let object = serde_json::from_str::<stripe::Subscription<'_>>(object)
        .map_err(|error| stripe::malformed("/object", &error))?;
    apply(context, &object, &View { at, rank: SnapshotRank::Retrieved, previous: None })
}

/// Merge one view into what is stored.
fn apply(context: &mut Context<'_, '_>, object: &stripe::Subscription<'_>, view: &View<'_>) -> Step<Outcome> {
    let id = object.id.as_ref();
    if id.is_empty() {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/id".to_owned())));
    }
    check_owner(context, object.metadata.as_ref())?;
    if object.items.as_ref().is_some_and(|list| list.has_more) {
        if view.rank == SnapshotRank::Retrieved {
            return Err(Stop::Refused(Refusal::WrongShape(format!("{id}: the answer leaves items out"))));
        }
        let row = context.host.subscription(id)?;
        return match row {
            // What was fetched for it is here, or something newer.
            Some(row) if holds_fetched(&row.values.snapshot, view.at) => Ok(Outcome::Stale(row.values.snapshot)),
            _ => fetch(context, "subscription", id, view.at),
        };
    }
    let row = context.host.subscription(id)?;
    // Nobody's yet, and it does not say whose: the object as it is now does.
    if row.is_none() && id_of(&object.customer).is_none() && view.rank != SnapshotRank::Retrieved {
        return fetch(context, "subscription", id, view.at);
    }
    let mut values = read_values(context, object, view, row.as_ref())?;
    let previous = Previous::read(view.previous, id, &values)?;
    let prices = load_prices(context, &values.items)?;
    let mut billing: Loaded<Billing> = context.record("billing", id)?;
    let standing = match &row {
        None => Order::Newer,
        Some(row) => order(&values, previous.as_ref(), &row.values, billing.value.previous.as_ref()),
    };
    if standing == Order::Unclear {
        return fetch(context, "subscription", id, view.at);
    }
    let mut plan = plan_of(&prices);
    let judged = judge_items(&values.items, &prices);
    // An older view that would have been refused in its time is not remembered either.
    let remembered = judged.is_ok() || standing == Order::Newer || is_final(values.status);
    if let (Order::Newer, Err(refusal)) = (standing, judged) {
        use SubscriptionStatus::{Active, Trialing};
        match &row {
            // What has ended grants nothing, whatever it names.
            _ if is_final(values.status) => {}
            // What can't be judged grants nothing new; that access is at risk is believed all the same.
            Some(row) if !matches!(values.status, Active | Trialing) => {
                values.items = row.values.items.clone();
                plan = plan_of(&load_prices(context, &values.items)?);
            }
            _ => return Err(Stop::Refused(refusal)),
        }
    }
    // Whose they are is judged before anything is saved.
    context.claim(&[key("stripe-subscription", id), key("stripe-customer", &values.customer_id)])?;
    let mut changed = remembered && billing.value.see(Seen(view.at, view.rank, values.status, plan));
    // Two events may tell one view, and only one of them what it changed.
    if standing == Order::Same && billing.value.previous.is_none() && previous.is_some() {
        billing.value.previous.clone_from(&previous);
        changed = true;
    }
    if standing == Order::Newer {
        if billing.value.previous != previous {
            billing.value.previous = previous;
            changed = true;
        }
        let ended = stripe::time(object.ended_at, "/data/object/ended_at")?;
        if is_final(values.status) {
            billing.value.ended_at = ended.or(Some(view.at));
            changed = true;
        }
    }
    if changed {
        context.save_record("billing", id, &billing)?;
    }
    match (standing, row) {
        (Order::Newer, row) => {
            let expected = row.as_ref().map_or(0, |row| row.version);
            values.grace_end = row.and_then(|row| row.values.grace_end);
            context.host.subscription_save(id, expected, &values)?;
            if is_final(values.status) {
                context.note(&format!("ended:{id}"))?;
            }
            purchase::subscription_changed(context, &billing.value)?;
            settle::settle(context)?;
            Ok(Outcome::Applied)
        }
        (Order::Same, _) => Ok(Outcome::Duplicate(format!("view:{id}:{}", view.at))),
        (_, Some(row)) => {
            // An older view may still tell when a run began, and so when grace ends.
            if changed {
                purchase::subscription_changed(context, &billing.value)?;
                settle::settle(context)?;
            }
            Ok(Outcome::Stale(row.values.snapshot))
        }
        (_, None) => Err(Stop::Failed(Failure::Internal(format!("{id} is older than nothing")))),
    }
}

/// Whether a stored view is the one that was fetched for a view of a time, or a newer one.
fn holds_fetched(stored: &Snapshot, at: Timestamp) -> bool {
    stored.at > at || (stored.at == at && stored.rank == SnapshotRank::Retrieved)
}

/// Whether every price is ours, and at most one of them a plan of its family. A metered item beside ours, which has no
/// quantity, grants nothing by itself: the catalog need not know it.
fn judge_items(items: &[SubscriptionItem], prices: &[Option<Price>]) -> Result<(), Refusal> {
    let one_is_ours = prices.iter().any(Option::is_some);
    let unknown =
        |(item, price): &(&SubscriptionItem, &Option<Price>)| price.is_none() && !(one_is_ours && item.quantity == 0);
    if let Some((item, _)) = items.iter().zip(prices).find(unknown) {
        return Err(Refusal::UnknownPrice(item.price_id.clone()));
    }
    let plans: Vec<&Price> = prices.iter().flatten().filter(|price| price.family.is_some()).collect();
    match plans.as_slice() {
        [first, second, ..] if first.family == second.family => {
            Err(Refusal::Inconsistent(format!("{} and {} of one family", first.id, second.id)))
        }
        _ => Ok(()),
    }
}

/// The plan price among prices.
fn plan_of(prices: &[Option<Price>]) -> Option<String> {
    prices.iter().flatten().find(|price| price.family.is_some()).map(|price| price.id.clone())
}

fn read_values(
    context: &Context<'_, '_>,
    object: &stripe::Subscription<'_>,
    view: &View<'_>,
    known: Option<&Subscription>,
) -> Step<SubscriptionValues> {
    let missing = |field: &str| Stop::Refused(Refusal::Malformed(format!("/data/object/{field}")));
    let status = object.status.as_deref().ok_or_else(|| missing("status"))?;
    let status = parse_status(status).ok_or_else(|| Stop::Refused(Refusal::UnknownStatus(status.to_owned())))?;
    // A view that names no customer, as of one that was deleted, says nothing of whose it is.
    let known_customer = known.map(|row| row.values.customer_id.as_str());
    let customer = id_of(&object.customer).or(known_customer).ok_or_else(|| missing("customer"))?;
    let period = (
        stripe::time(object.current_period_start, "/data/object/current_period_start")?,
        stripe::time(object.current_period_end, "/data/object/current_period_end")?,
    );
    let items = match (&object.items, id_of(&object.plan)) {
        (Some(list), _) => items(&list.data, &object.id, period)?,
        // Before 2018 a subscription had one plan and no items.
        (None, Some(plan)) => vec![SubscriptionItem {
            id: format!("{}/{plan}", object.id),
            price_id: plan.to_owned(),
            quantity: object.quantity.unwrap_or(0),
            period_start: period.0.unwrap_or(0),
            period_end: period.1.unwrap_or(0),
        }],
        (None, None) => return Err(missing("items")),
    };
    Ok(SubscriptionValues {
        customer_id: customer.to_owned(),
        status,
        items,
        cancel_at_period_end: object.cancel_at_period_end.unwrap_or(false),
        cancel_at: stripe::time(object.cancel_at, "/data/object/cancel_at")?,
        trial_end: stripe::time(object.trial_end, "/data/object/trial_end")?,
        grace_end: None,
        snapshot: Snapshot { at: view.at, rank: view.rank, event_id: context.event.id.clone() },
        metadata: "{}".to_owned(),
    })
}

/// Prices of items, in their order.
pub(crate) fn load_prices(context: &mut Context<'_, '_>, items: &[SubscriptionItem]) -> Step<Vec<Option<Price>>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = items.iter().map(|item| item.price_id.clone()).collect();
    let mut prices = Vec::with_capacity(ids.len());
    for part in ids.chunks(BULK_MAX) {
        prices.extend(context.host.prices_load(part)?);
    }
    if prices.len() == ids.len() { Ok(prices) } else { Err(Stop::Failed(short_answer("catalog.read"))) }
}

/// Metadata is a hint, the claim is the truth: metadata that names another account contradicts it.
pub(crate) fn check_owner(context: &Context<'_, '_>, metadata: Option<&stripe::Metadata<'_>>) -> Step<()> {
    let account = context.account()?;
    let named = metadata.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    match (named, account) {
        // Somebody of an organization may have paid for it.
        (Some(Account::User(_)), Account::Organization(_)) | (None, _) => Ok(()),
        (Some(named), account) if named == account => Ok(()),
        (Some(_), _) => Err(Stop::Refused(Refusal::Inconsistent("/data/object/metadata".to_owned()))),
    }
}

/// Ask the provider for the object; the event waits for the answer.
pub(crate) fn fetch(context: &mut Context<'_, '_>, object: &str, id: &str, at: Timestamp) -> Step<Outcome> {
    let effect_key = format!("retrieve:{id}:{at}");
    retrieve::ask(context, &effect_key, &serde_json::json!({"object": object, "id": id}))?;
    Ok(Outcome::Deferred(DeferReason::Effect(effect_key)))
}

/// `customer.subscription.trial_will_end`: one notice for each end of a trial.
pub(crate) fn trial_will_end(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Subscription<'_>>(body)?;
    let object = &body.data.object;
    check_owner(context, object.metadata.as_ref())?;
    let end = stripe::time(object.trial_end, "/data/object/trial_end")?;
    let fact = format!("trial-will-end:{}:{}", object.id, end.unwrap_or(0));
    let mut claims = vec![key("stripe-subscription", &object.id)];
    claims.extend(id_of(&object.customer).map(|id| key("stripe-customer", id)));
    context.claim(&claims)?;
    if !context.note(&fact)? {
        return Ok(Outcome::Duplicate(fact));
    }
    let values = serde_json::json!({"subscription": object.id, "trial_end": end.map(crate::time::rfc3339)});
    notice::now(context, "trial_will_end", notice::To::Account, &fact, &values)?;
    Ok(Outcome::Applied)
}

/// `customer.deleted`: it stays whose it was, so that what still comes of it is found.
pub(crate) fn customer_deleted(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Customer<'_>>(body)?;
    let fact = format!("customer-deleted:{}", body.data.object.id);
    context.claim(&[key("stripe-customer", &body.data.object.id)])?;
    match context.note(&fact)? {
        true => Ok(Outcome::Applied),
        false => Ok(Outcome::Duplicate(fact)),
    }
}

/// `customer.created|updated`: a customer that names its account is claimed for it.
pub(crate) fn customer(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Customer<'_>>(body)?;
    let key = key("stripe-customer", &body.data.object.id);
    if context.host.claims_mine(&key)?.contains(&key) {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    context.claim(&[key])?;
    Ok(Outcome::Applied)
}

/// All subscriptions of the account.
pub(crate) fn all(host: &mut Rows<'_>) -> Result<Vec<Subscription>, StoreError> {
    host.subscriptions()
}

/// What is remembered beside each of these subscriptions, in their order.
pub(crate) fn billings(host: &mut Rows<'_>, rows: &[Subscription]) -> Fallible<Vec<Billing>> {
    let mut out = Vec::with_capacity(rows.len());
    for part in rows.chunks(BULK_MAX) {
        let ids: Vec<String> = part.iter().map(|row| row.id.clone()).collect();
        for stored in host.records_load("billing", &ids)? {
            out.push(match stored {
                Some(row) => decode("billing", &row.id, &row.value)?,
                None => Billing::default(),
            });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
