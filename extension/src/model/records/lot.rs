//! Credits that a purchase left behind. Lots are spent in the order in which they were paid for.

use super::json_record;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// A lot; its id is the purchase. Amounts are millionths of the currency's unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Lot {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// When it was paid for, by the provider's clock.
    pub at: Timestamp,
    /// What the purchase gave.
    pub granted_micros: i64,
    /// What usage took.
    #[serde(skip_serializing_if = "is_zero")]
    pub spent_micros: i64,
    /// What refunds and disputes took back.
    #[serde(skip_serializing_if = "is_zero")]
    pub taken_micros: i64,
    /// What they should have taken back and could not, since it was spent.
    #[serde(skip_serializing_if = "is_zero")]
    pub owed_micros: i64,
    /// What paid for that which other lots owe.
    #[serde(skip_serializing_if = "is_zero")]
    pub repaid_micros: i64,
    /// Minor units of it that stand in the ledger as credits.
    #[serde(skip_serializing_if = "is_zero")]
    pub booked_minor: i64,
    /// Entries that were booked of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub entries: i64,
}

impl Lot {
    /// What can still be spent of it.
    pub fn left_micros(&self) -> i64 {
        self.granted_micros - self.spent_micros - self.taken_micros - self.repaid_micros
    }
}

// What owes, or paid for what others owe, may have to be undone.
json_record!(Lot, "credits", live: |lot| lot.left_micros() > 0 || lot.owed_micros > 0 || lot.repaid_micros > 0, references: |_| Vec::new());
