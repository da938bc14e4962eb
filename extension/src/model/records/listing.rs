//! The listing of an account's own product in the catalog, as last reported to the account.

use super::json_record;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Status of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListingStatus {
    /// The owner requested the listing.
    #[default]
    Asked,
    /// The product is on sale.
    Listed,
    /// The product is in the catalog but not on sale: it waits for an administrator, or was withdrawn.
    Unlisted,
    /// The last request of the owner was refused.
    Refused,
}

/// A listing. Its id is the id of the product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ListingRow {
    pub name: String,
    pub status: ListingStatus,
    /// Code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Time of the status.
    pub at: Timestamp,
}

json_record!(ListingRow, "listings", live: |_| false, references: |_| Vec::new());
