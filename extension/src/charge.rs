//! Charges, payment intents and refunds: which payment paid what, and what of it was given back.
//!
//! A refund is a fact of its own (`refund:re_1`), booked when its object is known. A charge tells only a sum: it counts
//! at once for what a purchase has got back, and where no refund explains it yet, the refunds are fetched.

use crate::context::{Context, Loaded, Step, Stop};
use crate::placement::key;
use crate::stripe::{self, id_of};
use crate::{ledger, purchase};
use products_contract::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    /// Begun.
    Pending,
    /// The customer must act.
    RequiresAction,
    /// Given back.
    Succeeded,
    /// It came back to us, or never left.
    Failed,
}

/// A refund as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    /// Minor units.
    pub amount_minor: i64,
    /// How far it is.
    pub status: RefundStatus,
}

/// What is known of one payment, by its payment intent, else its charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Payment {
    /// The charge that moved the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The invoice it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The purchase it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// The charge's own sum of what was given back, the highest seen, in minor units.
    pub charge_refunded_minor: i64,
    /// Refunds by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Refund>,
}

impl Payment {
    /// What was given back, in minor units: what refunds explain, or what the charge says if that is more.
    pub fn refunded_minor(&self) -> i64 {
        let sum = |failed: bool| {
            let refunds = self.refunds.values().filter(|r| (r.status == RefundStatus::Failed) == failed);
            refunds.fold(0i64, |sum, refund| sum.saturating_add(refund.amount_minor))
        };
        sum(false).max(self.charge_refunded_minor.saturating_sub(sum(true)))
    }

    fn explained_minor(&self) -> i64 {
        self.refunds.values().fold(0, |sum, refund| sum.saturating_add(refund.amount_minor))
    }
}

fn parse_status(text: Option<&str>) -> Step<RefundStatus> {
    Ok(match text {
        Some("pending") => RefundStatus::Pending,
        Some("requires_action") => RefundStatus::RequiresAction,
        // Before statuses existed a refund was done when it was there.
        Some("succeeded") | None => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        Some(other) => return Err(Stop::Refused(Refusal::UnknownStatus(format!("refund {other}")))),
    })
}

/// `refund.*` and `charge.refund.updated`.
pub(crate) fn refund_event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::Refund<'_>>(body)?;
    let object = &body.data.object;
    let Some(id) = id_of(&object.payment_intent).or_else(|| id_of(&object.charge)) else {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/payment_intent".to_owned())));
    };
    claim_payment(context, id_of(&object.payment_intent), id_of(&object.charge), None)?;
    let mut payment: Loaded<Payment> = context.record("payments", id)?;
    let before = payment.value.clone();
    merge_refund(context, &mut payment.value, object)?;
    finish(context, id, before, payment, &format!("refund:{}", object.id))
}

/// `charge.*`, disputes excepted.
pub(crate) fn event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    if context.event.kind.starts_with("charge.dispute.") {
        return Ok(Outcome::Ignored(IgnoreReason::UnhandledKind));
    }
    let body = stripe::read::<stripe::Charge<'_>>(body)?;
    let object = &body.data.object;
    if object.amount_refunded > object.amount {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/amount_refunded".to_owned())));
    }
    let id = id_of(&object.payment_intent).unwrap_or(&object.id);
    check_refunds(object)?;
    claim_payment(context, id_of(&object.payment_intent), Some(&object.id), id_of(&object.customer))?;
    let mut payment: Loaded<Payment> = context.record("payments", id)?;
    let before = payment.value.clone();
    if context.event.kind == "charge.succeeded" || object.amount_refunded > 0 {
        payment.value.charge = Some(object.id.to_string());
    }
    // A charge that failed paid nothing; only some versions name the invoice that it was for.
    if context.event.kind != "charge.failed" {
        link_invoice(&mut payment.value, id_of(&object.invoice));
    }
    payment.value.charge_refunded_minor = before.charge_refunded_minor.max(object.amount_refunded);
    for refund in object.refunds.iter().flat_map(|list| &list.data) {
        merge_refund(context, &mut payment.value, refund)?;
    }
    if payment.value.charge_refunded_minor > payment.value.explained_minor() {
        fetch_refunds(context, &object.id, payment.value.charge_refunded_minor)?;
    }
    let fact = format!("refunded:{}:{}", object.id, object.amount_refunded);
    finish(context, id, before, payment, &fact)
}

/// `payment_intent.*`: links the intent to its charge; what it pays is told by invoice or session.
pub(crate) fn payment_intent_event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    let body = stripe::read::<stripe::PaymentIntent<'_>>(body)?;
    let object = &body.data.object;
    let mut payment: Loaded<Payment> = context.record("payments", &object.id)?;
    let before = payment.value.clone();
    if context.event.kind == "payment_intent.succeeded"
        && let Some(charge) = object.charge_id()
    {
        payment.value.charge = Some(charge.to_owned());
    }
    link_invoice(&mut payment.value, id_of(&object.invoice));
    claim_payment(context, Some(&object.id), object.charge_id(), id_of(&object.customer))?;
    finish(context, &object.id, before, payment, &format!("payment:{}", object.id))
}

/// The answer of a `stripe.retrieve` of a charge: its refunds, in full.
pub(crate) fn retrieved(context: &mut Context<'_, '_>, object: &str) -> Step<Outcome> {
    let object =
        serde_json::from_str::<stripe::Charge<'_>>(object).map_err(|error| stripe::malformed("/object", &error))?;
    let id = id_of(&object.payment_intent).unwrap_or(&object.id);
    check_refunds(&object)?;
    let mut payment: Loaded<Payment> = context.record("payments", id)?;
    let before = payment.value.clone();
    payment.value.charge_refunded_minor = before.charge_refunded_minor.max(object.amount_refunded);
    for refund in object.refunds.iter().flat_map(|list| &list.data) {
        merge_refund(context, &mut payment.value, refund)?;
    }
    finish(context, id, before, payment, &format!("refunded:{}:{}", object.id, object.amount_refunded))
}

