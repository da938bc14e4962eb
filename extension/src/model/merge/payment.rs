//! A payment, from its intent, its charge and its refunds: sums only grow, what it paid is named once, refunds unite.

use crate::model::records::payment::{Payment, Received, Refund};

/// Merge what one view says, be it of the intent, the charge or a refund.
pub(crate) fn merge(record: &mut Payment, view: &Payment) {
    // One payment has one charge that moved money, one invoice and one purchase; of two that are named the same one
    // stays, whichever is known first.
    record.charge = record.charge.take().max(view.charge.clone());
    record.invoice = record.invoice.take().max(view.invoice.clone());
    record.purchase = record.purchase.take().max(view.purchase.clone());
    record.received = match (record.received.take(), view.received.clone()) {
        (Some(known), Some(told)) => {
            let at = known.at.min(told.at);
            Some(Received { at, ..known.max(told) })
        }
        (known, told) => known.or(told),
    };
    record.charge_refunded_minor = record.charge_refunded_minor.max(view.charge_refunded_minor);
    for (id, refund) in &view.refunds {
        match record.refunds.get_mut(id) {
            Some(known) => merge_refund(known, refund),
            None => drop(record.refunds.insert(id.clone(), refund.clone())),
        }
    }
    for (id, (status, amount)) in &view.disputes {
        let known = record.disputes.entry(id.clone()).or_insert((*status, *amount));
        *known = (known.0.max(*status), known.1.max(*amount));
    }
}

/// Of two amounts the least counts, and the others are kept: what was promised to go back goes back.
fn merge_refund(record: &mut Refund, view: &Refund) {
    record.status = record.status.max(view.status);
    record.currency = std::mem::take(&mut record.currency).max(view.currency.clone());
    let amounts = [record.amount_minor, view.amount_minor];
    let least = record.amount_minor.min(view.amount_minor);
    record.contradicted_by.extend(view.contradicted_by.iter().copied().chain(amounts));
    record.contradicted_by.remove(&least);
    record.amount_minor = least;
}
