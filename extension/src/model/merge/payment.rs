//! A payment, merged from snapshots of its intent, charge and refunds. Of contradicting values, the greatest wins; of
//! contradicting amounts of one refund, the least.

use crate::model::records::payment::{Payment, Received, Refund};

/// Merges a snapshot of the intent, the charge or a refund into a record.
pub(crate) fn merge(record: &mut Payment, snapshot: &Payment) {
    // A payment has one successful charge, one invoice and one purchase. If two ids contradict each other, the greater
    // one wins, in any order of arrival.
    record.charge = record.charge.take().max(snapshot.charge.clone());
    record.invoice = record.invoice.take().max(snapshot.invoice.clone());
    record.card = record.card.take().max(snapshot.card.clone());
    record.receipt_url = record.receipt_url.take().max(snapshot.receipt_url.clone());
    // The purchase named by a session takes precedence over the purchase named on the intent.
    let named = (record.session.take(), record.purchase.take());
    (record.session, record.purchase) = named.max((snapshot.session.clone(), snapshot.purchase.clone()));
    record.received = match (record.received.take(), snapshot.received.clone()) {
        (Some(known), Some(received)) => {
            let at = known.at.min(received.at);
            Some(Received { at, ..known.max(received) })
        }
        (known, received) => known.or(received),
    };
    record.tax_minor = record.tax_minor.max(snapshot.tax_minor);
    record.charge_refunded_minor = record.charge_refunded_minor.max(snapshot.charge_refunded_minor);
    for (id, refund) in &snapshot.refunds {
        match record.refunds.get_mut(id) {
            Some(known) => merge_refund(known, refund),
            None => drop(record.refunds.insert(id.clone(), refund.clone())),
        }
    }
    for (id, (status, amount)) in &snapshot.disputes {
        let known = record.disputes.entry(id.clone()).or_insert((*status, *amount));
        *known = (known.0.max(*status), known.1.max(*amount));
    }
    for (id, at) in &snapshot.disputed_at {
        let first = record.disputed_at.entry(id.clone()).or_insert(*at);
        *first = (*first).min(*at);
    }
}

/// Merges a snapshot of a refund. The least amount wins, and contradicting amounts are kept in `contradicted_by`.
fn merge_refund(record: &mut Refund, snapshot: &Refund) {
    record.status = record.status.max(snapshot.status);
    record.currency = std::mem::take(&mut record.currency).max(snapshot.currency.clone());
    let amounts = [record.amount_minor, snapshot.amount_minor];
    let least = record.amount_minor.min(snapshot.amount_minor);
    record.contradicted_by.extend(snapshot.contradicted_by.iter().copied().chain(amounts));
    record.contradicted_by.remove(&least);
    record.amount_minor = least;
    record.is_rest |= snapshot.is_rest;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::payment::RefundStatus;

    fn refund(amount_minor: i64) -> Refund {
        let status = RefundStatus::Succeeded;
        let contradicted_by = std::collections::BTreeSet::new();
        let currency = "usd".to_owned();
        Refund { amount_minor, status, currency, contradicted_by, is_rest: false, booked: false, booked_back: false }
    }

    #[test]
    fn of_two_amounts_of_a_refund_the_least_counts_and_the_other_is_kept() {
        for (first, second) in [(500, 700), (700, 500)] {
            let mut record = refund(first);
            merge_refund(&mut record, &refund(second));
            assert_eq!((record.amount_minor, record.contradicted_by), (500, [700].into()), "{first} {second}");
        }
    }
}
