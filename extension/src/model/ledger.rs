//! The double-entry ledger of payments, taxes and refunds, in minor units. The postings of each entry sum to zero.
//!
//! An entry is a record of collection `ledger`; its id is the booked fact (`paid:in_1`), so each fact is booked once.
//! Entries never change. Their sums are stored in the balances.

use super::account::Account;
use super::halt::{Ruled, internal};
use super::keys::FactKey;
use super::records::ledger::{Balances, Entry, Posting};

/// Money at Stripe.
pub(crate) const CASH: &str = "cash:stripe";
/// Money that was paid outside of Stripe.
pub(crate) const CASH_OUT_OF_BAND: &str = "cash:out_of_band";
/// What customers have as a balance at Stripe: overpaid and credited amounts that their next invoices use. A positive
/// amount was given to them by the business, or is still to be collected.
pub(crate) const CUSTOMER_BALANCE: &str = "customer_balance";
/// Revenue.
pub(crate) const REVENUE: &str = "revenue";
/// Prepaid credits that are not used yet.
pub(crate) const CREDITS: &str = "credits";
/// Shares of sales that other accounts owe to this account.
pub(crate) const DUE_FROM_SALES: &str = "due:sales";
/// Earnings from shares in the sales of other accounts.
pub(crate) const EARNINGS: &str = "earnings";
/// Refunds, kept apart from revenue.
pub(crate) const REFUNDS: &str = "refunds";
/// Disputed amounts that banks took back.
pub(crate) const DISPUTES: &str = "disputes";
/// Dispute fees of banks and of Stripe.
pub(crate) const FEES: &str = "fees";
/// Tax owed to an authority.
pub(crate) const TAX: &str = "tax";

/// Books a fact once, even if two records report it, such as a refund by its charge and by its intent. Skips an entry
/// whose amounts are all zero.
pub(crate) fn book(
    account: &mut Account<'_>,
    fact: FactKey<'_>,
    object: &str,
    currency: &str,
    sides: &[(&str, i64)],
) -> Ruled<()> {
    let sum = sides.iter().try_fold(0i64, |sum, (_, amount)| sum.checked_add(*amount));
    if sum != Some(0) {
        return Err(internal(format!("ledger entry {fact} has postings {sides:?}, expected a sum of 0")));
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
    let mut balances: Balances = account.row(Balances::ID)?.unwrap_or_default();
    for posting in &postings {
        balances.add(&posting.account, currency, posting.amount_minor)?;
    }
    account.put(Balances::ID, balances);
    account.put(&fact, Entry { currency: currency.to_owned(), object: object.to_owned(), postings });
    Ok(())
}
