//! A checkout session only moves forward (open, expired, complete; unpaid, paid).

use super::earliest;
use crate::model::records::session::Session;

/// Merges a snapshot into a record. The record keeps the furthest status, the first time of payment, and known ids. The
/// snapshot with the further status determines the amounts. For other contradictions, the greater value wins.
pub(crate) fn merge(record: &mut Session, snapshot: &Session) {
    let order = |session: &Session| {
        let Session { status, mode, currency, total_minor, tax_minor, .. } = session.clone();
        (status, total_minor, tax_minor, currency, mode)
    };
    let winner = if order(snapshot) > order(record) { snapshot } else { &*record };
    *record = Session {
        paid_at: earliest(record.paid_at, snapshot.paid_at),
        completed_at: earliest(record.completed_at, snapshot.completed_at),
        by_payment: record.by_payment && snapshot.by_payment,
        subscription: record.subscription.clone().max(snapshot.subscription.clone()),
        payment_intent: record.payment_intent.clone().max(snapshot.payment_intent.clone()),
        purchase: record.purchase.clone().max(snapshot.purchase.clone()),
        made_with: record.made_with.clone().max(snapshot.made_with.clone()),
        made: record.made.clone(),
        booked: record.booked,
        tax_booked: record.tax_booked,
        ..winner.clone()
    };
}

/// Returns the record, or the session's own snapshot if it names another payment than the record and only this payment
/// shows the record as paid: the payment belongs to another session.
pub(crate) fn without_wrong_payment(record: Session, snapshot: &Session) -> Session {
    let names_another = |intent: &String| record.payment_intent.as_ref() != Some(intent);
    match record.by_payment && snapshot.payment_intent.as_ref().is_some_and(names_another) {
        true => snapshot.clone(),
        false => record,
    }
}
