//! Prices with their terms, which a price's row stores as JSON.

use super::split::Share;
use crate::model::json::{decode_often, is_false};
use crate::model::merge::price::OnSale;
use extension_contract::{Fallible, Price};
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Deref;

/// The terms of a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Terms {
    /// Rank within the family. The plan with the highest rank is in force.
    pub rank: i64,
    /// Whether the price grants entitlements only together with a plan.
    #[serde(default, skip_serializing_if = "is_false")]
    pub requires_plan: bool,
    /// The entitlement that a plan must grant. Otherwise the price grants nothing.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// For each conditional grant: the entitlement that a plan must grant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
    /// Name of the item, if the price's product is limited to one per account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Whether a plan grants its amounts once for each unit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_seat: bool,
    /// Credits that a payment grants, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<i64>,
    /// The share of another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Share>,
    /// The newest snapshot of whether the provider sells the price; `None` if there is no snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OnSale>,
}

/// A price of the catalog. Its terms are decoded on first use.
#[derive(Debug)]
pub(crate) struct CatalogPrice {
    row: Price,
    terms: OnceCell<Terms>,
}

impl CatalogPrice {
    /// Creates the price of a row.
    pub fn of(row: Price) -> CatalogPrice {
        CatalogPrice { row, terms: OnceCell::new() }
    }

    /// Returns the terms of the price. Fails if the stored terms are damaged.
    pub fn terms(&self) -> Fallible<&Terms> {
        if let Some(terms) = self.terms.get() {
            return Ok(terms);
        }
        let terms = Terms::read(&self.row)?;
        Ok(self.terms.get_or_init(|| terms))
    }

    /// Returns the rank of the price within its family. Fails if the stored terms are damaged.
    pub fn rank(&self) -> Fallible<i64> {
        Ok(self.terms()?.rank)
    }
}

impl Deref for CatalogPrice {
    type Target = Price;

    fn deref(&self) -> &Price {
        &self.row
    }
}

impl Terms {
    /// Decodes the terms of a price.
    pub fn read(price: &Price) -> Fallible<Terms> {
        decode_often("prices", &price.id, &price.terms)
    }
}
