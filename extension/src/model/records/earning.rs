//! The shares of sales, in the account that receives them: each share, and the sums of each product.

use super::json_record;
use super::sale::SaleKind;
use crate::model::ids::ProductId;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub available: bool,
}

json_record!(Earning, "earnings", live: |earning| !earning.available, references: |_| Vec::new());

/// Sums of earnings, in minor units of one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sums {
    /// Number of reported sales.
    pub sales: i64,
    /// Revenue without tax.
    pub gross_minor: i64,
    /// Refunded or disputed part of the revenue.
    pub back_minor: i64,
    /// Shares of the rest.
    pub share_minor: i64,
    /// Shares that can't be paid out yet.
    pub pending_minor: i64,
}

impl Sums {
    fn add(&mut self, earning: &Earning, sign: i64) {
        let pending = if earning.available { 0 } else { earning.share_minor };
        for (sum, amount) in [
            (&mut self.sales, 1),
            (&mut self.gross_minor, earning.gross_minor),
            (&mut self.back_minor, earning.back_minor),
            (&mut self.share_minor, earning.share_minor),
            (&mut self.pending_minor, pending),
        ] {
            *sum = sum.saturating_add(amount.saturating_mul(sign));
        }
    }
}

/// A product's earnings by currency and kind of sale. Its id is the product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Earned(pub BTreeMap<String, BTreeMap<SaleKind, Sums>>);

impl Earned {
    /// Replaces the earlier state of an earning in the sums with the new state.
    pub fn replace(&mut self, before: &Earning, after: &Earning) {
        for (earning, sign) in [(before, -1), (after, 1)] {
            if earning.told > 0 {
                self.0.entry(earning.currency.clone()).or_default().entry(earning.kind).or_default().add(earning, sign);
            }
        }
    }
}

json_record!(Earned, "earned", live: |_| false, references: |_| Vec::new());
