//! A checkout session of the payment provider.

use super::json_record;
use extension_contract::{Reference, RowKey, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// How far a session is: it only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    /// It can be paid.
    #[default]
    Open,
    /// It ended without payment.
    Expired,
    /// The buyer is through; the payment may still be on its way.
    Complete,
    /// The payment that was on its way failed.
    Failed,
    /// Paid, or nothing to pay.
    Paid,
}

/// What is kept of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
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
    pub subscription: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// The provider's time of the first view that told that it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// What its maker wrote on it, with the buyer's address, as a JSON object: of one that is not ours, where something may
    /// be made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_with: Option<String>,
    /// The product that was made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// What was paid is booked.
    #[serde(skip_serializing_if = "crate::model::json::is_false")]
    pub booked: bool,
    /// So is its tax.
    #[serde(skip_serializing_if = "crate::model::json::is_false")]
    pub tax_booked: bool,
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

json_record!(Session, "sessions", live: |_| false, references: |row| {
    vec![Reference::Row(RowKey::Purchase(row.purchase.clone()))]
});
