//! Payouts of an account's shares: the connected account and the amounts by currency.

use super::{ACCOUNT, json_record};
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Onboarding status of the connected account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Onboarding {
    /// There is no connected account.
    #[default]
    None,
    /// The owner has not entered all data yet.
    #[serde(rename = "onboarding")]
    Begun,
    /// The account can receive payouts.
    Enabled,
    /// Stripe restricts the account.
    Restricted,
}

/// A request for an onboarding link that waits for the connected account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AwaitsLink {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    pub return_url: String,
    pub refresh_url: String,
}

/// Payouts in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Payout {
    /// Available minus paid shares, in minor units. Negative if a share was refunded after its payout.
    pub available_minor: i64,
    /// Paid amount in minor units.
    pub paid_minor: i64,
    /// Number of requested transfers.
    pub transfers: i64,
    /// Amount of the open transfer, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub open_minor: i64,
    /// Whether the last transfer failed. The next transfer is requested after a change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Time at which a transfer beyond the balance is requested again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// The payouts row of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Payouts {
    /// Id of the connected account at Stripe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<String>,
    pub onboarding: Onboarding,
    /// Whether the connected account no longer exists or has revoked the access. The next onboarding creates a new one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Transfers that were taken back, with the amounts in minor units. The last one was taken back last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reversed: Vec<(String, i64)>,
    /// Stripe's time of the newest snapshot of the connected account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// Link requests that wait for the requested connected account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<AwaitsLink>,
    /// Payouts by currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<String, Payout>,
}

impl Payouts {
    /// Id of the account's only row.
    pub const ID: &'static str = "payouts";

    /// Adds an amount to the available shares.
    pub fn add(&mut self, currency: &str, amount_minor: i64) {
        let payout = self.currencies.entry(currency.to_owned()).or_default();
        payout.available_minor = payout.available_minor.saturating_add(amount_minor);
        (payout.stopped, payout.retry_at) = (false, None);
    }
}

json_record!(Payouts, ACCOUNT, live: |_| true, references: |_| Vec::new());
