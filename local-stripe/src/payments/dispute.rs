//! Disputes: a test card opens one, and the evidence decides it.

use serde_json::{Value, json};

use crate::cards::{self, Behaviour};
use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::payments::ledger::{Fee, book, book_with_fee};
use crate::payments::radar;
use crate::state::State;

/// The evidence in `uncategorized_text` that wins a dispute.
pub const WINNING: &str = "winning_evidence";
/// The evidence in `uncategorized_text` that loses a dispute.
pub const LOSING: &str = "losing_evidence";
/// The fee for receiving a dispute, in minor units: Stripe charges 15.00 and keeps it even if the dispute is won.
const RECEIVED_FEE: i64 = 1_500;

/// Opens a dispute over a charge.
pub fn open(st: &mut State, charge: &str) {
    let Ok(charge) = st.find(charge) else { return };
    let number = st.copy_if_any(charge.text("payment_method")).as_payment_method().number.clone();
    let Some(Behaviour::Disputes { reason, inquiry }) = cards::by_number(&number).map(|c| c.behaviour) else {
        return;
    };
    let id = st.new_id("dp");
    let mut dispute = model::payment::dispute(id.clone(), st.now(&charge), &charge, reason, inquiry);
    if !inquiry {
        let (amount, description) = (RECEIVED_FEE, "Dispute fee".to_owned());
        let fee = Fee { amount, description, application: Value::Null, kind: "stripe_fee" };
        let movement = book_with_fee(st, &charge, -charge.int("amount"), Some(fee), "adjustment", &id);
        dispute.set("balance_transactions", vec![st.copy(&movement).value()]);
    }
    let dispute = st.put(dispute);
    st.change(charge.id(), |c| {
        c.set("disputed", true);
        c.as_charge_mut().refundable_dispute = inquiry;
    });
    st.emit("charge.dispute.created", &dispute);
    if !inquiry {
        st.emit("charge.dispute.funds_withdrawn", &dispute);
    }
    radar::disputed(st, charge.id());
}

fn is_open(dispute: &Object) -> bool {
    matches!(dispute.text("status"), "needs_response" | "warning_needs_response")
}

/// Adds evidence and metadata to a dispute. If the evidence is submitted, [`WINNING`] or [`LOSING`] in this request
/// decides the dispute; other evidence leaves it under review.
///
/// # Errors
/// The dispute is unknown, or evidence is given for a dispute that is closed or under review.
pub fn answer(st: &mut State, id: &str, evidence: &Value, submit: bool, metadata: Value) -> Result<Value, ApiError> {
    let dispute = st.load("dispute", id, "id")?;
    let given = evidence.as_object().cloned().unwrap_or_default();
    if !given.is_empty() && !is_open(&dispute) {
        return Err(ApiError::invalid("This dispute is already closed or under review."));
    }
    let text = given.get("uncategorized_text").and_then(Value::as_str).unwrap_or_default().to_owned();
    let submits = submit && is_open(&dispute);
    st.change_and_emit(id, "charge.dispute.updated", |d| {
        d.set("metadata", metadata);
        for (name, value) in given {
            d.set_at(&format!("evidence.{name}"), value);
            d.set_at("evidence_details.has_evidence", true);
        }
        if submits {
            let warning = d.text("status").starts_with("warning");
            d.set("status", if warning { "warning_under_review" } else { "under_review" });
            d.set_at("evidence_details.submission_count", 1);
        }
    });
    match text.as_str() {
        WINNING if submits => decide(st, id, true),
        LOSING if submits => decide(st, id, false),
        _ => {}
    }
    Ok(st.find(id)?.value())
}

/// Accepts a dispute as lost.
///
/// # Errors
/// The dispute is unknown, closed or under review.
pub fn close(st: &mut State, id: &str) -> Result<Value, ApiError> {
    let dispute = st.load("dispute", id, "id")?;
    if !is_open(&dispute) {
        return Err(ApiError::invalid("This dispute is already closed."));
    }
    decide(st, id, false);
    Ok(st.find(id)?.value())
}

fn decide(st: &mut State, id: &str, won: bool) {
    let Ok(dispute) = st.find(id) else { return };
    let inquiry = dispute.text("status").starts_with("warning");
    let charge = st.copy_if_any(dispute.text("charge"));
    let mut movements = dispute.list_at("balance_transactions").to_vec();
    if won && !inquiry {
        let back = book(st, &charge, dispute.int("amount"), "adjustment", id);
        movements.push(st.copy(&back).value());
    }
    let status = match (inquiry, won) {
        (true, _) => "warning_closed",
        (false, true) => "won",
        (false, false) => "lost",
    };
    let before = st.freeze(&dispute);
    let after = st.change(id, |d| {
        d.set("status", status);
        d.set("balance_transactions", json!(movements));
    });
    st.emit_with("charge.dispute.closed", &after, Some(before));
    if won && !inquiry {
        st.emit("charge.dispute.funds_reinstated", &after);
    }
}
