//! `charge.dispute.*`: a bank takes a payment back until it is decided; a person answers it, so operators are told. As long
//! as it only asks (an inquiry) it takes nothing.

use crate::catalog::desk::Desk;
use crate::input::stripe::{self, id_of};
use crate::model::gather::gather;
use crate::model::halt::Ruled;
use crate::model::keys::ClaimKey;
use crate::model::merge::dispute::merge;
use crate::model::merge::payment as merge_payment;
use crate::model::notice::{To, send_once};
use crate::model::records::dispute::{Dispute, DisputeStatus};
use crate::model::records::payment::Payment;
use extension_contract::{Outcome, Refusal};
use serde_json::json;
use std::collections::BTreeMap;

fn parse_status(text: Option<&str>) -> Ruled<DisputeStatus> {
    Ok(match text {
        Some("won" | "prevented") => DisputeStatus::Won,
        Some("lost") => DisputeStatus::Lost,
        Some("needs_response" | "under_review") | None => DisputeStatus::Open,
        Some("warning_needs_response" | "warning_under_review") => DisputeStatus::Inquiry,
        Some("warning_closed") => DisputeStatus::InquiryClosed,
        // What it was before it had words of its own: the charge went back.
        Some("charge_refunded") => DisputeStatus::Won,
        Some(other) => return Err(Refusal::UnknownStatus(format!("dispute {other}")).into()),
    })
}

/// Fees that the movements of our money tell of. A fee is not always in the currency of what is disputed.
fn read_fees(object: &stripe::Dispute<'_>) -> BTreeMap<String, BTreeMap<String, i64>> {
    let movements = object.balance_transactions.iter().flatten().filter(|movement| movement.fee != 0);
    gather(movements.map(|movement| {
        let currency = movement.currency.as_deref().unwrap_or(&object.currency);
        (movement.id.to_string(), gather([(currency.to_owned(), movement.fee)]))
    }))
}

/// The payment knows what a bank has of it, so that what it paid for does.
fn note(desk: &mut Desk<'_>, payment: &str, id: &str, view: &Dispute) -> Ruled<()> {
    let known = desk.account.fetch::<Payment>(payment)?;
    let mut record = known.clone().unwrap_or_default();
    let told = Payment { disputes: gather([(id.to_owned(), (view.status, view.amount_minor))]), ..Payment::default() };
    merge_payment::merge(&mut record, &told);
    if known.as_ref() != Some(&record) {
        desk.account.put(payment, record);
    }
    Ok(())
}

/// Decide an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Dispute<'_>) -> Ruled<Outcome> {
    let Some(payment) = id_of(&object.payment_intent).or_else(|| id_of(&object.charge)) else {
        return Err(Refusal::Malformed("/data/object/charge".to_owned()).into());
    };
    if object.amount <= 0 {
        return Err(Refusal::Malformed("/data/object/amount".to_owned()).into());
    }
    let id = object.id.as_ref();
    let withdrawn = desk.kind == "charge.dispute.funds_withdrawn";
    let told = parse_status(object.status.as_deref())?;
    let view = Dispute {
        // Money that was taken was more than asked about.
        status: if withdrawn { told.max(DisputeStatus::Open) } else { told },
        amount_minor: object.amount,
        currency: object.currency.to_string(),
        payment: payment.to_owned(),
        withdrawn,
        returned: desk.kind == "charge.dispute.funds_reinstated",
        fees: read_fees(object),
        booked: None,
        booked_minor: 0,
    };
    note(desk, payment, id, &view)?;
    let known = desk.account.fetch::<Dispute>(id)?;
    let mut dispute = known.clone().unwrap_or_else(|| view.clone());
    merge(&mut dispute, &view);
    if known.as_ref() == Some(&dispute) {
        return Ok(Outcome::Duplicate(format!("dispute:{id}")));
    }
    let intent = id_of(&object.payment_intent).map(ClaimKey::PaymentIntent);
    let charge = id_of(&object.charge).map(ClaimKey::Charge);
    desk.account.claim(intent.into_iter().chain(charge))?;
    let values = json!({"dispute": id, "payment": payment, "amount_minor": object.amount, "currency": object.currency});
    send_once(&mut desk.account, "dispute_opened", To::Admin, id, &values)?;
    desk.account.put(id, dispute);
    Ok(Outcome::Applied)
}
