//! `charge.dispute.*`: merges a dispute and notifies the operators, who must answer the dispute. During a dispute the
//! bank holds the payment; an inquiry takes no money.

use crate::desk::Desk;
use crate::input::stripe::{self, id_of};
use crate::model::halt::Ruled;
use crate::model::keys::ClaimKey;
use crate::model::mail_kinds;
use crate::model::merge::dispute::merge;
use crate::model::merge::payment as merge_payment;
use crate::model::notice::send_once;
use crate::model::records::dispute::Dispute;
use crate::model::records::dispute_status::DisputeStatus;
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
        // Older API versions: the charge was refunded.
        Some("charge_refunded") => DisputeStatus::Won,
        Some(other) => return Err(Refusal::UnknownStatus(format!("dispute {other}")).into()),
    })
}

/// Reads the fees from the balance transactions. A fee can have another currency than the disputed amount.
fn read_fees(object: &stripe::Dispute<'_>) -> BTreeMap<String, BTreeMap<String, i64>> {
    let movements = object.balance_transactions.iter().flatten().filter(|movement| movement.fee != 0);
    movements
        .map(|movement| {
            let currency = movement.currency.as_deref().unwrap_or(&object.currency);
            (movement.id.to_string(), [(currency.to_owned(), movement.fee)].into_iter().collect())
        })
        .collect()
}

/// Merges the dispute into its payment.
fn merge_into_payment(desk: &mut Desk<'_>, payment: &str, id: &str, snapshot: &Dispute) -> Ruled<()> {
    let known = desk.account.row::<Payment>(payment)?;
    let mut record = known.clone().unwrap_or_default();
    let change = Payment {
        disputes: [(id.to_owned(), (snapshot.status, snapshot.amount_minor))].into_iter().collect(),
        disputed_at: [(id.to_owned(), desk.payment_time)].into_iter().collect(),
        ..Payment::default()
    };
    merge_payment::merge(&mut record, &change);
    if known.as_ref() != Some(&record) {
        desk.account.put(payment, record);
    }
    Ok(())
}

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Dispute<'_>) -> Ruled<Outcome> {
    let Some(payment) = id_of(&object.payment_intent).or_else(|| id_of(&object.charge)) else {
        return Err(Refusal::Malformed("/data/object/charge".to_owned()).into());
    };
    if object.amount <= 0 {
        return Err(Refusal::Malformed("/data/object/amount".to_owned()).into());
    }
    let id = object.id.as_ref();
    let withdrawn = desk.kind == "charge.dispute.funds_withdrawn";
    let status = parse_status(object.status.as_deref())?;
    let snapshot = Dispute {
        // If money was withdrawn, the dispute is more than an inquiry.
        status: if withdrawn { status.max(DisputeStatus::Open) } else { status },
        amount_minor: object.amount,
        currency: object.currency.to_string(),
        payment: payment.to_owned(),
        withdrawn,
        returned: desk.kind == "charge.dispute.funds_reinstated",
        fees: read_fees(object),
        booked: None,
        booked_minor: 0,
    };
    merge_into_payment(desk, payment, id, &snapshot)?;
    let known = desk.account.row::<Dispute>(id)?;
    let mut dispute = known.clone().unwrap_or_else(|| snapshot.clone());
    merge(&mut dispute, &snapshot);
    if known.as_ref() == Some(&dispute) {
        return Ok(Outcome::Duplicate(format!("dispute:{id}")));
    }
    let intent = id_of(&object.payment_intent).map(ClaimKey::PaymentIntent);
    let charge = id_of(&object.charge).map(ClaimKey::Charge);
    desk.account.claim(intent.into_iter().chain(charge))?;
    let values = json!({"dispute": id, "payment": payment, "amount_minor": object.amount, "currency": object.currency});
    send_once(&mut desk.account, &mail_kinds::DISPUTE_OPENED, id, &values)?;
    desk.account.put(id, dispute);
    Ok(Outcome::Applied)
}
