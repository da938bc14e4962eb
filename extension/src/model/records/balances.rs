//! Balances of the account's ledgers: sums that are kept, so that no history is read.

use super::{ACCOUNT, json_record};
use crate::model::halt::{Ruled, internal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sums by ledger and currency, in minor units; debit positive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Balances(pub BTreeMap<String, BTreeMap<String, i64>>);

impl Balances {
    /// Id of the one row.
    pub const ID: &'static str = "balances";

    /// Add an amount to a ledger.
    pub fn add(&mut self, ledger: &str, currency: &str, amount_minor: i64) -> Ruled<()> {
        let sum = self.0.entry(ledger.to_owned()).or_default().entry(currency.to_owned()).or_insert(0);
        *sum = sum.checked_add(amount_minor).ok_or_else(|| internal(format!("{ledger} exceeds 64 bits")))?;
        Ok(())
    }
}

json_record!(Balances, ACCOUNT, live: |_| true, references: |_| Vec::new());
