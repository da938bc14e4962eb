//! Where an account's shares are paid out to, and what was.

use super::{ACCOUNT, json_record};
use crate::model::json::{is_false, is_zero};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far the account at the payment provider is (requirements 7.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Onboarding {
    /// There is none.
    #[default]
    None,
    /// Its owner has not told everything yet.
    #[serde(rename = "onboarding")]
    Begun,
    /// It can be paid to.
    Enabled,
    /// The provider holds it back.
    Restricted,
}

/// Who waits for the link of an account that is being made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct AwaitsLink {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    pub return_url: String,
    pub refresh_url: String,
}

/// Payouts in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Payout {
    /// Shares that can be paid out, less what was paid out, in minor units. Negative where a share came back too late.
    pub available_minor: i64,
    /// What was paid out, in minor units.
    pub paid_minor: i64,
    /// Transfers that were asked for.
    pub transfers: i64,
    /// What is being transferred, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub open_minor: i64,
    /// The last transfer failed: the next is asked for when something has changed.
    #[serde(skip_serializing_if = "is_false")]
    pub stopped: bool,
}

/// What an account needs to be paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Payouts {
    /// The account at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<String>,
    pub onboarding: Onboarding,
    /// The provider's time of the newest view of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// The account was asked for, and these wait for its link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<AwaitsLink>,
    /// By currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<String, Payout>,
}

impl Payouts {
    /// Id of the one row.
    pub const ID: &'static str = "payouts";

    /// Add to what can be paid out.
    pub fn add(&mut self, currency: &str, amount_minor: i64) {
        let payout = self.currencies.entry(currency.to_owned()).or_default();
        payout.available_minor = payout.available_minor.saturating_add(amount_minor);
        payout.stopped = false;
    }
}

json_record!(Payouts, ACCOUNT, live: |_| true, references: |_| Vec::new());
