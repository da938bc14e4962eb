//! What an account has once of what it can have once of: the row of (owner, item), whichever subscription carries it.

use super::json_record;
use crate::model::json::is_false;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// An item; its id is the product type and the value that tells its products apart: `workspace_addon:MICRO`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Item {
    /// Its product.
    pub product_id: String,
    /// The price that it has.
    pub price_id: String,
    /// How often that is paid.
    pub interval: String,
    /// The subscription or purchase that carries it.
    pub source: String,
    /// The provider's status of that subscription, or the status of the purchase.
    pub status: String,
    /// When that began: of those that ended the last one stays.
    pub since: Timestamp,
    /// The end of what is paid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period_end: Option<Timestamp>,
    /// It ends with that period.
    #[serde(skip_serializing_if = "is_false", default)]
    pub cancel_at_period_end: bool,
}

json_record!(Item, "items", live: |_| true, references: |_| Vec::new());
