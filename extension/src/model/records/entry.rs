//! An entry of the ledger. Entries never change.

use super::json_record;
use serde::{Deserialize, Serialize};

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
