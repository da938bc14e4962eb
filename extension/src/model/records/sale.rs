//! A sale with a share for another account, and what went back before the sale was known. Both are stored in the buyer's account.

use super::json_record;
use crate::model::ids::ProductId;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kind of a sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SaleKind {
    /// A one-time payment.
    #[default]
    Once,
    /// A period of a subscription.
    Subscription,
    /// A month of usage.
    Usage,
}

/// A sale. Its id is the purchase, or `invoice/product`. The sale keeps the split that was in force when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sale {
    pub product: ProductId,
    pub kind: SaleKind,
    /// Text form of the account that receives the share.
    pub to: String,
    pub share_bp: u32,
    pub hold_days: u32,
    /// Earliest time at which the subscription's product is known to have been sold, if its split has changed since;
    /// else 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub sold_at: Timestamp,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Time of payment, by Stripe's clock.
    pub at: Timestamp,
    /// Revenue without tax, in minor units. Negative for a credit, such as for the rest of a period that was changed.
    pub gross_minor: i64,
    /// Refunded or disputed part of the revenue by source, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub back: BTreeMap<String, i64>,
    /// The share as booked and reported, in minor units.
    pub booked_minor: i64,
    /// The time of payment as reported.
    #[serde(skip_serializing_if = "is_zero")]
    pub told_at: Timestamp,
    /// Number of bookings.
    pub entries: i64,
}

impl Sale {
    /// Returns the refunded or disputed amount, in minor units: at most the revenue.
    pub fn back_minor(&self) -> i64 {
        self.back.values().fold(0i64, |sum, amount| sum.saturating_add(*amount)).clamp(0, self.gross_minor.max(0))
    }

    /// Returns the share, in minor units. The share is reduced in proportion to the total returned amount, so a full
    /// return removes the whole share, even if the return arrives in several parts (TES-66, S120).
    pub fn share_minor(&self) -> i64 {
        self.part(self.gross_minor) - self.part(self.back_minor())
    }

    fn part(&self, amount_minor: i64) -> i64 {
        let part = i128::from(amount_minor) * i128::from(self.share_bp) / 10_000;
        i64::try_from(part).unwrap_or(amount_minor)
    }
}

json_record!(Sale, "sales", live: |_| false, references: |_| Vec::new());

/// Refunds and disputes of an invoice that arrived before its payment. The row is removed once the amounts are part of the
/// invoice's sales.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Returned {
    /// Refunded or disputed amount by payment, in minor units.
    pub by: BTreeMap<String, i64>,
}

json_record!(Returned, "returned", live: |_| false, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::Sale;

    fn share(gross_minor: i64, back_minor: i64) -> i64 {
        let back = [("re_1".to_owned(), back_minor)].into();
        Sale { share_bp: 9_000, gross_minor, back, ..Sale::default() }.share_minor()
    }

    #[test]
    fn a_share_is_rounded_down_and_a_full_return_removes_it() {
        for (gross, creator) in [(1_999, 1_799), (999, 899), (500, 450), (1, 0), (0, 0)] {
            assert_eq!(share(gross, 0), creator, "{gross}");
            assert_eq!(share(gross, gross), 0, "{gross}");
        }
        assert_eq!(share(1_999, 500), 1_799 - 450);
        assert_eq!(share(1_999, 5_000), 0, "no more is returned than the share");
        assert_eq!(share(i64::MAX, 0), (i128::from(i64::MAX) * 9 / 10) as i64);
    }
}
