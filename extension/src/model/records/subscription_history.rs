//! What invoices and sessions tell of a subscription: what is open, what failed, what was paid, who bought it.

use super::json_record;
use crate::model::json::is_false;
use extension_contract::{Reference, RowKey, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// Entries of each kind that are kept: more than a subscription has at a time.
pub(crate) const KEPT_MAX: usize = 100;

/// An invoice that is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct OpenInvoice {
    /// Stripe's `billing_reason`.
    pub reason: String,
    /// Prices on its lines.
    pub prices: Vec<String>,
    /// When it was voided, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_at: Option<Timestamp>,
}

/// A change of plan that can be taken back until its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct PendingChange {
    /// The price to come.
    pub price: String,
    /// How many of it; it matters where each counts.
    #[serde(default)]
    pub quantity: u32,
    /// When it comes.
    pub at: Timestamp,
}

/// What is remembered of a subscription beside its own views.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct BillingHistory {
    /// Open invoices by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, OpenInvoice>,
    /// When the payment of an invoice failed first, by invoice; a later payment doesn't undo that.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, Timestamp>,
    /// Prices on paid invoices, with the latest time of payment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paid: BTreeMap<String, Timestamp>,
    /// The purchase that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<String>,
    /// The change of plan that was asked for at the end of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingChange>,
    /// The invoice that was paid when it began, if that cost anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_with: Option<String>,
    /// It is being ended: another has what it was bought for, or nothing ever allowed it.
    #[serde(skip_serializing_if = "is_false")]
    pub beaten: bool,
    /// What it began with goes back.
    #[serde(skip_serializing_if = "is_false")]
    pub given_back: bool,
    /// The subscription has ended and gives nothing that is missed any more.
    #[serde(skip_serializing_if = "is_false")]
    pub settled: bool,
}

json_record!(BillingHistory, "billing", live: |row| !row.settled, references: |row| {
    row.purchase.iter().map(|id| Reference::Row(RowKey::Purchase(id.clone()))).collect()
});
