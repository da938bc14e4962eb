//! The trial that an account began with its sign-up. No subscription exists for it.

use super::purchase::Sold;
use super::trial_change::TrialChange;
use super::{ACCOUNT, json_record};
use crate::model::ids::ProductId;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The trial of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignUpTrialRow {
    /// The plan.
    pub product: ProductId,
    /// Time of the first event.
    pub began: Timestamp,
    /// Time at which it ends, unless the account buys a plan before.
    pub until: Timestamp,
    /// Time since which the account has had a plan of the family that it bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bought: Option<Timestamp>,
    /// The subscription or purchase with which it was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bought_by: Option<String>,
    /// Whether a checkout of the plan follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads_to_checkout: bool,
    /// Number of units.
    pub quantity: u32,
    /// What one unit grants. A later catalog does not change it.
    pub tried: Sold,
    /// The changes of its end, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<TrialChange>,
}

impl SignUpTrialRow {
    /// Id of the account's only row.
    pub const ID: &'static str = "trial";

    /// Returns the time until which it grants the plan.
    pub fn end(&self) -> Timestamp {
        self.bought.map_or(self.until, |bought| bought.min(self.until)).max(self.began)
    }
}

json_record!(SignUpTrialRow, ACCOUNT, live: |_| true, references: |_| Vec::new());
