//! Charges, payment intents and refunds: merges them into payments, with the invoice or purchase and the refunds of each.
//!
//! Each refund is a fact (`refund:re_1`), booked when the refund's object is known. A charge contains only the refunded sum, which
//! counts at once for the charge's purchase; if the known refunds do not add up to the sum, they are retrieved.

use crate::actions::retrieve::retrieve;
use crate::desk::Desk;
use crate::input::stripe::{self, id_of};
use crate::model::halt::Ruled;
use crate::model::ids::InvoiceId;
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::mail_kinds;
use crate::model::merge::payment::merge;
use crate::model::notice::send_once;
use crate::model::records::payment::{Card, Payment, Received, Refund, RefundStatus};
use extension_contract::*;
use serde_json::json;
use std::collections::BTreeMap;

fn parse_status(text: Option<&str>) -> Ruled<RefundStatus> {
    Ok(match text {
        Some("pending") => RefundStatus::Pending,
        Some("requires_action") => RefundStatus::RequiresAction,
        // In older API versions without a status, a refund that exists has succeeded.
        Some("succeeded") | None => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        Some(other) => return Err(Refusal::UnknownStatus(format!("refund {other}")).into()),
    })
}

fn read_refund(object: &stripe::Refund<'_>, pointer: &str) -> Ruled<(String, Refund)> {
    if object.amount <= 0 {
        return Err(Refusal::Malformed(pointer.to_owned()).into());
    }
    let refund = Refund {
        amount_minor: object.amount,
        status: parse_status(object.status.as_deref())?,
        currency: object.currency.to_string(),
        contradicted_by: std::collections::BTreeSet::new(),
        is_rest: object.metadata.as_ref().is_some_and(|metadata| metadata.rest_of.is_some()),
        booked: false,
        booked_back: false,
    };
    Ok((object.id.to_string(), refund))
}

/// `refund.*` and `charge.refund.updated`: merges a refund into its payment.
pub(super) fn refund(desk: &mut Desk<'_>, object: &stripe::Refund<'_>) -> Ruled<Outcome> {
    let Some(id) = id_of(&object.payment_intent).or_else(|| id_of(&object.charge)) else {
        return Err(Refusal::Malformed("/data/object/payment_intent".to_owned()).into());
    };
    let refund = read_refund(object, "/data/object/amount")?;
    let snapshot = Payment { refunds: [refund].into_iter().collect(), ..Payment::default() };
    let keys = Keys { intent: id_of(&object.payment_intent), charge: id_of(&object.charge), customer: None };
    apply(desk, id, &snapshot, keys, FactKey::Refund(&object.id).to_string())
}

/// `charge.*`, except disputes and refunds: merges a charge into its payment.
pub(super) fn charge(desk: &mut Desk<'_>, object: &stripe::Charge<'_>) -> Ruled<Outcome> {
    if object.amount_refunded > object.amount {
        return Err(Refusal::Malformed("/data/object/amount_refunded".to_owned()).into());
    }
    let id = id_of(&object.payment_intent).unwrap_or(&object.id);
    let moved_money = desk.kind == "charge.succeeded" || object.amount_refunded > 0;
    let snapshot = Payment {
        charge: moved_money.then(|| object.id.to_string()),
        // A failed charge paid nothing. Only some API versions name the invoice.
        invoice: id_of(&object.invoice).filter(|_| desk.kind != "charge.failed").map(InvoiceId::from),
        ..read_charge(desk, object)?
    };
    let keys =
        Keys { intent: id_of(&object.payment_intent), charge: Some(&object.id), customer: id_of(&object.customer) };
    let outcome = apply(desk, id, &snapshot, keys, refunded_sum(object))?;
    let known = desk.account.row::<Payment>(id)?.unwrap_or_default();
    // In some API versions a charge does not list its refunds; missing refunds are retrieved.
    if known.charge_refunded_minor > known.explained_minor() {
        let because = known.charge_refunded_minor;
        let key = EffectKey::Retrieve { object: object.id.to_string(), because, views: 0 };
        let payload = json!({"object": "charge", "id": object.id, "expand": ["refunds"]});
        retrieve(desk, &key, &object.id, &payload, Vec::new())?;
    }
    Ok(outcome)
}

