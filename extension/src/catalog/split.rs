//! The clause `split`: the account that receives a share of a product's revenue.

use super::span::Delay;
use super::template::field_of;
use crate::model::json::Object;
use serde::{Deserialize, Serialize};

/// Default hold period of a share.
const HOLD: Delay = Delay::days(7);
/// Number of basis points in the whole.
pub(crate) const WHOLE_BP: u32 = 10_000;

/// The clause `split` of a product type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Placeholder of the field with the account: `{product.creator}`.
    pub to: String,
    /// The account's share in basis points. The platform keeps the rest.
    pub share_bp: u32,
    /// Time from the sale until the share can be paid out, in whole days.
    #[serde(default = "hold")]
    pub hold: Delay,
    /// Minimum price in minor units. Products for 0 are allowed as well.
    #[serde(default, skip_serializing_if = "crate::model::json::is_zero")]
    pub min: i64,
}

fn hold() -> Delay {
    HOLD
}

impl Split {
    /// Returns the name of the field with the account.
    pub(crate) fn field(&self) -> Option<&str> {
        field_of(&self.to, "product")
    }

    /// Returns the share of a product with this metadata; `None` if the product has no share.
    pub(crate) fn share(&self, metadata: &Object) -> Option<Share> {
        let to = metadata.get(self.field()?)?.as_str()?;
        Some(Share { to: to.to_owned(), share_bp: self.share_bp, hold_days: self.hold.whole_days()? })
    }
}

/// The share of a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Text form of the account.
    pub to: String,
    pub share_bp: u32,
    /// Days from the sale until the share can be paid out.
    pub hold_days: u32,
}
