//! Double entry: what was paid, taxed and given back, in minor units, every entry summing to zero.
//!
//! An entry is a record of collection `ledger` whose id is the fact that it books (`paid:in_1`); what was booked stands
//! in the record that it is about, so a fact is booked once. Entries are never changed; their sums are kept.

use super::account::Account;
use super::halt::{Ruled, internal};
use super::keys::FactKey;
use super::records::balances::Balances;
use super::records::json_record;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// Money at the payment provider.
pub(crate) const CASH: &str = "cash:stripe";
/// Money that was paid past the provider.
pub(crate) const CASH_OUT_OF_BAND: &str = "cash:out_of_band";
/// What was earned.
pub(crate) const REVENUE: &str = "revenue";
/// What was paid in advance and is not used yet.
pub(crate) const CREDITS: &str = "credits";
/// What other accounts owe this one of their sales.
pub(crate) const DUE_FROM_SALES: &str = "due:sales";
/// What an account earned by the sales of others.
pub(crate) const EARNINGS: &str = "earnings";
/// What was given back, kept apart from revenue.
pub(crate) const REFUNDS: &str = "refunds";
/// What banks took back.
pub(crate) const DISPUTES: &str = "disputes";
/// What banks and the payment provider keep for a dispute.
pub(crate) const FEES: &str = "fees";
/// Tax that is owed to an authority.
pub(crate) const TAX: &str = "tax";

/// One side of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Posting {
    /// Account of the ledger.
    pub account: String,
    /// Minor units; debit positive, credit negative.
    pub amount_minor: i64,
}

/// A booked fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Entry {
    /// ISO 4217 code in lower case.
    pub currency: String,
    /// The provider's object that it is about.
    pub object: String,
    /// Its sides.
    pub postings: Vec<Posting>,
}

json_record!(Entry, "ledger", live: |_| false, references: |_| Vec::new());

/// Book a fact, once: an object may be told under two records, as a refund by its charge and by its intent. An entry of
/// nothing is none.
pub(crate) fn book(
    account: &mut Account<'_>,
    fact: FactKey<'_>,
    object: &str,
    currency: &str,
    sides: &[(&str, i64)],
) -> Ruled<()> {
    let sum = sides.iter().try_fold(0i64, |sum, (_, amount)| sum.checked_add(*amount));
    if sum != Some(0) {
        return Err(internal(format!("{fact} does not balance: {sides:?}")));
    }
    let postings: Vec<Posting> = sides
        .iter()
        .filter(|(_, amount)| *amount != 0)
        .map(|(account, amount)| Posting { account: (*account).to_owned(), amount_minor: *amount })
        .collect();
    let fact = fact.to_string();
    if postings.is_empty() || !account.record_fact(&fact)? {
        return Ok(());
    }
    let mut balances: Balances = account.fetch(Balances::ID)?.unwrap_or_default();
    for posting in &postings {
        balances.add(&posting.account, currency, posting.amount_minor)?;
    }
    account.put(Balances::ID, balances);
    account.put(&fact, Entry { currency: currency.to_owned(), object: object.to_owned(), postings });
    Ok(())
}
