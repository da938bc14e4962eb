//! Stores disputed payments in the billing histories of their subscriptions. While a bank holds the payment for the current
//! period, the subscription grants nothing; a lost dispute makes this final.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::invoice::Invoice;
use crate::model::records::payment::Payment;
use crate::model::records::subscription_history::{BillingHistory, Disputed, KEPT_MAX, keep_newest};

/// Updates the billing histories from the disputed payments of the event.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for (id, payment) in desk.account.all::<Payment>()? {
        let Some(invoice) = payment.invoice.as_ref().filter(|_| !payment.disputes.is_empty()) else { continue };
        let Some(invoice) = desk.account.get::<Invoice>(invoice)? else { continue };
        let Some(subscription) = &invoice.subscription else { continue };
        let known = desk.account.row::<BillingHistory>(subscription)?.unwrap_or_default();
        let mut billing = known.clone();
        let paid_at = invoice.paid_at.unwrap_or(invoice.at);
        match payment.held_since() {
            Some(at) => drop(billing.disputed.insert(id, Disputed { paid_at, period_end: invoice.period_end, at })),
            None => drop(billing.disputed.remove(&id)),
        }
        keep_newest(&mut billing.disputed, KEPT_MAX, |disputed| disputed.paid_at);
        if billing != known {
            desk.account.put(subscription, billing);
        }
    }
    Ok(())
}
