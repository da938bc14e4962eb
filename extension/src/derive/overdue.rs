//! What a subscription owes, and when it was suspended for lack of payment.

use crate::catalog::span::Delay;
use crate::model::ids::InvoiceId;
use crate::model::records::invoice::{Invoice, InvoiceStatus};
use crate::model::records::subscription::{Observation, SubscriptionRow};
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::{SubscriptionStatus, Timestamp};
use serde::Serialize;

/// An invoice that waits for its payment, as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OwedInvoice {
    pub id: InvoiceId,
    pub number: Option<String>,
    /// What is left to pay, in minor units.
    pub amount_minor: i64,
    pub currency: String,
    pub hosted_invoice_url: Option<String>,
    /// Time of the invoice.
    pub at: Timestamp,
    /// End of the terms of an invoice that the customer pays by a transfer.
    pub due_at: Option<Timestamp>,
}

/// Returns the invoices of a subscription that may wait for their payment. Drafts are among them.
pub(crate) fn may_wait(billing: &BillingHistory) -> impl Iterator<Item = &InvoiceId> {
    billing.open.iter().filter(|(_, open)| open.void_at.is_none()).map(|(id, _)| id)
}

/// Returns an invoice as owed; `None` if nobody can pay it or nothing is left to pay.
pub(crate) fn owed(id: &InvoiceId, invoice: &Invoice) -> Option<OwedInvoice> {
    let left = invoice.amount_due_minor.saturating_sub(invoice.amount_paid_minor);
    let is_payable = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    (is_payable && left > 0).then(|| OwedInvoice {
        id: id.clone(),
        number: invoice.number.clone(),
        amount_minor: left,
        currency: invoice.currency.clone(),
        hosted_invoice_url: invoice.hosted_invoice_url.clone(),
        at: invoice.first_at,
        due_at: invoice.due_at,
    })
}

/// Time within which Stripe may take back that it gave up collecting.
const SETTLES_MS: i64 = 10 * 60_000;

/// A time in which a subscription granted nothing because it was not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspension {
    /// When it began, or will begin unless the customer pays: at the end of the grace period, or when Stripe gave up before.
    pub at: Timestamp,
    /// When the customer is told of it: not at once if Stripe gave up, because its next event may take that back.
    pub told_at: Timestamp,
    /// When the subscription was paid again; `None` until then.
    pub ended: Option<Timestamp>,
}

/// Returns the newest suspension of a subscription that goes on.
pub(crate) fn suspension(row: &SubscriptionRow, billing: &BillingHistory, grace: Delay) -> Option<Suspension> {
    let is_unpaid =
        |seen: &&Observation| matches!(seen.status(), SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid);
    let is_paid = |seen: &&Observation| seen.status() == SubscriptionStatus::Active;
    let newest_first = || row.history.iter().rev();
    let paid: Vec<&Observation> = newest_first().take_while(is_paid).collect();
    let unpaid: Vec<&Observation> = newest_first().skip(paid.len()).take_while(is_unpaid).collect();
    let began = unpaid.last()?.at();
    let before = newest_first().nth(paid.len() + unpaid.len()).map(Observation::at);
    let ended = paid.last().map(|seen| seen.at());
    let of_run = |at: &Timestamp| before.is_none_or(|before| *at >= before) && ended.is_none_or(|ended| *at <= ended);
    let failed = billing.failed.values().copied().filter(of_run).min();
    let grace_end = grace.after(failed.map_or(began, |failed| failed.min(began)));
    let given_up = unpaid.iter().filter(|seen| seen.status() == SubscriptionStatus::Unpaid).map(|seen| seen.at()).min();
    let at = given_up.map_or(grace_end, |given_up| given_up.min(grace_end));
    let told_at = if at < grace_end { at.saturating_add(SETTLES_MS) } else { at };
    ended.is_none_or(|ended| at <= ended).then_some(Suspension { at, told_at, ended })
}
