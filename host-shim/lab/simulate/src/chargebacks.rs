//! What is left of payments after refunds and chargebacks, and whether a subscription is frozen by a chargeback, from the objects of the
//! local Stripe.

use crate::sandbox::Stripe;
use local_stripe::object::Object;

/// True if a bank holds, or keeps, the payment for the current period. Payments for earlier periods paid for what is
/// over.
pub(crate) fn is_frozen(stripe: &Stripe, subscription: &Object) -> bool {
    if stripe.all("dispute").is_empty() {
        return false;
    }
    let starts = subscription.list_at("items").iter().filter_map(|item| item["current_period_start"].as_i64());
    let Some(start_s) = starts.min() else { return false };
    let is_its =
        |invoice: &Object| invoice.text_at("parent.subscription_details.subscription") == Some(subscription.id());
    let is_current = |invoice: &Object| invoice.int_at("status_transitions.paid_at").is_some_and(|at| at >= start_s);
    let invoices = stripe.all("invoice");
    let current = |charge: &Object| {
        let mut own = invoices.iter().filter(|invoice| invoice.id() == charge.as_charge().invoice);
        own.any(|invoice| is_its(invoice) && is_current(invoice))
    };
    stripe.all("charge").iter().any(|charge| current(charge) && disputed(stripe, charge.id()) > 0)
}

/// Amount of a charge that disputes took and did not return, in minor units.
pub fn disputed(stripe: &Stripe, charge: &str) -> i64 {
    let disputes = stripe.all("dispute");
    let taken = disputes.iter().filter(|dispute| {
        dispute.text("charge") == charge
            && !dispute.text("status").starts_with("warning")
            && dispute.text("status") != "won"
    });
    taken.map(|dispute| dispute.int("amount")).sum()
}

/// Remaining and original amount of a charge.
pub(crate) fn left(stripe: &Stripe, charge: &Object) -> (i64, i64) {
    let amount = charge.int("amount");
    ((amount - charge.int("amount_refunded") - disputed(stripe, charge.id())).max(0), amount)
}
