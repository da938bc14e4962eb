//! A lot of prepaid credits from a purchase. Lots are spent in the order of their payment.

use super::json_record;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A lot. Its id is the purchase. Amounts are millionths of the currency's unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lot {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Time of payment, by Stripe's clock.
    pub at: Timestamp,
    /// Credits granted by the purchase.
    pub granted_micros: i64,
    /// Credits spent on usage.
    #[serde(skip_serializing_if = "is_zero")]
    pub spent_micros: i64,
    /// Credits spent on the usage of each month, such as `2026-01`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spent_in: BTreeMap<String, i64>,
    /// Credits removed by refunds and disputes.
    #[serde(skip_serializing_if = "is_zero")]
    pub taken_micros: i64,
    /// Credits whose refund is requested: they cannot be spent, and are not removed yet.
    #[serde(skip_serializing_if = "is_zero")]
    pub held_micros: i64,
    /// Credits that refunds and disputes should have removed, but that were already spent.
    #[serde(skip_serializing_if = "is_zero")]
    pub owed_micros: i64,
    /// Credits used to repay what other lots owe.
    #[serde(skip_serializing_if = "is_zero")]
    pub repaid_micros: i64,
    /// Balance booked in the ledger account `credits`, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub booked_minor: i64,
    /// Number of booked entries.
    #[serde(skip_serializing_if = "is_zero")]
    pub entries: i64,
}

impl Lot {
    /// Returns the credits that can still be spent.
    pub fn left_micros(&self) -> i64 {
        self.unspent_micros() - self.held_micros
    }

    /// Returns the credits that are neither spent nor removed; some of them may be held for a refund.
    pub fn unspent_micros(&self) -> i64 {
        self.granted_micros - self.spent_micros - self.taken_micros - self.repaid_micros
    }
}

// A lot with a debt or a repayment stays live, because both may have to be reversed.
json_record!(Lot, "credits", live: |lot| lot.unspent_micros() > 0 || lot.owed_micros > 0 || lot.repaid_micros > 0, references: |_| Vec::new());
