//! The entries of the account's ledgers, which never change, and their sums, so that no decision reads all entries.

use super::{ACCOUNT, json_record};
use crate::model::halt::Ruled;
use extension_contract::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sums by ledger and currency, in minor units; debit positive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Balances(pub BTreeMap<String, BTreeMap<String, i64>>);

impl Balances {
    /// Id of the account's only row.
    pub const ID: &'static str = "balances";

    /// Adds an amount to a ledger. Fails if the sum exceeds 64 bits.
    pub fn add(&mut self, ledger: &str, currency: &str, amount_minor: i64) -> Ruled<()> {
        let sum = self.0.entry(ledger.to_owned()).or_default().entry(currency.to_owned()).or_insert(0);
        *sum = sum
            .checked_add(amount_minor)
            .ok_or_else(|| Refusal::Malformed(format!("amount {amount_minor}: {ledger} would exceed 64 bits")))?;
        Ok(())
    }
}

json_record!(Balances, ACCOUNT, live: |_| true, references: |_| Vec::new());

/// One posting of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posting {
    /// Ledger account.
    pub account: String,
    /// Minor units; debit positive, credit negative.
    pub amount_minor: i64,
}

/// A ledger entry: the booking of one fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// Id of the Stripe object that the entry is for.
    pub object: String,
    /// The postings.
    pub postings: Vec<Posting>,
}

json_record!(Entry, "ledger", live: |_| false, references: |_| Vec::new());
