//! A share of a sale, in the account that receives it.

use super::json_record;
use super::sale::SaleKind;
use crate::model::ids::ProductId;
use crate::model::json::is_false;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// A share of a sale. Its id is the sale. It does not identify the buyer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Earning {
    pub product: ProductId,
    pub kind: SaleKind,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Time of the sale's payment.
    pub at: Timestamp,
    /// Time from which the share can be paid out.
    pub available_at: Timestamp,
    /// Revenue of the sale without tax, in minor units.
    pub gross_minor: i64,
    /// Refunded or disputed part of the revenue, in minor units.
    pub back_minor: i64,
    /// The share of the rest, in minor units.
    pub share_minor: i64,
    /// Number of the newest message for the sale. Messages with lower numbers are ignored.
    pub told: i64,
    /// Whether the share can be paid out and is part of the account's available sum.
    #[serde(skip_serializing_if = "is_false")]
    pub available: bool,
}

json_record!(Earning, "earnings", live: |earning| !earning.available, references: |_| Vec::new());
