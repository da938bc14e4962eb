//! Automatic top-up: what the account buys when its credits run low, and how much of it in a month.

use super::{ACCOUNT, json_record};
use crate::model::ids::ProductId;
use crate::model::json::is_zero;
use extension_contract::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The top-up of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopUp {
    /// The product with the credits.
    pub product: ProductId,
    /// Number of units.
    pub quantity: u32,
    /// What the account has agreed to pay for them.
    pub amount: Money,
    /// What else the account has agreed to.
    pub terms: Agreed,
    /// Below these credits the product is bought, in minor units.
    pub below_minor: i64,
    /// What a month may cost, in minor units.
    pub limit_minor: i64,
    /// Whether the product is bought when credits run low.
    pub on: bool,
    /// Time at which the account turned it on. A dispute that began before does not turn it off.
    #[serde(default)]
    pub since: Timestamp,
    /// Why it was turned off by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// The month of `asked_minor`, such as `2026-01`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub month: String,
    /// Amount of the month's purchases that did not fail, in minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked_minor: i64,
    /// The purchase whose payment is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// Number of the account's purchases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: i64,
}

/// What an account gets for the amount, and the tax in or beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Agreed {
    /// Credits of one unit in the business's first currency, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_minor: Option<i64>,
    /// Credits of one unit in other currencies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credits: BTreeMap<String, i64>,
    /// Stripe's name of how the tax is added; `None` without taxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<String>,
}

/// Why a top-up was turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stopped {
    /// The card was declined, or the bank asked for authentication.
    Declined,
    /// The payment could not be made for another reason.
    Failed,
    /// The product, its amount, its credits or its tax is not what the account agreed to.
    Repriced,
    /// Credits were given back for money.
    Returned,
}

impl Stopped {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Stopped::Declined => "declined",
            Stopped::Failed => "failed",
            Stopped::Repriced => "repriced",
            Stopped::Returned => "returned",
        }
    }
}

impl TopUp {
    /// Id of the account's only row.
    pub const ID: &'static str = "top_up";
}

json_record!(TopUp, ACCOUNT, live: |_| true, references: |_| Vec::new());
