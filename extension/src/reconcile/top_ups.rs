//! Buys credits when they run low, off session, with the card that the customer has used before. One purchase is under way at a time, and
//! a month costs at most what the account has said.

use super::credits::invoices;
use super::schedule::DesiredSchedule;
use crate::actions::top_up::{agreed, stop};
use crate::catalog::account_name::{metadata_naming, text_of};
use crate::derive::currency;
use crate::derive::customer::customer;
use crate::derive::offer::{self, SelectedOffer};
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::{Halt, Ruled};
use crate::model::json::{Object, short_hash};
use crate::model::keys::{ClaimKey, EffectKey, TimerKey};
use crate::model::money::to_micros;
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::purchase::{Details, PurchaseRow};
use crate::model::records::top_up::{Stopped, TopUp};
use crate::model::time::{month_id, month_of};
use extension_contract::{Money, PurchaseStatus, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Brings the account's credits above its limit, unless a purchase is under way.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let Some(known) = desk.account.get_here::<TopUp>(TopUp::ID)? else { return Ok(()) };
    let mut row = TopUp::clone(&known);
    if let Some(open) = &row.open {
        let purchase = desk.account.get::<PurchaseRow>(open)?;
        if purchase.is_none_or(|purchase| purchase.values.status != PurchaseStatus::Pending) {
            row.open = None;
        }
    }
    if row.on && has_returned_credits(desk, row.since)? {
        stop_here(desk, &mut row, Stopped::Returned)?;
    }
    let is_possible =
        row.on && row.open.is_none() && standing.closed_at.is_none() && standing.settings.top_up.is_some();
    if is_possible && is_low(desk, &row)? {
        buy(desk, standing, &mut row, desired)?;
    }
    if row != *known {
        desk.account.put(TopUp::ID, row);
    }
    Ok(())
}

/// Returns whether the event has taken back credits, or is about to: of a purchase, or of an invoice with its payments. A dispute that
/// began since a time counts also if it is won by now: of its two events, the second one can come first.
fn has_returned_credits(desk: &mut Desk<'_>, since: Timestamp) -> Ruled<bool> {
    for id in desk.account.touched::<Payment>() {
        let Some(payment) = desk.account.get::<Payment>(&id)? else { continue };
        let was_disputed = payment.was_disputed_since(since);
        if let Some(source) = payment.purchase.clone().or(payment.invoice.clone().map(String::from))
            && was_disputed
            && desk.account.get::<Lot>(&source)?.is_some()
        {
            return Ok(true);
        }
    }
    let mut ids: BTreeSet<String> = desk.account.touched::<PurchaseRow>().into_iter().collect();
    ids.extend(invoices(desk)?);
    for id in ids {
        let lot = desk.account.get::<Lot>(&id)?;
        if lot.is_some_and(|lot| lot.held_micros > 0 || lot.taken_micros + lot.owed_micros > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the credits are below the account's limit.
fn is_low(desk: &mut Desk<'_>, row: &TopUp) -> Ruled<bool> {
    let mut left = 0i64;
    for (_, lot) in desk.account.all_where(|lot: &Lot| lot.currency == row.amount.currency)? {
        left = left.saturating_add(lot.left_micros()).saturating_sub(lot.owed_micros - lot.repaid_micros);
    }
    Ok(left < to_micros(row.below_minor, &row.amount.currency))
}

/// Requests the payment of the agreed product, if the month has room for it.
fn buy(desk: &mut Desk<'_>, standing: &AccountStanding, row: &mut TopUp, desired: &mut DesiredSchedule) -> Ruled<()> {
    let month = month_id(desk.now);
    if row.month != month {
        (row.month, row.asked_minor) = (month, 0);
    }
    let Some(asked_minor) = row.asked_minor.checked_add(row.amount.amount_minor) else { return Ok(()) };
    let bound = standing.settings.top_up.as_ref().map_or(0, |terms| terms.at_most);
    if asked_minor > row.limit_minor.min(bound) {
        // The next month has room again.
        let (_, due) = month_of(desk.now);
        desired.timer(desk.now, TimerKey::TopUp { due }, due);
        return Ok(());
    }
    let Some(customer) = customer(desk)? else { return Ok(()) };
    let Some((offer, unit_price)) = agreed_offer(desk, standing, row)? else {
        return stop_here(desk, row, Stopped::Repriced);
    };
    let account = desk.account.owned()?;
    let id = format!("pur_{}", short_hash(&format!("top-up/{}/{}", text_of(&account), row.number)));
    desk.account.claim([ClaimKey::Purchase(&id)])?;
    let settings = desk.catalog.settings()?;
    let values = offer.agreed(unit_price, &settings.provider)?;
    let mut metadata = offer.metadata(&account)?;
    metadata.insert("purchase_id".to_owned(), json!(id));
    metadata.extend(metadata_naming(&account).into_iter().flatten());
    let mut payload = json!({
        "customer": customer, "price": offer.price.id, "amount_minor": row.amount.amount_minor,
        "currency": row.amount.currency, "description": offer.product.values.name, "metadata": metadata,
    });
    if let Some(tax) = settings.tax {
        payload["tax_behavior"] = json!(tax.behavior());
    }
    let details =
        Details { sold: offer.sold()?, asked_at: Some(desk.now), without_checkout: true, ..Details::default() };
    desk.account.put(&id, PurchaseRow { values, details });
    let about = Correlation::TopUp { purchase: id.clone() };
    desk.account.ask(request(&EffectKey::TopUp { purchase: id.clone() }, &payload, Some(&about))?);
    (row.asked_minor, row.open, row.number) = (asked_minor, Some(id), row.number + 1);
    Ok(())
}

/// Returns the offer that the account has agreed to; `None` if the account can't buy it any more, or on other terms.
fn agreed_offer(desk: &mut Desk<'_>, standing: &AccountStanding, row: &TopUp) -> Ruled<Option<(SelectedOffer, Money)>> {
    let body: Object = [
        ("product_id".to_owned(), json!(row.product)),
        ("quantity".to_owned(), Value::from(row.quantity)),
        ("currency".to_owned(), json!(row.amount.currency)),
    ]
    .into_iter()
    .collect();
    let mut find = || {
        let offer = offer::find(&desk.catalog, &body)?;
        offer.check_buyer(desk, standing)?;
        let unit_price = currency::unit_price(desk, &body, &offer.price)?;
        Ok((offer, unit_price))
    };
    let (offer, unit_price) = match find() {
        Ok(found) => found,
        Err(Halt::Refused(_)) => return Ok(None),
        Err(halt) => return Err(halt),
    };
    let amount = unit_price.amount_minor.checked_mul(i64::from(offer.quantity));
    let is_agreed = amount == Some(row.amount.amount_minor) && unit_price.currency == row.amount.currency;
    let is_same = agreed(&offer, standing.settings.tax)? == row.terms;
    Ok((is_agreed && is_same && offer.is_credit()?).then_some((offer, unit_price)))
}

/// Turns the top-up off because of the event.
fn stop_here(desk: &mut Desk<'_>, row: &mut TopUp, because: Stopped) -> Ruled<()> {
    let (amount, reference) = (row.amount.clone(), format!("{}:{}", because.name(), desk.event_hash()));
    stop(desk, row, because, &amount, &reference)
}
