//! A checkout session only moves forward (open, expired, complete; unpaid, paid).

use super::earliest;
use crate::model::records::session::Session;

/// Merges a snapshot into a record. The record keeps the furthest status, the first time of payment, and known ids. The
/// snapshot with the further status determines the amounts. Of other contradicting values the greater stays.
pub(crate) fn merge(record: &mut Session, snapshot: &Session) {
    let order = |session: &Session| {
        let Session { status, mode, currency, total_minor, tax_minor, .. } = session.clone();
        (status, total_minor, tax_minor, currency, mode)
    };
    let winner = if order(snapshot) > order(record) { snapshot } else { &*record };
    *record = Session {
        paid_at: earliest(record.paid_at, snapshot.paid_at),
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
