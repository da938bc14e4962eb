//! A product of the account's own in the catalog, as far as the account was told.

use super::json_record;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListingStatus {
    /// It was asked for.
    #[default]
    Asked,
    /// It is on sale.
    Listed,
    /// It is in the catalog and not on sale: it waits for an administrator, or was taken back.
    Unlisted,
    /// What was asked for last could not be had.
    Refused,
}

/// A listing; its id is the product's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct ListingRow {
    pub name: String,
    pub status: ListingStatus,
    /// Code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

json_record!(ListingRow, "listings", live: |_| false, references: |_| Vec::new());
