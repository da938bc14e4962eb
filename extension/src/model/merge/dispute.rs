//! A dispute only moves forward. Withdrawals, returns and fees stay once they are reported.

use crate::model::records::dispute::Dispute;

/// Merges a snapshot into a record. Does not touch the booking state, which snapshots do not contain.
pub(crate) fn merge(record: &mut Dispute, snapshot: &Dispute) {
    record.status = record.status.max(snapshot.status);
    let amount = |dispute: &Dispute| (dispute.amount_minor, dispute.currency.clone());
    (record.amount_minor, record.currency) = amount(record).max(amount(snapshot));
    record.payment = std::mem::take(&mut record.payment).max(snapshot.payment.clone());
    record.withdrawn |= snapshot.withdrawn;
    record.returned |= snapshot.returned;
    for (movement, fees) in &snapshot.fees {
        let known = record.fees.entry(movement.clone()).or_default();
        for (currency, fee) in fees {
            let known = known.entry(currency.clone()).or_insert(*fee);
            *known = (*known).max(*fee);
        }
    }
}
