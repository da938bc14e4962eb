//! A dispute moves forward; that money went one way or the other, once told, stays told, and so does each fee.

use crate::model::records::dispute::Dispute;

/// Merge a view into a record. What is booked is no part of what views say.
pub(crate) fn merge(record: &mut Dispute, view: &Dispute) {
    record.status = record.status.max(view.status);
    let amount = |dispute: &Dispute| (dispute.amount_minor, dispute.currency.clone());
    (record.amount_minor, record.currency) = amount(record).max(amount(view));
    record.payment = std::mem::take(&mut record.payment).max(view.payment.clone());
    record.withdrawn |= view.withdrawn;
    record.returned |= view.returned;
    for (movement, fees) in &view.fees {
        let known = record.fees.entry(movement.clone()).or_default();
        for (currency, fee) in fees {
            let known = known.entry(currency.clone()).or_insert(*fee);
            *known = (*known).max(*fee);
        }
    }
}
