//! `customer.subscription.*`: merges a snapshot of a subscription. A snapshot with unknown prices grants nothing new,
//! but a failed payment in it takes effect.

use crate::actions::permission::check_owner;
use crate::actions::retrieve::{KnownSnapshots, retrieve_again, retrieve_snapshot};
use crate::actions::session_lookup::wait_for_owner;
use crate::catalog::built_in_facts;
use crate::catalog::terms::CatalogPrice;
use crate::desk::Desk;
use crate::desk::react::publish;
use crate::input::stripe::{self, id_of};
use crate::model::halt::{Halt, Ruled};
use crate::model::ids::PriceId;
use crate::model::keys::{ClaimKey, FactKey};
use crate::model::mail_kinds;
use crate::model::merge::News;
use crate::model::merge::subscription::{BOUNDS, SubscriptionSnapshot, first, is_newer, merge};
use crate::model::notice::send_once;
use crate::model::records::cancellation::{Because, StripeDetails};
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription::{Pause, Previous, State, SubscriptionRow, is_final};
use crate::model::records::subscription_history::BillingHistory;
use crate::model::time::{from_seconds, rfc3339};
use extension_contract::*;
use serde_json::json;
use std::rc::Rc;

/// Maximum number of characters that are kept of what Stripe says, more than a command sends.
const DETAILS_CHARS_MAX: usize = 1_100;

/// Decides an event.
pub(super) fn decide(
    desk: &mut Desk<'_>,
    object: &stripe::Subscription<'_>,
    previous: Option<&stripe::PreviousSubscription<'_>>,
) -> Ruled<Outcome> {
    if desk.kind == "customer.subscription.trial_will_end" {
        return trial_will_end(desk, object);
    }
    let rank = match desk.kind {
        "customer.subscription.created" => SnapshotRank::Created,
        "customer.subscription.deleted" => SnapshotRank::Deleted,
        _ => SnapshotRank::Updated,
    };
    let outcome = apply(desk, object, desk.payment_time, rank, Precedence::PreviousAttributes(previous))?;
    match desk.kind {
        "customer.subscription.pending_update_expired" => notify_expired(desk, object, outcome),
        _ => Ok(outcome),
    }
}

/// Merges a retrieved subscription. `at` is the date of Stripe's response. The snapshot is newer than the snapshots of
/// the events `known`.
pub(super) fn retrieved(desk: &mut Desk<'_>, object: &str, at: Timestamp, known: &[String]) -> Ruled<Outcome> {
    let object = stripe::read_retrieved::<stripe::Subscription<'_>>(object)?;
    apply(desk, &object, at, SnapshotRank::Retrieved, Precedence::KnownEvents(known))
}

/// Evidence that a snapshot is newer than other snapshots.
enum Precedence<'p> {
    /// The snapshot's `previous_attributes`.
    PreviousAttributes(Option<&'p stripe::PreviousSubscription<'p>>),
    /// Ids of the events whose snapshots were known when the snapshot was retrieved.
    KnownEvents(&'p [String]),
}

