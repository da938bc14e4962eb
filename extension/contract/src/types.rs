//! Types shared by several interfaces of the contract, such as accounts, money, refusals and failures.

use crate::field_error::{FieldError, listed};
use serde::{Deserialize, Serialize};
use std::fmt;

/// UTF-8 JSON text.
pub type Json = String;
/// Milliseconds since the Unix epoch, UTC.
pub type Timestamp = i64;
/// Version of a row: 1 after the insert, incremented by each save, 0 for a row that does not exist.
pub type RowVersion = u64;

/// An account: the owner of the data of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The reserved account that owns the catalog.
    Platform,
    /// A user, by the id in the host's identity system.
    User(String),
    /// An organization, by the id in the host's identity system.
    Organization(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Platform => f.write_str("platform"),
            Account::User(id) => write!(f, "user:{id}"),
            Account::Organization(id) => write!(f, "organization:{id}"),
        }
    }
}

/// Error for a text that is not an account: neither `platform`, `user:ID` nor `organization:ID`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an account: expected `platform`, `user:ID` or `organization:ID`")]
pub struct BadAccount(pub String);

impl std::str::FromStr for Account {
    type Err = BadAccount;
    fn from_str(text: &str) -> Result<Self, BadAccount> {
        match text.split_once(':') {
            None if text == "platform" => Ok(Account::Platform),
            Some(("user", id)) if !id.is_empty() => Ok(Account::User(id.to_owned())),
            Some(("organization", id)) if !id.is_empty() => Ok(Account::Organization(id.to_owned())),
            _ => Err(BadAccount(text.to_owned())),
        }
    }
}

impl Serialize for Account {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Kind of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A person acting for the account.
    User,
    /// An operator of the platform.
    Admin,
    /// A program with its own key.
    Service,
    /// Another extension.
    Extension,
    /// The payment source, a timer or the host itself.
    System,
}

/// The originator of an event or a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Kind.
    pub kind: ActorKind,
    /// Id in the host's identity system, or a name; empty for `system`.
    #[serde(default)]
    pub subject: String,
    /// Roles in this account, as asserted by the host at intake.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Actor {
    /// Returns the actor for the payment source, a timer or the host itself.
    pub fn system() -> Self {
        Actor { kind: ActorKind::System, subject: String::new(), roles: Vec::new() }
    }
}

/// An amount of money in whole minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Amount in the currency's minor unit; negative for returned money.
    pub amount_minor: i64,
    /// ISO 4217 code in lower case.
    pub currency: String,
}

/// Unit of a billing interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalUnit {
    /// Daily.
    Day,
    /// Weekly.
    Week,
    /// Monthly.
    Month,
    /// Yearly.
    Year,
}

/// A recurring billing period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingInterval {
    /// Unit of the period.
    pub unit: IntervalUnit,
    /// Units in a period, at least 1.
    pub count: u32,
}

/// The reason why a call of an import has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum ImportError {
    /// The row has this version instead of the expected version.
    #[error("version conflict: the row has version {0}")]
    Conflict(RowVersion),
    /// The unique index with this name already has the value.
    #[error("unique index `{0}` already has the value")]
    Taken(String),
    /// The values are not valid against the declared schema.
    #[error("values do not fit the schema: {}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// A write to the catalog of another owner, to an undeclared collection, or in a read-only transaction.
    #[error("denied: {0}")]
    Denied(String),
    /// The named limit of size or number is exceeded.
    #[error("limit exceeded: {0}")]
    LimitExceeded(String),
    /// The store failed; an extension must return this as a failure.
    #[error("store unavailable: {0}")]
    Unavailable(String),
}

/// A quota that the request would exceed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRefusal {
    /// Key of the quota.
    pub quota: String,
    /// Allowed amount.
    pub allowed: i64,
    /// Amount in use.
    pub used: i64,
    /// Id of a price that would raise the quota, if one is on sale.
    pub upgrade: Option<String>,
}

/// An amount that differs from the agreed amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountMismatch {
    /// Amount of the purchase.
    pub expected: Money,
    /// Amount in the event.
    pub actual: Money,
}

/// Why the extension or the host refused an authentic request or event. Texts contain facts, not sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A part of a payload, given by JSON Pointer, is missing, has the wrong type or is duplicated.
    Malformed(String),
    /// The payload has an unsupported shape.
    WrongShape(String),
    /// Some fields are not valid.
    Invalid(Vec<FieldError>),
    /// The status is unknown.
    UnknownStatus(String),
    /// No product has this price of the payment source.
    UnknownPrice(String),
    /// The event belongs to this business, but no account claimed it until its parking time ended; set by the host.
    Unclaimed,
    /// The matched secret and the event's mode contradict each other.
    ModeMismatch,
    /// Amount or currency differs from the agreed amount.
    AmountMismatch(AmountMismatch),
    /// The event contradicts itself or the stored data.
    Inconsistent(String),
    /// The account already has this item, and may have only one.
    AlreadyOwned(String),
    /// A condition of the product type is not met.
    RequirementUnmet(String),
    /// The account's quota is exhausted.
    QuotaExceeded(QuotaRefusal),
    /// The balance of the ledger with this name is too low.
    InsufficientBalance(String),
    /// The account does not have the entitlement with this key.
    NoEntitlement(String),
    /// Another account holds the claim with this key, or the claim is blocked.
    NameTaken(String),
    /// The object's current state, given here, does not allow the request.
    BadTransition(String),
    /// The actor may not make this request.
    Forbidden(String),
    /// The object does not exist in this account.
    NotFound(String),
}

