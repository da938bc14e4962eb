//! Double entry: what was paid, taxed and given back, in minor units, every entry summing to zero.
//!
//! An entry is a record of collection `ledger` whose id is the fact that it books (`paid:in_1`), so a fact is booked
//! once whatever event carries it; the host keeps beside the fact which event that was. Entries are never changed.

use crate::context::{Context, Step, Stop, encode};
use crate::rows::Rows;
use products_contract::*;
use serde::{Deserialize, Serialize};

/// Money at the payment provider.
pub(crate) const CASH: &str = "cash:stripe";
/// Money that was paid past the provider.
pub(crate) const CASH_OUT_OF_BAND: &str = "cash:out_of_band";
/// What was earned.
pub(crate) const REVENUE: &str = "revenue";
/// What was given back, kept apart from revenue.
pub(crate) const REFUNDS: &str = "refunds";
/// Tax that is owed to an authority.
pub(crate) const TAX: &str = "tax";

/// One side of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posting {
    /// Account of the ledger.
    pub account: String,
    /// Minor units; debit positive, credit negative.
    pub amount_minor: i64,
}

/// A booked fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// The provider's object that it is about.
    pub object: String,
    /// Its sides.
    pub postings: Vec<Posting>,
}

/// Book a fact once. True if it was new.
pub(crate) fn book(
    context: &mut Context<'_, '_>,
    fact: &str,
    object: &str,
    currency: &str,
    sides: &[(&str, i64)],
) -> Step<bool> {
    let sum = sides.iter().try_fold(0i64, |sum, (_, amount)| sum.checked_add(*amount));
    if sum != Some(0) {
        return Err(Stop::Failed(Failure::Internal(format!("{fact} does not balance: {sides:?}"))));
    }
    let postings: Vec<Posting> = sides
        .iter()
        .filter(|(_, amount)| *amount != 0)
        .map(|(account, amount)| Posting { account: (*account).to_owned(), amount_minor: *amount })
        .collect();
    if postings.is_empty() || !context.note(fact)? {
        return Ok(false);
    }
    let entry = Entry { currency: currency.to_owned(), object: object.to_owned(), postings };
    context.host.record_save("ledger", fact, 0, encode(&entry)?)?;
    Ok(true)
}

/// All entries of the account.
pub(crate) fn entries(host: &mut Rows<'_>) -> Fallible<Vec<Entry>> {
    let rows = host.records("ledger")?;
    rows.iter().map(|row| crate::context::decode("ledger", &row.id, &row.value)).collect()
}