/// Merges a snapshot.
fn apply(
    desk: &mut Desk<'_>,
    object: &stripe::Subscription<'_>,
    at: Timestamp,
    rank: SnapshotRank,
    before: Precedence<'_>,
) -> Ruled<Outcome> {
    let id = object.id.as_ref();
    check_owner(desk, object.metadata.as_ref())?;
    let known = desk.account.get::<SubscriptionRow>(id)?;
    let is_retrieved = rank == SnapshotRank::Retrieved;
    if object.items.as_ref().is_some_and(|list| list.has_more) {
        if is_retrieved {
            return Err(Refusal::WrongShape(format!("{id}: the response does not contain all items")).into());
        }
        return match known {
            // The retrieved snapshot, or a newer one, is already stored.
            Some(row) if row.at > at || (row.at == at && row.rank == SnapshotRank::Retrieved) => {
                Ok(Outcome::Stale(row.snapshot()))
            }
            _ => retrieve_snapshot(desk, "subscription", id, at),
        };
    }
    // The subscription is not claimed yet, and this snapshot names no customer. The retrieved object names the customer.
    if known.is_none() && id_of(&object.customer).is_none() && !is_retrieved {
        return retrieve_snapshot(desk, "subscription", id, at);
    }
    if known.is_none()
        && let Some(outcome) = wait_for_owner(desk, id, object.metadata.as_ref())?
    {
        return Ok(outcome);
    }
    let state = read_state(object)?;
    let view = SubscriptionSnapshot {
        at,
        created: object.created.and_then(from_seconds),
        rank,
        event_id: desk.event_id.to_owned(),
        customer: id_of(&object.customer).map(str::to_owned),
        previous: match before {
            Precedence::PreviousAttributes(previous) => read_previous(previous, id, &state)?.into_iter().collect(),
            Precedence::KnownEvents(events) => {
                known.iter().flat_map(|row| row.views_of(events)).map(Previous::all_of).collect()
            }
        },
        state,
    };
    if known.is_none() && view.customer.is_none() {
        return Err(Refusal::Malformed("/data/object/customer".to_owned()).into());
    }
    // Only a status that grants something requires known prices.
    if matches!(view.state.status, SubscriptionStatus::Active | SubscriptionStatus::Trialing)
        && let Err(refusal) = check_items(desk, &view.state.items)?
    {
        return match known {
            Some(row) if !is_newer(&row, &view) => Ok(Outcome::Stale(row.snapshot())),
            _ => Err(refusal.into()),
        };
    }
    let planned_end = planned_end(&view.state);
    let (mut row, news) = match &known {
        None => (first(view, BOUNDS), News::Changed),
        Some(row) => {
            let mut merged = SubscriptionRow::clone(row);
            let news = merge(&mut merged, view, BOUNDS)?;
            (merged, news)
        }
    };
    let changed = known.as_deref() != Some(&row);
    let known_customer = known.as_ref().map(|row| &row.customer_id);
    if let Some(customer) = known_customer.filter(|_| row.is_unclear) {
        // A deferred event takes no claims, so the customer is changed only by the retrieved snapshot.
        row.customer_id.clone_from(customer);
    }
    // Claims are checked before anything is saved.
    if known_customer != Some(&row.customer_id) {
        desk.account.claim([ClaimKey::Subscription(id), ClaimKey::Customer(&row.customer_id)])?;
    }
    if row.state().trial_end.is_some() {
        for item in &row.state().items {
            let Some(price) = desk.catalog.price(&item.price_id.as_str().into())? else { continue };
            let sold_as = price.family.as_deref().unwrap_or(&price.product_id);
            desk.account.record_fact(&FactKey::Trial(sold_as).to_string())?;
        }
    }
    // Published only now, when the event can no longer be rejected.
    if known.is_none() {
        publish(desk, &built_in_facts::SUBSCRIPTION_CREATED, id, &[id])?;
    }
    if desk.kind == "customer.subscription.updated" {
        let event = desk.event_id;
        publish(desk, &built_in_facts::SUBSCRIPTION_UPDATED, event, &[id])?;
    }
    let Because { reason, comment } = row.because();
    let (reason, comment) = (reason.unwrap_or_default(), comment.unwrap_or_default());
    // Also a snapshot that is no longer the newest one shows that an end was planned.
    if let Some(end) = planned_end {
        let (reference, at) = (format!("{id}:{end}"), rfc3339(end));
        publish(desk, &built_in_facts::SUBSCRIPTION_CANCEL_PLANNED, &reference, &[id, &at, &reason, &comment])?;
    }
    if row.is_final() && !known.is_some_and(|known| known.is_final()) {
        desk.account.record_new_fact(FactKey::Ended(id).to_string());
        publish(desk, &built_in_facts::SUBSCRIPTION_CANCELED, id, &[id, &reason, &comment])?;
    }
    let (snapshot, is_unclear) = (row.snapshot(), row.is_unclear && row.at == at);
    let known_snapshots =
        is_unclear.then(|| KnownSnapshots { events: row.events(), views: row.views_beside_an_answer() });
    if changed {
        desk.account.put(id, row);
    }
    let purchase = object.metadata.as_ref().and_then(|metadata| metadata.purchase_id.as_deref());
    if let Some(purchase) = purchase.filter(|purchase| !purchase.is_empty()) {
        link_purchase(desk, id, purchase)?;
    }
    if let Some(known_snapshots) = known_snapshots {
        return retrieve_again(desk, "subscription", id, at, known_snapshots);
    }
    Ok(match news {
        News::Changed => Outcome::Applied,
        News::Same => Outcome::Duplicate(format!("view:{id}:{at}")),
        News::Older => Outcome::Stale(snapshot),
    })
}

/// Returns when a subscription with this state is to end; `None` if it goes on, or has ended.
fn planned_end(state: &State) -> Option<Timestamp> {
    let period_end = || state.items.iter().map(|item| item.period_end).max();
    let planned = state.cancel_at.or_else(|| period_end().filter(|_| state.cancel_at_period_end));
    planned.filter(|_| !is_final(state.status))
}

/// Stores the purchase of a subscription in its billing history, unless a session has already done so.
fn link_purchase(desk: &mut Desk<'_>, id: &str, purchase: &str) -> Ruled<()> {
    let billing = desk.account.get::<BillingHistory>(id)?;
    if billing.as_ref().is_some_and(|billing| billing.purchase.is_some())
        || desk.account.get::<PurchaseRow>(purchase)?.is_none()
    {
        return Ok(());
    }
    let billing = billing.as_deref().cloned().unwrap_or_default();
    desk.account.put(id, BillingHistory { purchase: Some(purchase.to_owned()), ..billing });
    Ok(())
}

