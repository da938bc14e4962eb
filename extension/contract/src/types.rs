//! Types that several interfaces share.

use serde::{Deserialize, Serialize};
use std::fmt;

/// UTF-8 JSON text.
pub type Json = String;
/// Milliseconds since the Unix epoch, UTC.
pub type Timestamp = i64;
/// Version of a row: 1 after the insert, one more with each save, 0 for a row that does not exist.
pub type RowVersion = u64;

/// Whose data a transaction is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The reserved account that owns the catalog.
    Platform,
    /// A user, by the id of the host's identity system.
    User(String),
    /// An organization, by the same.
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

/// A text that names no account; expected is `platform`, `user:ID` or `organization:ID`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no account: expected `platform`, `user:ID` or `organization:ID`")]
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

/// What kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A person acting for the account.
    User,
    /// An operator of the platform.
    Admin,
    /// A program with a key of its own.
    Service,
    /// Another extension.
    Extension,
    /// A provider, a timer or the host itself.
    System,
}

/// Who caused an event or asks a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Kind.
    pub kind: ActorKind,
    /// Id in the host's identity system, or a name; empty for `system`.
    #[serde(default)]
    pub subject: String,
    /// Roles in this account as the host asserted them at intake.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Actor {
    /// A provider, a timer or the host itself.
    pub fn system() -> Self {
        Actor { kind: ActorKind::System, subject: String::new(), roles: Vec::new() }
    }
}

/// An amount of money; never a float.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Amount in the currency's minor unit; negative where money flows back.
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

/// Recurring billing period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingInterval {
    /// Unit of the period.
    pub unit: IntervalUnit,
    /// Units in a period, at least 1.
    pub count: u32,
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldErrorCode {
    /// A required value is absent.
    Missing,
    /// The value has the wrong JSON type.
    WrongType,
    /// The value is outside its range or length.
    OutOfRange,
    /// The value does not match its pattern.
    BadFormat,
    /// The value is not one of the allowed options, or is reserved.
    NotAllowed,
    /// Another row of this account already has the value.
    Taken,
    /// This actor may not set or change the field.
    ReadOnly,
    /// The schema has no such field.
    UnknownField,
}

/// One field that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON Pointer into the validated document.
    pub path: String,
    /// Cause, for programs.
    pub code: FieldErrorCode,
    /// Cause, for people; no secret, no other tenant's data.
    pub message: String,
}

/// Why a call to a store did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StoreError {
    /// The row does not have the expected version but this one.
    #[error("version conflict: the row has version {0}")]
    Conflict(RowVersion),
    /// A unique index already has the value; this is the name of the index.
    #[error("unique index `{0}` already has the value")]
    Taken(String),
    /// The values do not fit the declared schema.
    #[error("values do not fit the schema: {0:?}")]
    Invalid(Vec<FieldError>),
    /// A write to another's catalog, an undeclared collection, a read-only transaction.
    #[error("denied: {0}")]
    Denied(String),
    /// A limit of size or number; the text names it.
    #[error("limit exceeded: {0}")]
    LimitExceeded(String),
    /// The store failed; return it as a failure.
    #[error("store unavailable: {0}")]
    Unavailable(String),
}

/// A quota that a request would exceed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRefusal {
    /// Key of the quota.
    pub quota: String,
    /// Allowed amount.
    pub allowed: i64,
    /// Amount in use.
    pub used: i64,
    /// Price that would raise it, if one is on sale.
    pub upgrade: Option<String>,
}

/// An amount that is not the agreed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountMismatch {
    /// What the purchase says.
    pub expected: Money,
    /// What the event says.
    pub actual: Money,
}

/// Why something authentic may not be done. Texts hold facts, not sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A part of a payload is absent, of a wrong type or there twice: its JSON Pointer.
    Malformed(String),
    /// A shape that is not read.
    WrongShape(String),
    /// Fields are not valid.
    Invalid(Vec<FieldError>),
    /// A status that is not known.
    UnknownStatus(String),
    /// No product is sold at this provider price.
    UnknownPrice(String),
    /// Parked to the end although it bears a mark of ours; the host says so.
    Unclaimed,
    /// The secret that matched and the event's mode contradict each other.
    ModeMismatch,
    /// Amount or currency differs from what was agreed.
    AmountMismatch(AmountMismatch),
    /// The event contradicts what is stored or itself.
    Inconsistent(String),
    /// The account has it and may have it once.
    AlreadyOwned(String),
    /// A condition of the product type.
    RequirementUnmet(String),
    /// The account's quota is used up.
    QuotaExceeded(QuotaRefusal),
    /// A balance does not suffice: the ledger's name.
    InsufficientBalance(String),
    /// Nothing entitles the account to it: the entitlement's key.
    NoEntitlement(String),
    /// Another account holds the name, or it is blocked: the claim key.
    NameTaken(String),
    /// The state of the thing does not allow it: the state.
    BadTransition(String),
    /// The actor may not do it.
    Forbidden(String),
    /// The thing does not exist in this account.
    NotFound(String),
}

impl Refusal {
    /// The refusal's code, as it stands in reports and in a product's `metadata.error`.
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

    /// The fact behind the code, as one line of text; empty where the code says all.
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
            Refusal::Invalid(errors) => {
                let fields: Vec<String> = errors.iter().map(|e| format!("{} {}", e.path, e.message)).collect();
                fields.join("; ")
            }
            Refusal::AmountMismatch(m) => format!(
                "expected {} {}, got {} {}",
                m.expected.amount_minor, m.expected.currency, m.actual.amount_minor, m.actual.currency
            ),
            Refusal::QuotaExceeded(q) => format!("{} {}/{}", q.quota, q.used, q.allowed),
        }
    }
}

/// `code(detail)`, the form of reports and expectations.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail();
        if detail.is_empty() { f.write_str(self.code()) } else { write!(f, "{}({detail})", self.code()) }
    }
}

/// Why a call could not be completed: it rolls back and is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A store said so; passed on as it came.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An invariant that does not hold: a bug or damaged data.
    #[error("internal: {0}")]
    Internal(String),
}

/// Why a question or a validation has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It may not be done or seen.
    Refused(Refusal),
    /// It could not be worked out.
    Failed(Failure),
}

/// Window of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Start after this id; none starts at the beginning.
    pub after: Option<String>,
    /// Most rows to return, 1 to 500.
    pub limit: u32,
}
