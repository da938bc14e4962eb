//! The summary of all instances of an account, so that no event has to read all instances.

use super::{ACCOUNT, json_record};
use crate::model::keys::type_row_id;
use extension_contract::{CatalogKey, Reference, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The contribution of an instance to the summary of its account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Contribution {
    /// Consumption by entitlement; empty once the instance is gone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumed: BTreeMap<String, i64>,
    /// Consumption that an add-on covers, by entitlement and the add-on's purchase or subscription: `ENTITLEMENT SOURCE`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub covered: BTreeMap<String, i64>,
    /// Last measured contents of the instance's resources, by the entitlement that they count against.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, i64>,
    /// Measurements by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, i64>,
}

/// Sums over all instances of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    /// Number of instances ever created.
    pub count: u32,
    /// Consumption by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumed: BTreeMap<String, i64>,
    /// Consumption that add-ons cover, by entitlement and source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub covered: BTreeMap<String, i64>,
    /// Contents by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, i64>,
    /// Measurements by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, i64>,
    /// Number of instances ever created, by product type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, u32>,
    /// Time since which the contents exceed the allowance, by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub excess: BTreeMap<String, Timestamp>,
    /// Fingerprint of the account state with which all instances were last reconciled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reached: String,
    /// Whether some instances are not yet reconciled with this state; a timer continues the reconciliation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}

impl Summary {
    /// Id of the account's only row.
    pub const ID: &'static str = "instances";

    /// Replaces the earlier contribution of an instance with the current one.
    pub fn replace(&mut self, before: &Contribution, now: &Contribution) {
        let mut shift = |sums: fn(&mut Summary) -> &mut BTreeMap<String, i64>,
                         part: fn(&Contribution) -> &BTreeMap<String, i64>| {
            let sums = sums(self);
            for (key, amount) in part(now) {
                let sum = sums.entry(key.clone()).or_insert(0);
                *sum = sum.saturating_add(*amount);
            }
            for (key, amount) in part(before) {
                let sum = sums.entry(key.clone()).or_insert(0);
                *sum = sum.saturating_sub(*amount);
            }
            sums.retain(|_, sum| *sum != 0);
        };
        shift(|sums| &mut sums.consumed, |part| &part.consumed);
        shift(|sums| &mut sums.covered, |part| &part.covered);
        shift(|sums| &mut sums.held, |part| &part.held);
        shift(|sums| &mut sums.measured, |part| &part.measured);
    }

    /// Counts a new instance of a type.
    pub fn count(&mut self, product_type: &str) {
        *self.types.entry(product_type.to_owned()).or_insert(0) += 1;
        self.count += 1;
    }
}

// The host reads the types together with the summary, because they determine the desired state of each instance.
json_record!(Summary, ACCOUNT, live: |_| true, references: |row| {
    let types = row.types.keys().map(|name| CatalogKey::Product(type_row_id(name)));
    types.map(Reference::Catalog).take(extension_contract::REFERENCES_MAX).collect()
});
