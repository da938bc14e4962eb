//! The clause `meters`: what is measured. Rates, entitlements and product types name these meters.

use super::entitlement::{EntitlementDecl, EntitlementKind, Entitlements};
use super::rate::Rates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the measurements of a meter are combined. Stripe's meters use the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// They are summed up.
    #[default]
    Sum,
    /// The newest one counts.
    Last,
}

/// The declaration of a meter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeterDecl {
    /// Unit of the quantity, for readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How the measurements are combined.
    pub formula: Formula,
    /// Attributes of a measurement, beside `instance`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// Event name of a meter at Stripe, which gets the sum of each day. Stripe prices it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter_event: Option<String>,
}

/// Meters by name.
pub(crate) type Meters = BTreeMap<String, MeterDecl>;

/// Returns the entitlement that a meter measures, with its key.
pub(crate) fn measured_by<'e>(
    entitlements: &'e Entitlements,
    meter: &str,
) -> Option<(&'e String, &'e EntitlementDecl)> {
    entitlements.iter().find(|(_, decl)| decl.meter.as_deref() == Some(meter))
}

/// Returns the counter whose amount is included in the price of a meter, with its key; `None` if the meter has no rate, or nothing is
/// included.
pub(crate) fn included_by<'e>(
    entitlements: &'e Entitlements,
    rates: &Rates,
    meter: &str,
) -> Option<(&'e String, &'e EntitlementDecl)> {
    rates.get(meter)?;
    measured_by(entitlements, meter).filter(|(_, decl)| decl.kind == EntitlementKind::Counter)
}

/// Returns whether an entitlement is an amount that is included in the price of its meter.
pub(crate) fn is_included(decl: &EntitlementDecl, rates: &Rates) -> bool {
    decl.kind == EntitlementKind::Counter && decl.meter.as_ref().is_some_and(|meter| rates.contains_key(meter))
}

/// Returns whether the measurements of a meter are summed up.
pub(crate) fn is_sum(meters: &Meters, meter: &str) -> bool {
    meters.get(meter).is_some_and(|decl| decl.formula == Formula::Sum)
}
