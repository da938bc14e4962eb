//! A lot of credits: from a purchase or an invoice, or given by an operator. What ends first is spent first, then the oldest lot.

use super::json_record;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A lot. Its id is the purchase or the invoice, or the gift of an operator. Amounts are millionths of the currency's unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lot {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Time of payment by Stripe's clock, or of the gift.
    pub at: Timestamp,
    /// Time at which the rest of it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The operator who gave it, and why; `None` if it was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
    /// The operator who ended it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Given>,
    /// Credits granted by the purchase or the operator.
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
    /// Credits that ended unspent.
    #[serde(skip_serializing_if = "is_zero")]
    pub expired_micros: i64,
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
        self.granted_micros - self.spent_micros - self.taken_micros - self.repaid_micros - self.expired_micros
    }

    /// Sets the credits that refunds and disputes have removed in all. What was spent before is owed.
    pub fn take_back(&mut self, micros: i64) {
        self.taken_micros = micros.min(self.granted_micros - self.spent_micros);
        self.owed_micros = micros - self.taken_micros;
        // The lot's payments for other lots' debts are limited to the lot's remaining credits.
        self.repaid_micros = self.repaid_micros.min(self.granted_micros - self.spent_micros - self.taken_micros);
    }

    /// Returns its place among the lots from which usage is paid: what ends first, then the oldest.
    pub fn place(&self) -> (Timestamp, Timestamp) {
        (self.expires_at.unwrap_or(Timestamp::MAX), self.at)
    }

    /// Returns whether it has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Ends what is left of it if its time is over. What comes back to an ended lot ends as well.
    pub fn expire(&mut self, now: Timestamp) {
        self.expired_micros = 0;
        if self.has_ended(now) {
            self.expired_micros = self.left_micros().max(0);
        }
    }
}

/// Who gave or ended credits, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// The operator.
    pub by: String,
    /// Why; `None` after the erasure of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

// A lot with a debt or a repayment stays live, because both may have to be reversed.
json_record!(Lot, "credits", live: |lot| lot.unspent_micros() > 0 || lot.owed_micros > 0 || lot.repaid_micros > 0, references: |_| Vec::new());
