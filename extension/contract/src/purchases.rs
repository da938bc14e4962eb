//! Purchases of the account.

use crate::types::{Json, Money, RowVersion};
use serde::{Deserialize, Serialize};

/// Status of a purchase in the contract; its metadata has the finer steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseStatus {
    /// Created, not paid.
    Pending,
    /// Waits for an administrator's approval before the payment.
    RequiresApproval,
    /// Paid, waits for an administrator's approval.
    PaidPendingApproval,
    /// Paid and approved.
    Paid,
    /// Ended without payment.
    Cancelled,
    /// Paid and refunded in full.
    Refunded,
}

/// A line of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineItem {
    /// Id of the product.
    pub product_id: String,
    /// Id of the payment source's price; `None` for a price created for this purchase.
    pub price_id: Option<String>,
    /// Product name at the time of the purchase.
    pub name: String,
    /// Count, at least 1.
    pub quantity: u32,
    /// Price per unit.
    pub unit_price: Money,
}

/// The writable part of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseValues {
    /// Payment source: `stripe` or `manual`.
    pub provider: String,
    /// Id of the checkout session, once created; unique.
    pub session_id: Option<String>,
    /// Id of the payment intent, once known; unique.
    pub payment_intent_id: Option<String>,
    /// Id of the subscription that it started, if any.
    pub subscription_id: Option<String>,
    /// Status.
    pub status: PurchaseStatus,
    /// Line items.
    pub items: Vec<LineItem>,
    /// Amount before tax.
    pub amount: Money,
    /// Tax.
    pub tax: Money,
    /// Amount to be paid.
    pub total: Money,
    /// Amount refunded so far.
    pub refunded: Money,
    /// Step, terms and reasons as a JSON object.
    pub metadata: Json,
}

/// A stored purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Id, chosen when the row was inserted.
    pub id: String,
    /// Values.
    pub values: PurchaseValues,
    /// Version.
    pub version: RowVersion,
}
