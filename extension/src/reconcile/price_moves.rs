//! Moves subscriptions from former prices to the price of today (`price_moves`): announces the new price by mail, and
//! requests the change some days before the first renewal after the notice. Until then, a catalog without the move stops it.

use super::schedule::DesiredSchedule;
use crate::actions::subscription_change::request_change;
use crate::catalog::price::{Interval, prices_of};
use crate::catalog::price_move::PriceMove;
use crate::catalog::terms::CatalogPrice;
use crate::derive::currency;
use crate::derive::standing::AccountStanding;
use crate::derive::subscriptions::SubscriptionFacts;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::subscription_history::{BillingHistory, Moving, PendingChange};
use crate::model::time::{DAY_MS, rfc3339};
use extension_contract::{Money, SubscriptionItem, SubscriptionStatus};
use serde_json::json;
use std::rc::Rc;

/// How long before a renewal the change is requested: long enough for all attempts of the request.
const ASKED_BEFORE_MS: i64 = 3 * DAY_MS;

/// An item at a former price, and the price to which it is moved.
struct Move {
    item: SubscriptionItem,
    to: Rc<CatalogPrice>,
    /// The former amount and that of today, in the currency in which the account pays.
    amounts: (Money, Money),
    terms: PriceMove,
}

/// Announces and requests the moves of the account's subscriptions.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    for facts in &standing.subscriptions {
        let wanted = match standing.settings.price_moves.is_empty() {
            true => None,
            false => wanted(desk, standing, facts)?,
        };
        let Some(billing) = desk.account.get_here::<BillingHistory>(&facts.id)? else { continue };
        match wanted {
            Some(wanted) => advance(desk, facts, &billing, &wanted, desired)?,
            None if billing.moving.is_some() => {
                desk.account.put(&facts.id, BillingHistory { moving: None, ..BillingHistory::clone(&billing) });
            }
            None => {}
        }
    }
    Ok(())
}

/// Returns the move of a subscription; `None` if it stays at its price, or if its owner leaves or pauses.
fn wanted(desk: &mut Desk<'_>, standing: &AccountStanding, facts: &SubscriptionFacts) -> Ruled<Option<Move>> {
    let row = &facts.row;
    if row.is_final() || row.is_leaving() || row.paused.is_some() {
        return Ok(None);
    }
    for item in &row.state().items {
        let Some(from) = desk.catalog.price(&item.price_id.as_str().into())? else { continue };
        let Some(terms) = standing.settings.price_moves.get(&*from.product_id) else { continue };
        let Some(product) = desk.catalog.product(&from.product_id)?.filter(|product| product.values.active) else {
            continue;
        };
        let prices =
            prices_of(&product.values, &*desk.catalog.metadata(&from.product_id)?, &standing.settings.currency);
        let today = prices.into_iter().find(|price| price.interval == Interval::of(from.interval));
        let Some(today) = today.and_then(|price| price.id).filter(|id| *id != from.id && terms.includes(&from.id))
        else {
            continue;
        };
        let Some(to) = desk.catalog.price(&today)? else { continue };
        let currency = currency::chosen(desk)?;
        let currency = currency.as_deref();
        let amounts = (currency::amount(&from, currency)?, currency::amount(&to, currency)?);
        // Nobody is moved to another currency.
        if currency.is_some_and(|currency| amounts.1.currency != currency) {
            continue;
        }
        return Ok(Some(Move { item: item.clone(), to, amounts, terms: terms.clone() }));
    }
    Ok(None)
}

/// Takes the next step of a move: the mail, and then the change at the first renewal after the notice.
fn advance(
    desk: &mut Desk<'_>,
    facts: &SubscriptionFacts,
    billing: &BillingHistory,
    wanted: &Move,
    desired: &mut DesiredSchedule,
) -> Ruled<()> {
    let (id, now) = (&facts.id, desk.now);
    // While a payment fails, a move that was announced stays as it is.
    if facts.row.status() != SubscriptionStatus::Active {
        return Ok(());
    }
    let known = billing.moving.clone().filter(|moving| moving.to == wanted.to.id);
    let moving = match known {
        Some(moving) => moving,
        None => announce(desk, facts, billing, wanted)?,
    };
    let renewal = wanted.item.period_end;
    if renewal < moving.after || moving.asked_for == Some(renewal) {
        return Ok(());
    }
    let asked_at = renewal.saturating_sub(ASKED_BEFORE_MS);
    if asked_at > now {
        desired.timer(now, TimerKey::Move { subscription: id.to_string(), due: asked_at }, asked_at);
        return Ok(());
    }
    // The change that the owner has planned comes first.
    let billing = desk.account.row::<BillingHistory>(id)?.unwrap_or_default();
    let is_planned = billing.pending.as_ref().is_some_and(|pending| pending.at > now);
    if is_planned || billing.changing.is_some() || renewal <= now {
        return Ok(());
    }
    let quantity = wanted.item.quantity;
    let mut payload = json!({
        "subscription": id, "item": wanted.item.id, "price": wanted.to.id, "at": "period_end",
        "period_end_ms": renewal, "proration_behavior": "none",
    });
    if wanted.to.terms()?.by_seat {
        payload["quantity"] = json!(quantity);
    }
    let pending = Some(PendingChange { price: wanted.to.id.clone(), quantity, at: renewal });
    let key = EffectKey::Move { subscription: id.clone(), renewal };
    let moving = Some(Moving { asked_for: Some(renewal), ..moving });
    request_change(desk, id, BillingHistory { pending, moving, ..billing }, &key, &payload, None)
}

/// Sends the mail about the new price, and remembers from when on a renewal may have it.
fn announce(desk: &mut Desk<'_>, facts: &SubscriptionFacts, billing: &BillingHistory, wanted: &Move) -> Ruled<Moving> {
    let id = &facts.id;
    let moving = Moving { to: wanted.to.id.clone(), after: wanted.terms.earliest(desk.now), asked_for: None };
    desk.account.put(id, BillingHistory { moving: Some(moving.clone()), ..billing.clone() });
    let (from, to) = &wanted.amounts;
    // A price that differs only in its id needs no mail.
    if from != to {
        let values = json!({
            "subscription": id, "plan": wanted.to.product_id, "from_minor": from.amount_minor,
            "to_minor": to.amount_minor, "currency": to.currency,
            "interval": Interval::of(wanted.to.interval).name(), "quantity": wanted.item.quantity,
            "at": rfc3339(moving.after),
        });
        let reference = format!("{id}:{}:{}", wanted.to.id, moving.after);
        send_once(&mut desk.account, &mail_kinds::PRICE_CHANGE, &reference, &values)?;
    }
    Ok(moving)
}
