//! One summary of all instances of an account, so that no event reads them all.

use super::{ACCOUNT, json_record};
use crate::model::json::is_false;
use crate::model::keys::type_row_id;
use extension_contract::{CatalogKey, Reference, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// What an instance adds to the summary of its account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Contribution {
    /// What it uses up, by entitlement; nothing once it is gone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumed: BTreeMap<String, i64>,
    /// What its resources hold of what counts against an entitlement, as measured last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, i64>,
    /// What was measured of it, by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, i64>,
}

/// Sums over all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Summary {
    /// Instances that were ever made.
    pub count: u32,
    /// Used up, by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumed: BTreeMap<String, i64>,
    /// Held, by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, i64>,
    /// Measured, by meter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, i64>,
    /// Product types of the instances, with how many were made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, u32>,
    /// Since when more is held than allowed, by entitlement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub excess: BTreeMap<String, Timestamp>,
    /// What all instances were brought to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reached: String,
    /// Instances remain that were not brought there yet: a timer goes on with them.
    #[serde(skip_serializing_if = "is_false")]
    pub continues: bool,
}

impl Summary {
    /// Id of the one row.
    pub const ID: &'static str = "instances";

    /// Put what an instance adds now in the place of what it added before.
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
        shift(|sums| &mut sums.held, |part| &part.held);
        shift(|sums| &mut sums.measured, |part| &part.measured);
    }

    /// Count an instance of a type.
    pub fn count(&mut self, product_type: &str) {
        *self.types.entry(product_type.to_owned()).or_insert(0) += 1;
        self.count += 1;
    }
}

// The types come with it, since what they say decides what is wanted of each instance.
json_record!(Summary, ACCOUNT, live: |_| true, references: |row| {
    let types = row.types.keys().map(|name| CatalogKey::Product(type_row_id(name)));
    types.map(Reference::Catalog).take(extension_contract::REFERENCES_MAX).collect()
});
