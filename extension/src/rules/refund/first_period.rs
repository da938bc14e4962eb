//! Refunds the first period of a subscription within the time of its product's `refund`, and ends the subscription once Stripe has
//! accepted the refund. What was paid in the period goes back as a whole, changes of the plan included.

use crate::actions::subscription_change::{replace_change, wait_for_change};
use crate::catalog::span::Delay;
use crate::derive::unused::back_by_invoice;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::ids::{InvoiceId, SubscriptionId};
use crate::model::json::{Object, encode};
use crate::model::keys::{EffectKey, FactKey};
use crate::model::money::sendable;
use crate::model::records::cancellation::{Because, CancelRequest};
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::lot::Lot;
use crate::model::records::payment::Payment;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::{BillingHistory, FirstPeriodRefund};
use extension_contract::{ActorKind, Effect, EffectReport, FieldErrorCode, Money, Outcome, Refusal, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Requests the refund of a subscription's first period.
pub(super) fn refund(desk: &mut Desk<'_>, body: &Object, id: &SubscriptionId) -> Ruled<Verdict> {
    if body.get("amount").is_some_and(|amount| !amount.is_null()) {
        let expected = "no amount: the first period of a subscription is refunded as a whole";
        return Err(wrong_field("/amount", FieldErrorCode::NotAllowed, "", expected));
    }
    let not = |problem: &str| Err(Refusal::BadTransition(problem.to_owned()).into());
    let Some(row) = desk.account.get::<SubscriptionRow>(id)? else {
        return Err(Refusal::NotFound(id.to_string()).into());
    };
    if row.is_final() {
        return not("the subscription has ended");
    }
    if let Some(waits) = wait_for_change(desk, id)? {
        return Ok(waits.into());
    }
    let billing = desk.account.row::<BillingHistory>(id)?.unwrap_or_default();
    match () {
        () if billing.refused => return not("the subscription is being refunded"),
        () if billing.refunding.is_some() => return not("the refund has been asked for"),
        () if !billing.disputed.is_empty() => return not("disputed"),
        () => {}
    }
    let terms = terms(desk, &row)?;
    let paid = paid_invoices(desk, id)?;
    let Some((_, first)) = paid.first() else {
        return Err(Refusal::InsufficientBalance(format!("subscription {id}")).into());
    };
    if paid.iter().any(|(_, invoice)| invoice.paid_out_of_band) {
        return not("it was paid outside of Stripe");
    }
    let of_items = || row.state().items.iter().map(|item| item.period_end).max();
    let end = first.period_end.or_else(of_items).unwrap_or(Timestamp::MAX);
    let is_renewed = paid.iter().any(|(_, invoice)| invoice.period_start.is_some_and(|start| start >= end));
    if is_renewed || desk.now >= end {
        return Err(Refusal::RequirementUnmet("refund within the first period".to_owned()).into());
    }
    if desk.actor.kind == ActorKind::User {
        let paid_at = first.paid_at.unwrap_or(first.at);
        let Some(within) = terms.within else { return Err(Refusal::RequirementUnmet("refund".to_owned()).into()) };
        if desk.now > within.after(paid_at) {
            return Err(Refusal::RequirementUnmet(format!("refund within {}", within.words())).into());
        }
        for sold_as in &terms.sold_as {
            if desk.account.is_known(&FactKey::FirstPeriodRefunded(sold_as).to_string())? {
                return Err(Refusal::RequirementUnmet("refund once".to_owned()).into());
            }
        }
    }
    if desk.actor.kind == ActorKind::User {
        for (invoice, _) in &paid {
            if desk.account.row::<Lot>(invoice)?.is_some_and(|lot| lot.spent_micros > 0 || lot.repaid_micros > 0) {
                return Err(Refusal::BadTransition("its credits were used".to_owned()).into());
            }
        }
    }
    let Money { amount_minor, currency } = left(desk, &paid)?;
    if amount_minor <= 0 {
        return Err(Refusal::InsufficientBalance(format!("subscription {id}")).into());
    }
    let payload = json!({"subscription": id, "amount_minor": amount_minor, "currency": currency,
        "reason": "requested_by_customer",
        "metadata": {"subscription_id": id, "asked_by": desk.actor.subject, "because": body.get("reason")}});
    let key = EffectKey::RefundAsked { purchase: id.to_string(), asked_by: desk.event_hash() };
    let refunding = FirstPeriodRefund { key: key.to_string(), sold_as: terms.sold_as };
    desk.account.put(id, BillingHistory { refunding: Some(refunding), ..billing });
    let about = Correlation::FirstPeriod { subscription: id.clone(), amount_minor };
    let effect = request(&key, &payload, Some(&about))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    Ok(Outcome::Applied.into())
}

/// When the first period of a subscription is refunded, and of what an account gets such a refund once.
struct Terms {
    /// The shortest time of its products; `None` if one of them is not refunded.
    within: Option<Delay>,
    sold_as: BTreeSet<String>,
}

/// Returns the terms of the products that a subscription's items sell.
fn terms(desk: &mut Desk<'_>, row: &SubscriptionRow) -> Ruled<Terms> {
    let (mut shortest, mut is_refunded, mut sold_as) = (None::<Delay>, true, BTreeSet::new());
    for item in &row.state().items {
        let Some(price) = desk.catalog.price(&item.price_id.as_str().into())? else { continue };
        sold_as.insert(price.family.clone().unwrap_or_else(|| price.product_id.to_string()));
        match desk.catalog.sale_of(&price.product_id)?.and_then(|sale| sale.first_period) {
            Some(terms) => shortest = Some(shortest.map_or(terms.within, |other| other.min(terms.within))),
            None => is_refunded = false,
        }
    }
    Ok(Terms { within: shortest.filter(|_| is_refunded), sold_as })
}

/// Returns the invoices of a subscription with a payment, the earliest payment first. Reads all invoices of the account.
fn paid_invoices(desk: &mut Desk<'_>, id: &SubscriptionId) -> Ruled<Vec<(InvoiceId, Rc<Invoice>)>> {
    desk.account.load_whole(Invoice::COLLECTION)?;
    let is_paid = |invoice: &Invoice| {
        invoice.subscription.as_ref() == Some(id)
            && invoice.status == InvoiceStatus::Paid
            && invoice.takings_minor() > 0
    };
    let found = desk.account.all_where(is_paid)?.into_iter();
    let mut paid: Vec<(InvoiceId, Rc<Invoice>)> = found.map(|(id, invoice)| (InvoiceId::from(id), invoice)).collect();
    paid.sort_by_key(|(id, invoice)| (invoice.paid_at.unwrap_or(invoice.at), id.clone()));
    Ok(paid)
}

/// Returns what was received for invoices and did not go back yet.
fn left(desk: &mut Desk<'_>, paid: &[(InvoiceId, Rc<Invoice>)]) -> Ruled<Money> {
    desk.account.load_whole(Payment::COLLECTION)?;
    let back = back_by_invoice(desk, Payment::back_minor)?;
    let currency = paid.first().map_or_else(String::new, |(_, invoice)| invoice.currency.clone());
    let mut amount_minor = 0i64;
    for (id, invoice) in paid.iter().filter(|(_, invoice)| invoice.currency == currency) {
        let back = back.get(id).map_or(0, |payments| payments.values().sum());
        amount_minor = amount_minor.saturating_add((invoice.takings_minor() - back).max(0));
    }
    Ok(Money { amount_minor: sendable(amount_minor, &currency), currency })
}

/// Handles the result of the refund: if Stripe has accepted it, the subscription ends at once.
pub(in crate::rules) fn completed(
    desk: &mut Desk<'_>,
    id: &SubscriptionId,
    amount_minor: i64,
    report: &EffectReport,
) -> Ruled<Verdict> {
    let mut billing = desk.account.row::<BillingHistory>(id)?.unwrap_or_default();
    let refunding = billing.refunding.take_if(|refunding| refunding.key == report.key);
    if report.answer.is_err() {
        if refunding.is_some() {
            desk.account.put(id, billing);
        }
        return Ok(Verdict::answered(Answer::not_done("the refund was refused, and nothing was paid back")));
    }
    for sold_as in refunding.iter().flat_map(|refunding| &refunding.sold_as) {
        desk.account.record_fact(&FactKey::FirstPeriodRefunded(sold_as).to_string())?;
    }
    match desk.account.row::<SubscriptionRow>(id)?.filter(|row| !row.is_final()) {
        Some(row) => {
            let key = EffectKey::Cancel { subscription: id.clone(), asked_by: desk.event_hash() };
            let payload: Value = json!({"subscription": id, "at_period_end": false});
            replace_change(desk, id, billing, &key, &payload, None)?;
            let asked = CancelRequest { at: desk.now, at_once: true, because: Because::default() };
            desk.account.put(id, SubscriptionRow { asked: Some(asked), ..row });
        }
        None if refunding.is_some() => desk.account.put(id, billing),
        None => {}
    }
    let reply = json!({"subscription": id, "amount_minor": amount_minor});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}
