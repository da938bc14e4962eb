//! `price.*` of the provider: a known price is checked, and is no longer sold when it is withdrawn. Nothing is removed:
//! who has a price keeps what it grants.

use crate::catalog::desk::Desk;
use crate::catalog::price::Interval;
use crate::input::stripe;
use crate::model::halt::Ruled;
use crate::model::json::encode;
use crate::model::merge::price::{OnSale, merge};
use crate::model::notice::{To, send_once};
use extension_contract::*;
use serde_json::json;

/// Whether it is the interval of a price of the catalog; what is not told contradicts nothing.
fn fits(told: &stripe::Recurring<'_>, interval: Option<BillingInterval>) -> bool {
    let Some(interval) = interval else { return false };
    told.interval.as_deref().is_none_or(|unit| unit == Interval::of(Some(interval)).name())
        && told.interval_count.is_none_or(|count| count == interval.count)
}

/// Decide an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Price<'_>) -> Ruled<Outcome> {
    if !desk.account.is_platform() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    if object.id.0.is_empty() {
        return Err(Refusal::Malformed("/data/object/id".to_owned()).into());
    }
    let Some(known) = desk.catalog.price(&object.id.0)? else {
        return Ok(Outcome::Ignored(IgnoreReason::NotOurs));
    };
    let mut price = Price::clone(&known);
    if let (Some(amount_minor), Some(currency)) = (object.unit_amount, object.currency.as_deref())
        && (amount_minor != price.amount.amount_minor || currency != price.amount.currency)
    {
        let actual = Money { amount_minor, currency: currency.to_owned() };
        let values =
            json!({"price": price.id, "catalog_minor": price.amount.amount_minor, "stripe_minor": amount_minor});
        send_once(&mut desk.account, "price_mismatch", To::Admin, &price.id, &values)?;
        return Err(Refusal::AmountMismatch(AmountMismatch { expected: price.amount, actual }).into());
    }
    if object.recurring.as_ref().is_some_and(|recurring| !fits(recurring, price.interval)) {
        return Err(Refusal::Inconsistent("/data/object/recurring".to_owned()).into());
    }
    let is_deleted = desk.kind == "price.deleted";
    let Some(active) = object.active.or(is_deleted.then_some(false)) else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    };
    let active = active && !is_deleted;
    let view = OnSale { at: desk.provider_time, withdrawn: !active };
    let mut terms = known.terms()?.clone();
    let merged = merge(terms.provider, view);
    match terms.provider {
        Some(known) if known == merged && known != view => {
            return Ok(Outcome::Stale(Snapshot { at: known.at, rank: SnapshotRank::Updated, event_id: String::new() }));
        }
        Some(known) if known == merged => return Ok(Outcome::Ignored(IgnoreReason::NoChange)),
        _ => {}
    }
    terms.provider = Some(merged);
    price.terms = encode(&terms)?;
    // It is on sale if both say so: the catalog and the provider.
    let in_catalog = desk.catalog.product(&price.product_id)?.is_none_or(|row| row.values.active);
    let was_active = std::mem::replace(&mut price.active, in_catalog && active);
    // That it was said at this time is kept in any case, so that views in another order end with the same price.
    let is_active = price.active;
    desk.account.put_price(price)?;
    Ok(match is_active == was_active {
        true => Outcome::Ignored(IgnoreReason::NoChange),
        false => Outcome::Applied,
    })
}
