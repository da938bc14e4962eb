//! A dispute moves forward; that money went one way or the other, once told, stays told.

use crate::model::records::dispute::Dispute;

/// Merge a view into a record. What is booked is no part of what views say.
pub(crate) fn merge(record: &mut Dispute, view: &Dispute) {
    record.status = record.status.max(view.status);
    let amount = |dispute: &Dispute| (dispute.amount_minor, dispute.currency.clone());
    (record.amount_minor, record.currency) = amount(record).max(amount(view));
    record.payment = std::mem::take(&mut record.payment).max(view.payment.clone());
    record.withdrawn |= view.withdrawn;
    record.returned |= view.returned;
}
