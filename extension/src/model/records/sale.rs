//! A sale that somebody else has a share of, in the buyer's account.

use super::json_record;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SaleKind {
    /// Something that is paid once.
    #[default]
    Once,
    /// A period of a subscription.
    Subscription,
    /// A month's use.
    Usage,
}

/// A sale; its id is the purchase, or `invoice/product`. It keeps the split that was agreed when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Sale {
    pub product: String,
    pub kind: SaleKind,
    /// Text form of the account that has the share.
    pub to: String,
    pub share_bp: u32,
    pub hold_days: u32,
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// When it was paid, by the provider's clock.
    pub at: Timestamp,
    /// What was paid for it without tax, in minor units.
    pub gross_minor: i64,
    /// What of that came back or is with a bank, by what brought it, in minor units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub back: BTreeMap<String, i64>,
    /// The share as it is booked and told, in minor units.
    pub booked_minor: i64,
    /// How often it was.
    pub entries: i64,
}

impl Sale {
    /// What came back of it, in minor units: no more than what it brought.
    pub fn back_minor(&self) -> i64 {
        self.back.values().fold(0i64, |sum, amount| sum.saturating_add(*amount)).clamp(0, self.gross_minor.max(0))
    }

    /// The share of it, in minor units. What comes back takes its part of the share, counted from all that came back,
    /// so that all of it takes all of the share, in however many parts (TES-66, S120).
    pub fn share_minor(&self) -> i64 {
        self.part(self.gross_minor) - self.part(self.back_minor())
    }

    fn part(&self, amount_minor: i64) -> i64 {
        let part = i128::from(amount_minor.max(0)) * i128::from(self.share_bp) / 10_000;
        i64::try_from(part).unwrap_or(amount_minor)
    }
}

json_record!(Sale, "sales", live: |_| false, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::Sale;

    fn share(gross_minor: i64, back_minor: i64) -> i64 {
        let back = [("re_1".to_owned(), back_minor)].into();
        Sale { share_bp: 9_000, gross_minor, back, ..Sale::default() }.share_minor()
    }

    #[test]
    fn the_share_is_rounded_down_and_goes_back_whole() {
        for (gross, creator) in [(1_999, 1_799), (999, 899), (500, 450), (1, 0), (0, 0)] {
            assert_eq!(share(gross, 0), creator, "{gross}");
            assert_eq!(share(gross, gross), 0, "{gross}");
        }
        assert_eq!(share(1_999, 500), 1_799 - 450);
        assert_eq!(share(1_999, 5_000), 0, "no more comes back than was given");
        assert_eq!(share(i64::MAX, 0), (i128::from(i64::MAX) * 9 / 10) as i64);
    }
}