/// Reads the refunds, the card and the receipt of a charge.
fn read_charge(desk: &Desk<'_>, object: &stripe::Charge<'_>) -> Ruled<Payment> {
    let mut refunds = BTreeMap::new();
    for refund in object.refunds.iter().flat_map(|list| &list.data) {
        let (id, refund) = read_refund(refund, "/data/object/refunds")?;
        refunds.insert(id, refund);
    }
    // A failed charge has no receipt, and its card paid nothing.
    let has_paid = desk.kind != "charge.failed";
    let receipt_url = object.receipt_url.as_deref().filter(|url| has_paid && url.len() <= URL_BYTES);
    Ok(Payment {
        charge_refunded_minor: object.amount_refunded,
        refunds,
        card: read_card(object).filter(|_| has_paid),
        receipt_url: receipt_url.map(str::to_owned),
        ..Payment::default()
    })
}

/// Maximum length of the address of a receipt, and of the name of a brand, in bytes.
const URL_BYTES: usize = 2_000;
const BRAND_BYTES: usize = 40;

/// Reads what customers recognise of the card of a charge; `None` if anything else paid.
fn read_card(object: &stripe::Charge<'_>) -> Option<Card> {
    let card = object.payment_method_details.as_ref()?.card.as_ref()?;
    let last4 =
        card.last4.as_deref().filter(|text| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let brand = card.brand.as_deref().filter(|brand| brand.len() <= BRAND_BYTES)?;
    let (exp_month, exp_year) = (card.exp_month, card.exp_year);
    Some(Card { brand: brand.to_owned(), last4: last4.to_owned(), exp_month, exp_year })
}

/// Returns the text that identifies a charge's refunded sum, for the outcome `duplicate`.
fn refunded_sum(object: &stripe::Charge<'_>) -> String {
    format!("refunded:{}:{}", object.id, object.amount_refunded)
}

/// `payment_intent.*`: links the intent to its charge. The invoice or session shows what it pays for.
pub(super) fn intent(desk: &mut Desk<'_>, object: &stripe::PaymentIntent<'_>) -> Ruled<Outcome> {
    let succeeded = desk.kind == "payment_intent.succeeded";
    // For an intent of an invoice, the invoice is decisive (S108).
    let purchase = object.metadata.as_ref().and_then(|metadata| metadata.purchase_id.as_deref());
    let purchase = purchase.filter(|id| !id.is_empty() && object.invoice.is_none());
    let received = object.currency.as_deref().filter(|_| succeeded).map(|currency| Received {
        amount_minor: object.amount_received,
        currency: currency.to_owned(),
        at: desk.payment_time,
    });
    let tax = object.metadata.as_ref().and_then(|metadata| metadata.tax.as_deref()?.parse::<i64>().ok());
    let snapshot = Payment {
        charge: object.charge_id().filter(|_| succeeded).map(str::to_owned),
        // An intent that waits has paid nothing: the invoice can be paid outside of Stripe instead.
        invoice: id_of(&object.invoice).filter(|_| succeeded).map(InvoiceId::from),
        purchase: purchase.map(str::to_owned),
        received: received.filter(|_| purchase.is_some()),
        tax_minor: tax.filter(|tax| succeeded && *tax > 0).unwrap_or(0),
        ..Payment::default()
    };
    let keys = Keys { intent: Some(&object.id), charge: object.charge_id(), customer: id_of(&object.customer) };
    apply(desk, &object.id, &snapshot, keys, format!("payment:{}", object.id))
}

/// `invoice_payment.paid` (since 2025-05-28): links a payment intent to its invoice.
pub(super) fn invoice_payment(desk: &mut Desk<'_>, object: &stripe::InvoicePaymentObject<'_>) -> Ruled<Outcome> {
    let Some(invoice) = id_of(&object.invoice) else {
        return Err(Refusal::Malformed("/data/object/invoice".to_owned()).into());
    };
    let fact = format!("payment:{}", object.id.0);
    let intent = object.payment.as_ref().and_then(|of| id_of(&of.payment_intent));
    let Some(intent) = intent else { return Ok(Outcome::Duplicate(fact)) };
    desk.account.claim([ClaimKey::Invoice(invoice)])?;
    let snapshot = Payment { invoice: Some(invoice.into()), ..Payment::default() };
    apply(desk, intent, &snapshot, Keys { intent: Some(intent), charge: None, customer: None }, fact)
}

/// Merges a retrieved charge with all its refunds.
pub(super) fn retrieved(desk: &mut Desk<'_>, object: &str) -> Ruled<Outcome> {
    let object = stripe::read_retrieved::<stripe::Charge<'_>>(object)?;
    let id = id_of(&object.payment_intent).unwrap_or(&object.id);
    let keys = Keys { intent: None, charge: None, customer: None };
    let snapshot = read_charge(desk, &object)?;
    apply(desk, id, &snapshot, keys, refunded_sum(&object))
}

/// The ids in a snapshot of a payment.
struct Keys<'a> {
    intent: Option<&'a str>,
    charge: Option<&'a str>,
    customer: Option<&'a str>,
}

