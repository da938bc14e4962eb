//! Purchases of the account.

use crate::types::{Json, Money, RowVersion};
use serde::{Deserialize, Serialize};

/// Status at the boundary; the finer steps of a purchase are in its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseStatus {
    /// Created, not paid.
    Pending,
    /// Waits for an administrator before the payment.
    RequiresApproval,
    /// Paid, waits for an administrator.
    PaidPendingApproval,
    /// Paid and released.
    Paid,
    /// Ended without payment.
    Cancelled,
    /// Paid and given back in full.
    Refunded,
}

/// A line of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineItem {
    /// Product bought.
    pub product_id: String,
    /// The provider's price; none for a price made for this purchase.
    pub price_id: Option<String>,
    /// Name at the time of the purchase.
    pub name: String,
    /// Count, at least 1.
    pub quantity: u32,
    /// Price of one unit.
    pub unit_price: Money,
}

/// The part of a purchase that can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseValues {
    /// Payment provider: `stripe` or `manual`.
    pub provider: String,
    /// Checkout session, once made; unique.
    pub session_id: Option<String>,
    /// Payment intent, once known; unique.
    pub payment_intent_id: Option<String>,
    /// Subscription it began, if any.
    pub subscription_id: Option<String>,
    /// Status.
    pub status: PurchaseStatus,
    /// Lines.
    pub items: Vec<LineItem>,
    /// Before tax.
    pub amount: Money,
    /// Tax.
    pub tax: Money,
    /// To be paid.
    pub total: Money,
    /// Given back so far.
    pub refunded: Money,
    /// Step, terms and reasons, as a JSON object.
    pub metadata: Json,
}

/// A stored purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Id, chosen by who inserted it.
    pub id: String,
    /// Values.
    pub values: PurchaseValues,
    /// Version.
    pub version: RowVersion,
}
