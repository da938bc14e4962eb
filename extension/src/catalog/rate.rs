//! The clause `rates`: what measured use costs, and what pays for it.

use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What pays for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaidBy {
    /// Credits that were paid in advance.
    Credits,
    /// The invoice of the month.
    Invoice,
}

/// How a month's use is invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceTerms {
    /// Minor units below which nothing is invoiced; the next month's invoice has it.
    #[serde(default)]
    pub min: i64,
    /// Minor units of a month beyond which no use is admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// An entitlement that a plan must grant for use to be admitted without credits.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// What the use of somebody's product costs beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// The attribute of a measurement that names a product of the catalog.
    pub by: String,
    /// The product's field that says how many millionths one costs; the product's `split` shares them.
    pub micros: String,
}

/// What the use of a meter costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The attribute of a measurement that tells the price.
    pub by: String,
    /// Millionths of the currency's unit for one, by the values of that attribute.
    pub micros: BTreeMap<String, i64>,
    /// What it costs beside, if a measurement names a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Seller>,
    /// Other attributes that totals are split by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// What pays, in this order.
    pub pay: Vec<PaidBy>,
    /// How the rest is invoiced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceTerms>,
}

/// Rates by meter.
pub(crate) type Rates = BTreeMap<String, Rate>;
