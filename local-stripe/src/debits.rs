//! Stripe's documented test bank accounts. The bank decides on a debit some days after the payment is confirmed.

use crate::calendar::DAY_S;
use crate::error::ApiError;

/// A type of bank debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debit {
    /// The payment method's `type`.
    pub kind: &'static str,
    /// The only currency it supports.
    pub currency: &'static str,
    /// The time in seconds from confirmation to the bank's decision.
    pub settles_after_s: i64,
}

/// ACH direct debit: four days.
pub const ACH: Debit = Debit { kind: "us_bank_account", currency: "usd", settles_after_s: 4 * DAY_S };
/// SEPA direct debit: five days.
pub const SEPA: Debit = Debit { kind: "sepa_debit", currency: "eur", settles_after_s: 5 * DAY_S };
/// All types of bank debit.
pub const DEBITS: [&Debit; 2] = [&ACH, &SEPA];

/// Returns the type of debit for a payment method's `type`.
pub fn of_kind(kind: &str) -> Option<&'static Debit> {
    DEBITS.into_iter().find(|debit| debit.kind == kind)
}

/// A test bank account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestAccount {
    /// The account number, or the IBAN.
    pub number: &'static str,
    /// The token of a payment method with this account.
    pub token: Option<&'static str>,
    /// The type of debit.
    pub debit: &'static Debit,
    /// The `failure_code` of debits from this account; `None` if they succeed.
    pub failure: Option<&'static str>,
}

const fn account(
    number: &'static str,
    token: Option<&'static str>,
    debit: &'static Debit,
    failure: Option<&'static str>,
) -> TestAccount {
    TestAccount { number, token, debit, failure }
}

/// The supported bank accounts.
pub const TEST_ACCOUNTS: &[TestAccount] = &[
    account("000123456789", Some("pm_usBankAccount_success"), &ACH, None),
    account("000111111113", Some("pm_usBankAccount_accountClosed"), &ACH, Some("account_closed")),
    account("000111111116", Some("pm_usBankAccount_noAccount"), &ACH, Some("no_account")),
    account("000222222227", Some("pm_usBankAccount_insufficientFunds"), &ACH, Some("insufficient_funds")),
    account("000333333335", Some("pm_usBankAccount_debitNotAuthorized"), &ACH, Some("debit_not_authorized")),
    account("DE89370400440532013000", None, &SEPA, None),
    account("AT611904300234573201", None, &SEPA, None),
    account("AT321904300235473204", None, &SEPA, None),
    account("BE62510007547061", None, &SEPA, None),
    account("AT861904300235473202", None, &SEPA, Some("insufficient_funds")),
    account("DE62370400440532013001", None, &SEPA, Some("insufficient_funds")),
];

/// Returns the account with a number or IBAN; spaces are ignored.
pub fn by_number(number: &str) -> Option<&'static TestAccount> {
    let plain: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    TEST_ACCOUNTS.iter().find(|account| account.number.eq_ignore_ascii_case(&plain))
}

/// Returns the account of a token such as `pm_usBankAccount_success`.
pub fn by_token(token: &str) -> Option<&'static TestAccount> {
    TEST_ACCOUNTS.iter().find(|account| account.token == Some(token))
}

/// Returns Stripe's error for a debit that the bank refused.
pub fn failed(code: &str) -> ApiError {
    let message = match code {
        "account_closed" => "The customer's bank account has been closed.",
        "no_account" => "The customer's bank account could not be located.",
        "insufficient_funds" => "The customer's account has insufficient funds to cover this payment.",
        _ => "The customer has notified their bank that this payment was unauthorized.",
    };
    ApiError { status: 402, keeps_changes: true, ..ApiError::coded(code, message) }
}
