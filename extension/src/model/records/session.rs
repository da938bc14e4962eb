//! A checkout session at Stripe.

use super::json_record;
use crate::model::ids::SubscriptionId;
use crate::model::json::is_zero;
use extension_contract::{Reference, RowKey, Timestamp};
use serde::{Deserialize, Serialize};

/// Status of a session. It only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    /// The session can be paid.
    #[default]
    Open,
    /// The session ended without payment.
    Expired,
    /// The buyer has finished; the payment may still be pending.
    Complete,
    /// The pending payment failed.
    Failed,
    /// Paid, or free of charge.
    Paid,
}

/// The stored fields of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub status: SessionStatus,
    pub mode: String,
    pub purchase: String,
    pub currency: String,
    pub total_minor: i64,
    /// Tax within the total, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// Stripe's time of the first snapshot that shows it as paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Stripe's time of the first event about the session itself that shows it as paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Whether only a payment, and no event about the session itself, shows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_payment: bool,
    /// Metadata and the buyer's address, as a JSON object, if the session was created elsewhere and may create a
    /// product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_with: Option<String>,
    /// The product that was created from the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// Whether the session's payment is booked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub booked: bool,
    /// Whether the session's tax is booked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tax_booked: bool,
}

json_record!(Session, "sessions", live: |_| false, references: |row| {
    vec![Reference::Row(RowKey::Purchase(row.purchase.clone()))]
});
