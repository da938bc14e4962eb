//! Items limited to one per account, with the subscription or purchase that grants each.

use super::json_record;
use crate::model::ids::{PriceId, ProductId};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// An item. Its id is the product type and the value that `at_most` counts by: `workspace_addon:MICRO`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Product id.
    pub product_id: ProductId,
    /// Price id.
    pub price_id: PriceId,
    /// Billing interval of the price.
    pub interval: String,
    /// The subscription or purchase that grants the item.
    pub source: String,
    /// Stripe's status of the subscription, or the status of the purchase, in `source`.
    pub status: String,
    /// Start of the subscription or purchase in `source`. After several have ended, the row keeps the last one.
    pub since: Timestamp,
    /// End of the paid period.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period_end: Option<Timestamp>,
    /// Whether the item ends with the paid period.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub cancel_at_period_end: bool,
}

json_record!(Item, "items", live: |_| true, references: |_| Vec::new());
