//! `purchase.refund`: refunds a one-time purchase within the limits of its product type: unspent credits, or products
//! that were not used. An administrator may refund any part of the remaining amount. `first_period` refunds subscriptions.

pub(super) mod first_period;

use crate::catalog::amount::{self, fits};
use crate::catalog::product::required_text;
use crate::derive::sold;
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::SubscriptionId;
use crate::model::json::{Object, decode, encode};
use crate::model::keys::EffectKey;
use crate::model::money::{part_of, sendable};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::summary::Summary;
use crate::model::records::usage::UsageMonth;
use crate::model::time::{month_id, month_of};
use extension_contract::{ActorKind, Effect, EffectReport, FieldErrorCode, Outcome, Refusal};
use serde_json::{Value, json};

/// `purchase.refund`: requests a refund.
pub(super) fn refund(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let row = desk.account.row::<PurchaseRow>(&id)?;
    let subscription = match &row {
        Some(row) => row.values.subscription_id.clone(),
        None => desk.account.get::<SubscriptionRow>(&id)?.map(|_| id.clone()),
    };
    if let Some(subscription) = subscription {
        return first_period::refund(desk, body, &SubscriptionId::from(subscription));
    }
    let mut row = row.ok_or_else(|| Refusal::NotFound(id.clone()))?;
    let (Some(paid_at), Some(payment)) = (row.paid_once_at(), row.values.payment_intent_id.clone()) else {
        return Err(Refusal::BadTransition("not a paid one-time purchase".to_owned()).into());
    };
    if row.details.refused || !row.details.disputed.is_empty() {
        return Err(Refusal::BadTransition("disputed".to_owned()).into());
    }
    let left = row.paid_minor() - row.refunded_minor() - row.refunding_minor();
    let amount = match (desk.actor.kind, body.get("amount")) {
        (ActorKind::User, Some(amount)) if !amount.is_null() => {
            return Err(wrong_field("/amount", FieldErrorCode::ReadOnly, "only administrators may set it", ""));
        }
        (ActorKind::User, _) => (allowed(desk, &id, &row, paid_at)? - row.refunding_minor()).min(left),
        (_, None | Some(Value::Null)) => left,
        (_, Some(amount)) => amount.as_i64().filter(|amount| (1..=left).contains(amount)).ok_or_else(|| {
            wrong_field("/amount", FieldErrorCode::OutOfRange, "", format!("minor units from 1 to {left}"))
        })?,
    };
    // Stripe refuses an amount between the steps of the currency.
    let amount = sendable(amount, &row.values.total.currency);
    if amount <= 0 {
        return Err(Refusal::InsufficientBalance(format!("purchase {id}")).into());
    }
    let payload = json!({"payment_intent": payment, "amount_minor": amount, "reason": "requested_by_customer",
        "metadata": {"purchase_id": id, "asked_by": desk.actor.subject, "because": body.get("reason")}});
    let key = EffectKey::RefundAsked { purchase: id.clone(), asked_by: desk.event_hash() };
    row.details.refunding.insert(key.to_string(), amount);
    desk.account.put(&id, row);
    let about = Correlation::Refund { purchase: id.clone(), amount_minor: amount };
    let effect = request(&key, &payload, Some(&about))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    Ok(Outcome::Applied.into())
}

/// Returns the amount that the buyer may have refunded, in minor units.
fn allowed(desk: &mut Desk<'_>, id: &str, row: &PurchaseRow, paid_at: i64) -> Ruled<i64> {
    let [item] = row.values.items.as_slice() else { return Ok(0) };
    let Some(terms) = desk.catalog.sale_of(&item.product_id)?.and_then(|sale| sale.refund) else {
        return Err(Refusal::RequirementUnmet("refund".to_owned()).into());
    };
    if desk.now > terms.within.after(paid_at) {
        return Err(Refusal::RequirementUnmet(format!("refund within {}", terms.within.words())).into());
    }
    let paid = row.paid_minor();
    if let Some(lot) = desk.account.get::<Lot>(id)? {
        return Ok(part_of(paid, lot.unspent_micros(), lot.granted_micros));
    }
    let standing = standing(desk)?;
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    for grant in sold::prices(desk, row)?.iter().flat_map(|(price, _)| &price.grants) {
        let used = summary.consumed.get(&grant.key).copied().unwrap_or(0);
        let others = standing.allowed.get(&grant.key).map_or(&[][..], |allowed| &allowed.sources);
        let others = others.iter().filter(|(source, _)| source != id);
        let without = others.fold(0, |sum, (_, amount)| amount::add(sum, *amount, 1));
        if used > 0 && !fits(used, without) {
            return Err(Refusal::BadTransition(format!("{} is in use", grant.key)).into());
        }
    }
    let mut at = paid_at;
    while at <= desk.now {
        let (start, end) = month_of(at);
        let uses = desk.account.get::<UsageMonth>(&month_id(start))?;
        let names_it = |(_, value): &(String, String)| *value == item.product_id;
        if uses.is_some_and(|month| month.uses.0.iter().any(|used| used.attributes.iter().any(names_it))) {
            return Err(Refusal::BadTransition(format!("{} was used", item.product_id)).into());
        }
        at = end;
    }
    Ok(paid)
}

/// Handles the result of the refund request. The event about the refund books the refund. It may have come before: at once, or in
/// the life of a database that was restored since.
pub(super) fn completed(desk: &mut Desk<'_>, id: &str, amount_minor: i64, report: &EffectReport) -> Ruled<Verdict> {
    let (answer, is_over) = match &report.answer {
        Ok(answer) => {
            let reply = Answer::Value(encode(&json!({"purchase_id": id, "amount_minor": amount_minor}))?);
            let made: Object = decode("effects", &report.key, answer)?;
            (reply, is_reported(desk, id, made.get("id").and_then(Value::as_str))?)
        }
        Err(_) => (Answer::not_done("the refund was refused, and nothing was paid back"), true),
    };
    if is_over
        && let Some(mut row) = desk.account.row::<PurchaseRow>(id)?
        && row.details.refunding.remove(&report.key).is_some()
    {
        desk.account.put(id, row);
    }
    Ok(Verdict::answered(answer))
}

/// Returns whether an event has told of a refund of a purchase.
fn is_reported(desk: &mut Desk<'_>, purchase: &str, refund: Option<&str>) -> Ruled<bool> {
    let row = desk.account.get::<PurchaseRow>(purchase)?;
    let Some(intent) = row.and_then(|row| row.values.payment_intent_id.clone()) else { return Ok(false) };
    let payment = desk.account.get::<Payment>(&intent)?;
    Ok(payment.is_some_and(|payment| refund.is_some_and(|id| payment.refunds.contains_key(id))))
}
