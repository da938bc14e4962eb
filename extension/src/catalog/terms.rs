//! A price with its terms, which its row has no columns for, and the row that a catalog product's price becomes.

use super::product::Proposed;
use crate::model::json::{Object, decode, encode};
use crate::model::merge::price::OnSale;
use products_contract::{Fallible, Grant, IntervalUnit, Money, Price};
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::ops::Deref;

/// Terms of a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Rank within the family; the highest plan counts.
    pub rank: i64,
    /// It entitles only beside a plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_plan: bool,
    /// What the provider said last of whether it is on sale; none if it never said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OnSale>,
}

/// A price of the catalog, whose terms are read when they are first needed.
#[derive(Debug)]
pub(crate) struct CatalogPrice {
    row: Price,
    terms: OnceCell<Terms>,
}

impl CatalogPrice {
    /// The price of a row.
    pub fn of(row: Price) -> CatalogPrice {
        CatalogPrice { row, terms: OnceCell::new() }
    }

    /// Its terms.
    pub fn terms(&self) -> Fallible<&Terms> {
        if let Some(terms) = self.terms.get() {
            return Ok(terms);
        }
        let terms = Terms::read(&self.row)?;
        Ok(self.terms.get_or_init(|| terms))
    }

    /// Its rank within its family.
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
    /// The terms of a price.
    pub fn read(price: &Price) -> Fallible<Terms> {
        decode("prices", &price.id, &price.terms)
    }
}

/// A whole number of the metadata; true counts as one.
fn number(metadata: &Object, field: &str) -> Option<i64> {
    let value = metadata.get(field)?;
    value.as_i64().or_else(|| value.as_bool().map(i64::from))
}

/// What a product of the catalog grants.
pub(crate) fn grants_of(proposed: &Proposed) -> Vec<Grant> {
    let grants = proposed.decl.grants.iter();
    let resolved =
        grants.filter_map(|(key, field)| Some(Grant { key: key.clone(), amount: number(&proposed.metadata, field)? }));
    resolved.collect()
}

/// The row of a product's price.
pub(crate) fn price_row(proposed: &Proposed, product_id: &str, price_id: &str, amount: Money) -> Fallible<Price> {
    let rank = proposed.decl.rank_by.as_ref().and_then(|field| number(&proposed.metadata, field));
    let terms =
        Terms { rank: rank.unwrap_or(amount.amount_minor), requires_plan: proposed.decl.requires_plan, provider: None };
    Ok(Price {
        id: price_id.to_owned(),
        product_id: product_id.to_owned(),
        product_type: proposed.decl.name.clone(),
        family: proposed.decl.family.clone(),
        interval: proposed.values.interval,
        active: proposed.values.active,
        grants: grants_of(proposed),
        terms: encode(&terms)?,
        amount,
    })
}

/// The name of a billing interval's unit, which is Stripe's as well.
pub(crate) fn unit_name(unit: IntervalUnit) -> &'static str {
    match unit {
        IntervalUnit::Day => "day",
        IntervalUnit::Week => "week",
        IntervalUnit::Month => "month",
        IntervalUnit::Year => "year",
    }
}