/// Checks that the catalog has every price, with at most one plan of a family. A metered item has no quantity and
/// grants nothing by itself; next to an item of ours, its price need not be in the catalog.
fn check_items(desk: &Desk<'_>, items: &[SubscriptionItem]) -> Ruled<Result<(), Refusal>> {
    let ids: Vec<PriceId> = items.iter().map(|item| item.price_id.as_str().into()).collect();
    let prices = desk.catalog.prices(ids.iter())?;
    let one_is_ours = prices.iter().any(Option::is_some);
    let unknown = |(item, price): &(&SubscriptionItem, &Option<Rc<CatalogPrice>>)| {
        price.is_none() && !(one_is_ours && item.quantity == 0)
    };
    if let Some((item, _)) = items.iter().zip(&prices).find(unknown) {
        return Ok(Err(Refusal::UnknownPrice(item.price_id.clone())));
    }
    let plans: Vec<&Rc<CatalogPrice>> = prices.iter().flatten().filter(|price| price.family.is_some()).collect();
    for (index, plan) in plans.iter().enumerate() {
        if let Some(other) = plans[..index].iter().find(|other| other.family == plan.family) {
            return Ok(Err(Refusal::Inconsistent(format!("{} and {} of one family", other.id, plan.id))));
        }
    }
    Ok(Ok(()))
}

/// Parses Stripe's status, including the spelling `cancelled` that the platform uses.
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

/// Reads a pause. An unknown behaviour counts as no pause.
fn read_pause(shape: Option<&stripe::PauseCollection<'_>>) -> Option<Pause> {
    Pause::parse(shape?.behavior.as_deref()?)
}

/// Reads why a subscription is cancelled. Members that are absent are those of `unchanged`.
fn read_details(shape: Option<&stripe::CancellationDetails<'_>>, unchanged: &StripeDetails) -> StripeDetails {
    let Some(shape) = shape else { return unchanged.clone() };
    let read = |given: &Option<Option<stripe::Text<'_>>>, unchanged: &Option<String>| match given {
        None => unchanged.clone(),
        Some(text) => {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| text.chars().take(DETAILS_CHARS_MAX).collect())
        }
    };
    StripeDetails {
        feedback: read(&shape.feedback, &unchanged.feedback),
        comment: read(&shape.comment, &unchanged.comment),
    }
}

