//! An invoice of the payment provider; the billing history shows it.

use super::subscription_history::BillingHistory;
use super::{json_record, to_record};
use crate::model::json::is_false;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// How far an invoice is: it only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvoiceStatus {
    /// Not final.
    #[default]
    Draft,
    /// To be paid.
    Open,
    /// Given up; it may still be paid.
    Uncollectible,
    /// Cancelled.
    Void,
    /// Paid.
    Paid,
}

/// A line, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
pub(crate) struct Line {
    /// Stripe's price.
    pub price: Option<String>,
    /// Minor units.
    pub amount_minor: i64,
    /// Settles a part of a period.
    pub proration: bool,
}

/// What is kept of an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Invoice {
    pub status: InvoiceStatus,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    pub customer: Option<String>,
    pub currency: String,
    pub total_minor: i64,
    pub tax_minor: i64,
    pub amount_due_minor: i64,
    pub amount_paid_minor: i64,
    #[serde(skip_serializing_if = "is_false")]
    pub paid_out_of_band: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_invoice_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    pub lines: Vec<Line>,
    /// When a payment failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// The provider's time of the view.
    pub at: Timestamp,
    /// The provider's times of the views that named customer and subscription; a view that names none says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_at: Option<Timestamp>,
    /// See `customer_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_at: Option<Timestamp>,
    /// What was paid is booked.
    #[serde(skip_serializing_if = "is_false")]
    pub booked: bool,
}

impl Invoice {
    /// Whether it is the one that began its subscription: a refund of it is one of the purchase.
    pub fn began_subscription(&self) -> bool {
        self.reason == "subscription_create"
    }

    /// What its payments brought in, in minor units. Beyond what was due they are the customer's balance, no revenue
    /// (S107); what is due contains what earlier invoices were too small to collect.
    pub fn takings_minor(&self) -> i64 {
        self.amount_paid_minor.min(self.amount_due_minor)
    }
}

// Only the first invoice leads to the subscription: the others would all be read with it.
json_record!(Invoice, "invoices", live: |_| false, references: |row| match &row.subscription {
    Some(subscription) if row.began_subscription() => vec![to_record(BillingHistory::COLLECTION, subscription)],
    _ => Vec::new(),
});
