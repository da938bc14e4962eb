//! `price.*`: checks a price of the catalog against Stripe's price, and stops its sale when Stripe withdraws it.
//! Existing subscriptions keep their grants.

use crate::catalog::price::Interval;
use crate::desk::Desk;
use crate::input::stripe;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::json::encode;
use crate::model::mail_kinds;
use crate::model::merge::price::{OnSale, merge};
use crate::model::notice::send_once;
use extension_contract::*;
use serde_json::json;

/// Returns whether Stripe's interval matches the catalog's. Missing values match.
fn matches_interval(recurring: &stripe::Recurring<'_>, interval: Option<BillingInterval>) -> bool {
    let Some(interval) = interval else { return false };
    recurring.interval.as_deref().is_none_or(|unit| unit == Interval::of(Some(interval)).name())
        && recurring.interval_count.is_none_or(|count| count == interval.count)
}

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Price<'_>) -> Ruled<Outcome> {
    if !desk.account.is_platform() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    if object.id.0.is_empty() {
        return Err(Refusal::Malformed("/data/object/id".to_owned()).into());
    }
    let Some(known) = desk.catalog.price(&PriceId::from(&*object.id.0))? else {
        return Ok(Outcome::Ignored(IgnoreReason::NotOurs));
    };
    let mut price = Price::clone(&known);
    if let (Some(amount_minor), Some(currency)) = (object.unit_amount, object.currency.as_deref())
        && (amount_minor != price.amount.amount_minor || currency != price.amount.currency)
    {
        let actual = Money { amount_minor, currency: currency.to_owned() };
        let values =
            json!({"price": price.id, "catalog_minor": price.amount.amount_minor, "stripe_minor": amount_minor});
        send_once(&mut desk.account, &mail_kinds::PRICE_MISMATCH, &price.id, &values)?;
        return Err(Refusal::AmountMismatch(AmountMismatch { expected: price.amount, actual }).into());
    }
    if object.recurring.as_ref().is_some_and(|recurring| !matches_interval(recurring, price.interval)) {
        return Err(Refusal::Inconsistent("/data/object/recurring".to_owned()).into());
    }
    let is_deleted = desk.kind == "price.deleted";
    let Some(active) = object.active.or(is_deleted.then_some(false)) else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    let active = active && !is_deleted;
    let snapshot = OnSale { at: desk.payment_time, withdrawn: !active };
    let mut terms = known.terms()?.clone();
    let merged = merge(terms.provider, snapshot);
    match terms.provider {
        Some(known) if known == merged && known != snapshot => {
            return Ok(Outcome::Stale(Snapshot { at: known.at, rank: SnapshotRank::Updated, event_id: String::new() }));
        }
        Some(known) if known == merged => return Ok(Outcome::Ignored(IgnoreReason::NoChange)),
        _ => {}
    }
    terms.provider = Some(merged);
    price.terms = encode(&terms)?;
    // A price is on sale if it is active both in the catalog and at Stripe.
    let in_catalog =
        desk.catalog.product(&price.product_id)?.map(|row| desk.catalog.sells(&row, &known.id)).transpose()?;
    let in_catalog = in_catalog.unwrap_or(true);
    let was_active = std::mem::replace(&mut price.active, in_catalog && active);
    // The time of the snapshot is always stored, so that the result does not depend on the order of events.
    let is_active = price.active;
    desk.account.put_price(price)?;
    Ok(match is_active == was_active {
        true => Outcome::Ignored(IgnoreReason::NoChange),
        false => Outcome::Applied,
    })
}