impl Refusal {
    /// All codes, in order.
    pub const CODES: [&'static str; 18] = [
        "already-owned",
        "amount-mismatch",
        "bad-transition",
        "forbidden",
        "inconsistent",
        "insufficient-balance",
        "invalid",
        "malformed",
        "mode-mismatch",
        "name-taken",
        "no-entitlement",
        "not-found",
        "quota-exceeded",
        "requirement-unmet",
        "unclaimed",
        "unknown-price",
        "unknown-status",
        "wrong-shape",
    ];

    /// Returns the refusal's code, as used in reports and in a product's `metadata.error`.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::WrongShape(_) => "wrong-shape",
            Refusal::Invalid(_) => "invalid",
            Refusal::UnknownStatus(_) => "unknown-status",
            Refusal::UnknownPrice(_) => "unknown-price",
            Refusal::Unclaimed => "unclaimed",
            Refusal::ModeMismatch => "mode-mismatch",
            Refusal::AmountMismatch(_) => "amount-mismatch",
            Refusal::Inconsistent(_) => "inconsistent",
            Refusal::AlreadyOwned(_) => "already-owned",
            Refusal::RequirementUnmet(_) => "requirement-unmet",
            Refusal::QuotaExceeded(_) => "quota-exceeded",
            Refusal::InsufficientBalance(_) => "insufficient-balance",
            Refusal::NoEntitlement(_) => "no-entitlement",
            Refusal::NameTaken(_) => "name-taken",
            Refusal::BadTransition(_) => "bad-transition",
            Refusal::Forbidden(_) => "forbidden",
            Refusal::NotFound(_) => "not-found",
        }
    }

    /// Returns the refusal's details as one line of text; empty if the refusal has none.
    pub fn detail(&self) -> String {
        match self {
            Refusal::Malformed(text)
            | Refusal::WrongShape(text)
            | Refusal::UnknownStatus(text)
            | Refusal::UnknownPrice(text)
            | Refusal::Inconsistent(text)
            | Refusal::AlreadyOwned(text)
            | Refusal::RequirementUnmet(text)
            | Refusal::InsufficientBalance(text)
            | Refusal::NoEntitlement(text)
            | Refusal::NameTaken(text)
            | Refusal::BadTransition(text)
            | Refusal::Forbidden(text)
            | Refusal::NotFound(text) => text.clone(),
            Refusal::Unclaimed | Refusal::ModeMismatch => String::new(),
            Refusal::Invalid(errors) => listed(errors),
            Refusal::AmountMismatch(m) => format!(
                "expected {} {}, got {} {}",
                m.expected.amount_minor, m.expected.currency, m.actual.amount_minor, m.actual.currency
            ),
            Refusal::QuotaExceeded(q) => format!("{} {}/{}", q.quota, q.used, q.allowed),
        }
    }
}

/// Formats the refusal as `code(detail)`, as in reports and expectations.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail();
        if detail.is_empty() { f.write_str(self.code()) } else { write!(f, "{}({detail})", self.code()) }
    }
}

/// Why a call could not be completed. The host rolls the call back and retries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// An error of an import, passed on unchanged.
    #[error(transparent)]
    Store(#[from] ImportError),
    /// A violated invariant: a bug or damaged data.
    #[error("internal: {0}")]
    Internal(String),
}

/// Why a query or a validation has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The extension refused the query or the product.
    Refused(Refusal),
    /// The call could not be completed.
    Failed(Failure),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Id of the last row before the page; `None` for the first page.
    pub after: Option<String>,
    /// Maximum number of rows to return, 1 to 500.
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_all_refusals() {
        let text = String::new;
        let money = || Money { amount_minor: 0, currency: text() };
        let all = [
            Refusal::Malformed(text()),
            Refusal::WrongShape(text()),
            Refusal::Invalid(Vec::new()),
            Refusal::UnknownStatus(text()),
            Refusal::UnknownPrice(text()),
            Refusal::Unclaimed,
            Refusal::ModeMismatch,
            Refusal::AmountMismatch(AmountMismatch { expected: money(), actual: money() }),
            Refusal::Inconsistent(text()),
            Refusal::AlreadyOwned(text()),
            Refusal::RequirementUnmet(text()),
            Refusal::QuotaExceeded(QuotaRefusal { quota: text(), allowed: 0, used: 0, upgrade: None }),
            Refusal::InsufficientBalance(text()),
            Refusal::NoEntitlement(text()),
            Refusal::NameTaken(text()),
            Refusal::BadTransition(text()),
            Refusal::Forbidden(text()),
            Refusal::NotFound(text()),
        ];
        // This match fails to compile until a new refusal is listed above.
        for refusal in &all {
            match refusal {
                Refusal::Malformed(_) | Refusal::WrongShape(_) | Refusal::Invalid(_) | Refusal::UnknownStatus(_) => {}
                Refusal::UnknownPrice(_) | Refusal::Unclaimed | Refusal::ModeMismatch => {}
                Refusal::AmountMismatch(_) | Refusal::Inconsistent(_) | Refusal::AlreadyOwned(_) => {}
                Refusal::RequirementUnmet(_) | Refusal::QuotaExceeded(_) | Refusal::InsufficientBalance(_) => {}
                Refusal::NoEntitlement(_) | Refusal::NameTaken(_) | Refusal::BadTransition(_) => {}
                Refusal::Forbidden(_) | Refusal::NotFound(_) => {}
            }
        }
        let mut codes = all.map(|refusal| refusal.code());
        codes.sort_unstable();
        assert_eq!(codes, Refusal::CODES);
    }
}
