//! What there is to be entitled to: each key is declared, with its kind.

use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an amount of an entitlement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntitlementKind {
    /// So many at a time.
    Limit,
    /// So many in a period, then none until the next one.
    Counter,
    /// So much that an organization's members share.
    Pool,
    /// Allowed, or not.
    Flag,
}

/// Which periods a counter counts by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// Months of the calendar, in UTC.
    #[default]
    CalendarMonth,
    /// The periods of the plan that grants it; months of the calendar where nobody pays for one.
    BillingPeriod,
}

/// An entitlement, declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementDecl {
    /// Its kind.
    pub kind: EntitlementKind,
    /// Of a counter: its periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<CountedBy>,
    /// Of a counter: per cent of what is allowed at which the account is told, each once a period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<u8>,
}

/// The declared entitlements, by their keys. A key with a colon is declared by what stands before it.
pub type Entitlements = BTreeMap<String, EntitlementDecl>;

/// The declaration of a key.
pub(crate) fn declared<'e>(entitlements: &'e Entitlements, key: &str) -> Option<&'e EntitlementDecl> {
    entitlements.get(key).or_else(|| entitlements.get(key.split_once(':')?.0))
}