/// Merges a snapshot. If the payment does not change, the outcome is a duplicate of `fact`.
fn apply(desk: &mut Desk<'_>, id: &str, snapshot: &Payment, keys: Keys<'_>, fact: String) -> Ruled<Outcome> {
    let known = desk.account.row::<Payment>(id)?;
    let mut payment = known.clone().unwrap_or_default();
    merge(&mut payment, snapshot);
    if let Some((id, _)) = payment
        .refunds
        .iter()
        .find(|(id, refund)| snapshot.refunds.contains_key(*id) && !refund.contradicted_by.is_empty())
    {
        return Err(Refusal::Inconsistent(format!("{id} amount")).into());
    }
    let intent = keys.intent.map(ClaimKey::PaymentIntent);
    let charge = keys.charge.map(ClaimKey::Charge);
    let customer = keys.customer.map(ClaimKey::Customer);
    desk.account.claim(intent.into_iter().chain(charge).chain(customer))?;
    if known.as_ref() == Some(&payment) {
        return Ok(Outcome::Duplicate(fact));
    }
    // The money was returned to us, so the operators must refund it in another way.
    let failed = payment.refunds.iter().filter(|(_, refund)| refund.status == RefundStatus::Failed);
    for (refund_id, refund) in failed.filter(|(id, _)| snapshot.refunds.contains_key(*id)) {
        let values = json!({
            "refund": refund_id, "payment": id, "amount_minor": refund.amount_minor, "currency": refund.currency,
        });
        send_once(&mut desk.account, &mail_kinds::REFUND_FAILED, refund_id, &values)?;
    }
    desk.account.put(id, payment);
    Ok(Outcome::Applied)
}

/// `credit_note.created`: notifies the operators of a paid invoice that was credited without a refund. Refunds have
/// events of their own.
pub(super) fn credit_note(desk: &mut Desk<'_>, object: &stripe::CreditNote<'_>) -> Ruled<Outcome> {
    let amount = object.unrefunded_minor();
    if amount <= 0 {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    let key = mail_kinds::CREDIT_NOTE.key(&object.id).to_string();
    if desk.account.is_known(&key)? {
        return Ok(Outcome::Duplicate(key));
    }
    let values = json!({
        "credit_note": object.id, "invoice": id_of(&object.invoice), "amount_minor": amount, "currency": object.currency,
    });
    send_once(&mut desk.account, &mail_kinds::CREDIT_NOTE, &object.id, &values)?;
    Ok(Outcome::Applied)
}