fn read_state(object: &stripe::Subscription<'_>) -> Ruled<State> {
    let missing = |field: &str| Halt::Refused(Refusal::Malformed(format!("/data/object/{field}")));
    let status = object.status.as_deref().ok_or_else(|| missing("status"))?;
    let status = parse_status(status).ok_or_else(|| Refusal::UnknownStatus(status.to_owned()))?;
    let period = (
        stripe::time(object.current_period_start, "/data/object/current_period_start")?,
        stripe::time(object.current_period_end, "/data/object/current_period_end")?,
    );
    let items = match (&object.items, id_of(&object.plan)) {
        (Some(list), _) => read_items(&list.data, &object.id, period)?,
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
    let ended_at = stripe::time(object.ended_at, "/data/object/ended_at")?;
    Ok(State {
        status,
        items,
        cancel_at_period_end: object.cancel_at_period_end.unwrap_or(false),
        cancel_at: stripe::time(object.cancel_at, "/data/object/cancel_at")?,
        trial_end: stripe::time(object.trial_end, "/data/object/trial_end")?,
        ended_at: ended_at.filter(|_| is_final(status)),
        pause: read_pause(object.pause_collection.as_ref()),
        said: read_details(object.cancellation_details.as_ref(), &StripeDetails::default()),
    })
}

/// Reads the items, sorted by id, so that the sender's order does not matter.
fn read_items(
    shapes: &[stripe::Item<'_>],
    subscription: &str,
    period: (Option<Timestamp>, Option<Timestamp>),
) -> Ruled<Vec<SubscriptionItem>> {
    let mut out = Vec::with_capacity(shapes.len());
    for (index, item) in shapes.iter().enumerate() {
        let pointer = |field: &str| format!("/data/object/items/data/{index}/{field}");
        let Some(price_id) = item.price_id() else { return Err(Refusal::Malformed(pointer("price")).into()) };
        let time = |at: Option<i64>, field: &str| match at {
            None => Ok(None),
            at => stripe::time(at, &pointer(field)),
        };
        let start = time(item.current_period_start, "current_period_start")?.or(period.0);
        let end = time(item.current_period_end, "current_period_end")?.or(period.1);
        out.push(SubscriptionItem {
            id: id_of(&item.id).map_or_else(|| format!("{subscription}/{price_id}"), str::to_owned),
            price_id: price_id.to_owned(),
            quantity: item.quantity.unwrap_or(0),
            period_start: start.unwrap_or(0),
            period_end: end.unwrap_or(0),
        });
    }
    out.sort_by(|a: &SubscriptionItem, b| a.id.cmp(&b.id));
    Ok(out)
}

/// Reads `previous_attributes`. Unchanged values are taken from the snapshot itself, so that all API versions give the
/// same result.
fn read_previous(
    shape: Option<&stripe::PreviousSubscription<'_>>,
    subscription: &str,
    state: &State,
) -> Ruled<Option<Previous>> {
    let Some(shape) = shape else { return Ok(None) };
    let start = stripe::time(shape.current_period_start, "/data/previous_attributes/current_period_start")?;
    let end = stripe::time(shape.current_period_end, "/data/previous_attributes/current_period_end")?;
    let now = state.items.first().map(|item| (item.period_start, item.period_end));
    let period = (start.or(now.map(|now| now.0)), end.or(now.map(|now| now.1)));
    let items = match &shape.items {
        Some(list) => Some(read_items(&list.data, subscription, period)?),
        // A period of the whole subscription applies to each item.
        None if start.is_some() || end.is_some() => {
            let moved = |item: &SubscriptionItem| SubscriptionItem {
                period_start: start.unwrap_or(item.period_start),
                period_end: end.unwrap_or(item.period_end),
                ..item.clone()
            };
            Some(state.items.iter().map(moved).collect())
        }
        None => None,
    };
    let previous = Previous {
        status: shape.status.as_deref().and_then(parse_status),
        cancel_at_period_end: shape.cancel_at_period_end,
        cancel_at: match shape.cancel_at {
            None => None,
            Some(seconds) => Some(stripe::time(seconds, "/data/previous_attributes/cancel_at")?),
        },
        items,
        pause: shape.pause_collection.as_ref().map(|pause| read_pause(pause.as_ref())),
        // Details whose other members changed say nothing about these.
        said: shape
            .cancellation_details
            .as_ref()
            .filter(|details| details.feedback.is_some() || details.comment.is_some())
            .map(|details| read_details(Some(details), &state.said)),
    };
    Ok((previous != Previous::default()).then_some(previous))
}

/// Sends one notice for each pending change that expired unpaid, even if the snapshot itself is stale.
fn notify_expired(desk: &mut Desk<'_>, object: &stripe::Subscription<'_>, outcome: Outcome) -> Ruled<Outcome> {
    let reference = format!("{}:{}", object.id, desk.payment_time);
    let is_told = desk.account.is_known(&mail_kinds::CHANGE_EXPIRED.key(&reference).to_string())?;
    if is_told || matches!(outcome, Outcome::Deferred(_)) {
        return Ok(outcome);
    }
    let values = json!({"subscription": object.id, "at": rfc3339(desk.payment_time)});
    send_once(&mut desk.account, &mail_kinds::CHANGE_EXPIRED, &reference, &values)?;
    Ok(Outcome::Applied)
}

/// Sends one notice for each end of a trial.
fn trial_will_end(desk: &mut Desk<'_>, object: &stripe::Subscription<'_>) -> Ruled<Outcome> {
    check_owner(desk, object.metadata.as_ref())?;
    let end = stripe::time(object.trial_end, "/data/object/trial_end")?;
    let fact = FactKey::TrialWillEnd { subscription: &object.id, end: end.unwrap_or(0) }.to_string();
    let customer = id_of(&object.customer).map(ClaimKey::Customer);
    desk.account.claim([ClaimKey::Subscription(&object.id)].into_iter().chain(customer))?;
    if !desk.account.record_fact(&fact)? {
        return Ok(Outcome::Duplicate(fact));
    }
    // No notice about a payment that will not be taken: the subscription ends with the trial, or the trial is over.
    let known = desk.account.get::<SubscriptionRow>(&object.id)?.filter(|row| row.at > desk.payment_time);
    let ends = object.cancel_at_period_end == Some(true) || object.cancel_at.is_some();
    // Stripe announces a trial that it ends at once with its end.
    let is_over = end.is_some_and(|end| desk.payment_time < end && end <= desk.now);
    let was_ended = known.as_ref().is_some_and(|row| row.status() != SubscriptionStatus::Trialing || row.is_ending());
    // An operator has moved the end since; Stripe announces the new one as well.
    let was_moved = known.is_some_and(|row| row.state().trial_end.is_some_and(|known| Some(known) != end));
    if ends || is_over || was_ended || was_moved {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    let values = json!({"subscription": object.id, "trial_end": end.map(rfc3339), "needs_card": object.needs_card()});
    send_once(&mut desk.account, &mail_kinds::TRIAL_WILL_END, &fact, &values)?;
    Ok(Outcome::Applied)
}
