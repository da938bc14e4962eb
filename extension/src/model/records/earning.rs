//! A share of a sale, in the account that has it.

use super::json_record;
use super::sale::SaleKind;
use crate::model::json::is_false;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// A share; its id is the sale. Who bought is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Earning {
    pub product: String,
    pub kind: SaleKind,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// When the sale was paid.
    pub at: Timestamp,
    /// From when on it can be paid out.
    pub available_at: Timestamp,
    /// What the sale brought without tax, in minor units.
    pub gross_minor: i64,
    /// What of that came back, in minor units.
    pub back_minor: i64,
    /// The share of what is left, in minor units.
    pub share_minor: i64,
    /// The newest thing that was told of the sale: later ones replace it, whatever order they arrive in.
    pub told: i64,
    /// It can be paid out, and is in the account's sum.
    #[serde(skip_serializing_if = "is_false")]
    pub available: bool,
}

json_record!(Earning, "earnings", live: |earning| !earning.available, references: |_| Vec::new());