/// Until basil a charge and an intent named the invoice that they paid.
fn link_invoice(payment: &mut Payment, invoice: Option<&str>) {
    // One payment pays one invoice; if two are named the same one stays, whichever is known first.
    payment.invoice = payment.invoice.take().max(invoice.map(str::to_owned));
}

/// Note which purchase a payment paid. True if that is new.
pub(crate) fn link_purchase(context: &mut Context<'_, '_>, payment_intent: &str, purchase: &str) -> Step<bool> {
    let mut payment: Loaded<Payment> = context.record("payments", payment_intent)?;
    if payment.value.purchase.as_deref() == Some(purchase) {
        return Ok(false);
    }
    payment.value.purchase = Some(purchase.to_owned());
    context.save_record("payments", payment_intent, &payment)?;
    Ok(true)
}

/// All refunds of a charge can be read, before the first is booked.
fn check_refunds(charge: &stripe::Charge<'_>) -> Step<()> {
    for refund in charge.refunds.iter().flat_map(|list| &list.data) {
        parse_status(refund.status.as_deref())?;
        if refund.amount <= 0 {
            return Err(Stop::Refused(Refusal::Malformed("/data/object/refunds".to_owned())));
        }
    }
    Ok(())
}

/// Merge a refund and book it. One that failed was begun before, so both the way out and the way back are booked.
fn merge_refund(context: &mut Context<'_, '_>, payment: &mut Payment, object: &stripe::Refund<'_>) -> Step<()> {
    let id = object.id.as_ref();
    let status = parse_status(object.status.as_deref())?;
    if object.amount <= 0 {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/amount".to_owned())));
    }
    let refund = Refund { amount_minor: object.amount, status };
    match payment.refunds.get_mut(id) {
        Some(known) if known.amount_minor != refund.amount_minor => {
            return Err(Stop::Refused(Refusal::Inconsistent(format!("{id} amount"))));
        }
        Some(known) => known.status = known.status.max(status),
        None => {
            payment.refunds.insert(id.to_owned(), refund);
        }
    }
    let out = [(ledger::REFUNDS, object.amount), (ledger::CASH, -object.amount)];
    ledger::book(context, &format!("refund:{id}"), id, &object.currency, &out)?;
    if status == RefundStatus::Failed {
        let back = [(ledger::CASH, object.amount), (ledger::REFUNDS, -object.amount)];
        ledger::book(context, &format!("refund-failed:{id}"), id, &object.currency, &back)?;
    }
    Ok(())
}

fn claim_payment(
    context: &mut Context<'_, '_>,
    intent: Option<&str>,
    charge: Option<&str>,
    customer: Option<&str>,
) -> Step<()> {
    let named = [("stripe-payment-intent", intent), ("stripe-charge", charge), ("stripe-customer", customer)];
    let keys: Vec<String> = named.into_iter().filter_map(|(kind, id)| id.map(|id| key(kind, id))).collect();
    context.claim(&keys)
}

fn finish(
    context: &mut Context<'_, '_>,
    id: &str,
    before: Payment,
    payment: Loaded<Payment>,
    fact: &str,
) -> Step<Outcome> {
    if payment.version != 0 && payment.value == before {
        return Ok(Outcome::Duplicate(fact.to_owned()));
    }
    context.save_record("payments", id, &payment)?;
    purchase::payment_changed(context, id)?;
    Ok(Outcome::Applied)
}

/// Some versions' charges don't list their refunds; what no event explains is asked for.
fn fetch_refunds(context: &mut Context<'_, '_>, charge: &str, refunded_minor: i64) -> Step<()> {
    let payload = serde_json::json!({"object": "charge", "id": charge, "expand": ["refunds"]});
    crate::retrieve::ask(context, &format!("retrieve:{charge}:{refunded_minor}"), &payload)
}

/// `invoice_payment.paid` (since 2025-05-28): which invoice a payment intent paid.
pub(crate) fn invoice_payment_event(context: &mut Context<'_, '_>, body: &[u8]) -> Step<Outcome> {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow)]
        id: stripe::Ref<'a>,
        #[serde(borrow, default)]
        invoice: Option<stripe::Ref<'a>>,
        #[serde(borrow, default)]
        payment: Option<stripe::PaymentOf<'a>>,
    }
    let body = stripe::read::<Shape<'_>>(body)?;
    let object = &body.data.object;
    let Some(invoice_id) = id_of(&object.invoice) else {
        return Err(Stop::Refused(Refusal::Malformed("/data/object/invoice".to_owned())));
    };
    let intent = object.payment.as_ref().and_then(|p| id_of(&p.payment_intent));
    let fact = format!("payment:{}", object.id.0);
    let Some(intent) = intent else { return Ok(Outcome::Duplicate(fact)) };
    context.claim(&[key("stripe-invoice", invoice_id), key("stripe-payment-intent", intent)])?;
    let mut payment: Loaded<Payment> = context.record("payments", intent)?;
    let before = payment.value.clone();
    link_invoice(&mut payment.value, Some(invoice_id));
    if payment.value == before {
        return Ok(Outcome::Duplicate(fact));
    }
    context.save_record("payments", intent, &payment)?;
    purchase::payment_changed(context, intent)?;
    Ok(Outcome::Applied)
}
