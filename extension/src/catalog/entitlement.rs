//! Declarations of entitlements: every key with its kind.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The meaning of an entitlement's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntitlementKind {
    /// The number of units in use at the same time.
    Limit,
    /// The number of units used in a period.
    Counter,
    /// A quantity shared by an organization's members.
    Pool,
    /// Allowed or not.
    Flag,
}

impl EntitlementKind {
    /// Returns the name in a catalog.
    pub(crate) fn name(self) -> &'static str {
        match self {
            EntitlementKind::Limit => "limit",
            EntitlementKind::Counter => "counter",
            EntitlementKind::Pool => "pool",
            EntitlementKind::Flag => "flag",
        }
    }
}

/// The periods of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// Calendar months in UTC.
    #[default]
    CalendarMonth,
    /// The billing periods of the plan that grants the entitlement; calendar months without a paid plan.
    BillingPeriod,
}

/// The declaration of an entitlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementDecl {
    /// Kind of the entitlement.
    pub kind: EntitlementKind,
    /// The meter whose measurements are its use, beside `usage.consume` and what products consume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<String>,
    /// Periods of a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<CountedBy>,
    /// Percentages of a counter's allowance at which the account is notified, each once per period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<u8>,
}

/// Declarations by key. A key with a colon is declared by its part before the colon.
pub type Entitlements = BTreeMap<String, EntitlementDecl>;

/// Returns the declaration of a key.
pub(crate) fn declared<'e>(entitlements: &'e Entitlements, key: &str) -> Option<&'e EntitlementDecl> {
    entitlements.get(key).or_else(|| entitlements.get(key.split_once(':')?.0))
}
