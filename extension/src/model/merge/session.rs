//! A session only moves forward (open, expired, complete; unpaid, paid).

use super::earliest;
use crate::model::records::session::Session;

/// Merge a view into a record: the furthest status, the first payment, what names another object once it does. Amounts
/// are fixed when a session is made; of two that contradict each other the greater stays.
pub(crate) fn merge(record: &mut Session, view: &Session) {
    let order = |session: &Session| {
        let Session { status, mode, currency, total_minor, tax_minor, .. } = session.clone();
        (status, total_minor, tax_minor, currency, mode)
    };
    let winner = if order(view) > order(record) { view } else { &*record };
    *record = Session {
        paid_at: earliest(record.paid_at, view.paid_at),
        subscription: record.subscription.clone().max(view.subscription.clone()),
        payment_intent: record.payment_intent.clone().max(view.payment_intent.clone()),
        purchase: record.purchase.clone().max(view.purchase.clone()),
        made_with: record.made_with.clone().max(view.made_with.clone()),
        made: record.made.clone(),
        booked: record.booked,
        tax_booked: record.tax_booked,
        ..winner.clone()
    };
}
