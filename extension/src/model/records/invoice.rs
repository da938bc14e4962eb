//! An invoice at Stripe, shown in the billing history.

use super::subscription_history::BillingHistory;
use super::{json_record, to_record};
use crate::model::ids::{PriceId, SubscriptionId};
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Status of an invoice. It only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvoiceStatus {
    /// Not final.
    #[default]
    Draft,
    /// Awaits payment.
    Open,
    /// Written off; it may still be paid.
    Uncollectible,
    /// Cancelled.
    Void,
    /// Paid.
    Paid,
}

/// The stored fields of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Price id at Stripe.
    pub price: Option<PriceId>,
    /// Amount in minor units.
    pub amount_minor: i64,
    /// Quantity of the price; `None` if the line has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// Whether it is a proration.
    pub proration: bool,
    /// Whether it gives money back for the rest of a period. After a full discount, its amount is 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub credit: bool,
}

/// The stored fields of an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Invoice {
    pub status: InvoiceStatus,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    pub customer: Option<String>,
    pub currency: String,
    pub total_minor: i64,
    pub tax_minor: i64,
    /// Discounts that the total is reduced by, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub discount_minor: i64,
    pub amount_due_minor: i64,
    pub amount_paid_minor: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paid_out_of_band: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_invoice_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice_pdf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    pub lines: Vec<Line>,
    /// Start of the time that the invoice pays for, without prorations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// End of the time that the invoice pays for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// End of the terms of an invoice that the customer pays by a transfer; `None` for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Time of the first failed payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// Stripe's time of the stored snapshot.
    pub at: Timestamp,
    /// Time of the earliest snapshot, or of the payment if that is earlier, by Stripe's clock.
    pub first_at: Timestamp,
    /// Stripe's time of the newest snapshot that named the customer. A snapshot without a customer does not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_at: Option<Timestamp>,
    /// Stripe's time of the newest snapshot that named the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_at: Option<Timestamp>,
    /// Whether the payment is booked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub booked: bool,
}

/// Stripe's `billing_reason` of the first invoice of a subscription.
pub(crate) const BEGINNING: &str = "subscription_create";
/// Stripe's `billing_reason` of a change of plan or quantity within a period.
pub(crate) const CHANGE: &str = "subscription_update";
/// Stripe's `billing_reason` of a renewal.
pub(crate) const RENEWAL: &str = "subscription_cycle";
/// Stripe's `billing_reason` of an invoice that a person made.
pub(crate) const BY_HAND: &str = "manual";

impl Invoice {
    /// Returns whether this is the first invoice of its subscription. A refund of the invoice counts as a refund of the
    /// purchase.
    pub fn began_subscription(&self) -> bool {
        self.reason == BEGINNING
    }

    /// Returns whether the invoice is for a change within a period.
    pub fn is_change(&self) -> bool {
        self.reason == CHANGE
    }

    /// Returns the lines that charge something, including those that a discount reduces to 0. Before 2022, the credit
    /// for a fully discounted period is not marked as such; a proration of 0 beside a line with an amount is taken for
    /// one.
    pub fn charges(&self) -> impl Iterator<Item = &Line> {
        let asks = self.lines.iter().any(|line| line.amount_minor > 0);
        self.lines.iter().filter(move |line| !line.credit && (line.amount_minor > 0 || !line.proration || !asks))
    }

    /// Returns whether Stripe received money for the invoice.
    pub fn is_paid_at_stripe(&self) -> bool {
        self.status == InvoiceStatus::Paid && self.takings_minor() > 0 && !self.paid_out_of_band
    }

    /// Returns what the customer paid for the invoice, in minor units. Payments beyond the amount due become customer
    /// balance (S107). The amount due includes amounts of earlier invoices that were too small to collect.
    pub fn takings_minor(&self) -> i64 {
        self.amount_paid_minor.min(self.amount_due_minor)
    }
}

// Only the first invoice refers to the history: references from all invoices would load all of them together.
json_record!(Invoice, "invoices", live: |_| false, references: |row| match &row.subscription {
    Some(subscription) if row.began_subscription() => vec![to_record(BillingHistory::COLLECTION, subscription)],
    _ => Vec::new(),
});
