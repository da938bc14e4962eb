//! The clause `rates`: prices of measured usage, and how it is paid.

use super::condition::Condition;
use super::per_million::PerMillion;
use super::template::field_of;
use super::tiers::UnitPrice;
use crate::model::monthly_price::{MonthlyPrice, OfUnit, Tier, TiersMode};
use crate::model::time::plus_days;
use extension_contract::Timestamp;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Means of payment for usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaidBy {
    /// From prepaid credits.
    Credits,
    /// By the invoice of the month.
    Invoice,
}

/// How a month of usage is invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceTerms {
    /// Minimum amount of an invoice in minor units. A smaller amount is carried over to the next month.
    #[serde(default)]
    pub min: i64,
    /// Limit of a month in minor units. Beyond the limit no usage is admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Percentages of the limit, or of the account's own cap, at which the account is notified, each once per month.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<u8>,
    /// An entitlement that a plan must grant to admit usage without credits (`allowed.KEY`).
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl InvoiceTerms {
    /// Returns the entitlement that a plan must grant.
    pub(crate) fn required(&self) -> Option<&str> {
        self.condition.as_ref()?.entitlement()
    }
}

/// The additional fee for usage of a seller's product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// The attribute of a measurement that contains the id of a catalog product.
    pub by: String,
    /// The product's field with the fee for one unit, in millionths of the currency's unit: `{product.FIELD}`. The product's
    /// `split` shares the fee.
    pub micros: String,
}

impl Seller {
    /// Returns the name of the product's field with the fee.
    pub(crate) fn field(&self) -> &str {
        field_of(&self.micros, "product").unwrap_or_default()
    }
}

/// The prices of a rate in another currency: for the same values as in the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitPrices {
    /// Price of one unit in millionths of the currency's unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "one_or_several")]
    pub micros: BTreeMap<String, UnitPrice<i64>>,
    /// Price of a million units, by other values of the attribute in `by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_million: BTreeMap<String, UnitPrice<PerMillion>>,
}

impl UnitPrices {
    /// Returns the values that have a price.
    pub(crate) fn priced(&self) -> impl Iterator<Item = &str> {
        self.micros.keys().chain(self.per_million.keys()).map(String::as_str)
    }
}

/// The rate of a meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The attribute of a measurement that determines the price; empty if all units have one price.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Price of one unit in millionths of the currency's unit: one, or several by the values of the attribute in `by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "one_or_several")]
    pub micros: BTreeMap<String, UnitPrice<i64>>,
    /// Price of a million units, by other values of the attribute in `by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_million: BTreeMap<String, UnitPrice<PerMillion>>,
    /// The prices in the currencies beside the default one, by currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<String, UnitPrices>,
    /// How tiers price the amount of a month; graduated by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TiersMode>,
    /// The additional fee if a measurement names a seller's product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Seller>,
    /// Other attributes by which totals are split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// Whether each request has a row in the log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log: bool,
    /// Means of payment, in order of use.
    pub pay: Vec<PaidBy>,
    /// Terms of the invoice for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceTerms>,
}

/// Visitor of prices: the only one, which is stored under the empty name, or several by name.
struct MicrosVisitor;

impl<'de> Visitor<'de> for MicrosVisitor {
    type Value = BTreeMap<String, UnitPrice<i64>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "whole millionths of the currency's unit, tiers of them, or a mapping of them by the values of `by`",
        )
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok([(String::new(), UnitPrice::One(number))].into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            .and_then(|number| self.visit_i64(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let tiers = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok([(String::new(), UnitPrice::Tiers(tiers))].into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map))
    }
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, UnitPrice<i64>>, D::Error> {
    deserializer.deserialize_any(MicrosVisitor)
}

impl Rate {
    /// Returns the rate with the prices in a currency. In the default one they are the rate's own.
    pub(crate) fn in_currency(&self, currency: &str) -> Cow<'_, Rate> {
        match self.currencies.get(currency).cloned() {
            Some(UnitPrices { micros, per_million }) => Cow::Owned(Rate { micros, per_million, ..self.clone() }),
            None => Cow::Borrowed(self),
        }
    }

    /// Returns the attributes that distinguish usage: the price's attribute, and the attributes of totals.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.by).filter(|by| !by.is_empty()).chain(&self.group)
    }

    /// Returns the cost of a quantity by the meter's price, in millionths of the currency's unit; `None` if the value of the attribute
    /// in `by` has no price, or has tiers. The cost is `None` if it exceeds 64 bits.
    pub(crate) fn cost_micros(&self, value: &str, quantity: i64) -> Option<Option<i64>> {
        match (self.micros.get(value), self.per_million.get(value)) {
            (Some(UnitPrice::One(micros)), _) => Some(quantity.checked_mul(*micros)),
            (None, Some(UnitPrice::One(price))) => Some(price.cost_micros(quantity)),
            _ => None,
        }
    }

    /// Returns the price of a value by which the amount of a month is priced; `None` if the value has no price.
    pub(crate) fn monthly(&self, value: &str) -> Option<MonthlyPrice> {
        let one = |price| vec![Tier { to: None, price }];
        let tiers = match (self.micros.get(value), self.per_million.get(value)) {
            (Some(UnitPrice::One(micros)), _) => one(OfUnit::Micros(*micros)),
            (Some(UnitPrice::Tiers(tiers)), _) => {
                tiers.iter().map(|tier| Tier { to: tier.to, price: OfUnit::Micros(tier.price) }).collect()
            }
            (None, Some(UnitPrice::One(price))) => one(OfUnit::PerMillion(price.micros())),
            (None, Some(UnitPrice::Tiers(tiers))) => {
                tiers.iter().map(|tier| Tier { to: tier.to, price: OfUnit::PerMillion(tier.price.micros()) }).collect()
            }
            (None, None) => return None,
        };
        Some(MonthlyPrice { mode: self.tiers.unwrap_or_default(), tiers })
    }

    /// Returns whether the price of a value has tiers.
    pub(crate) fn has_tiers_of(&self, value: &str) -> bool {
        let of_units = self.micros.get(value).is_some_and(|price| !price.tiers().is_empty());
        of_units || self.per_million.get(value).is_some_and(|price| !price.tiers().is_empty())
    }

    /// Returns whether the price of any value has tiers.
    pub(crate) fn has_tiers(&self) -> bool {
        self.priced().any(|value| self.has_tiers_of(value))
    }

    /// Returns the values that have a price.
    pub(crate) fn priced(&self) -> impl Iterator<Item = &str> {
        self.micros.keys().chain(self.per_million.keys()).map(String::as_str)
    }
}

/// Rates by meter.
pub(crate) type Rates = BTreeMap<String, Rate>;

/// Rates that a later catalog has changed. Usage is priced by the rate at its time, even if it is reported later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormerRates {
    /// Time of the change.
    pub until: Timestamp,
    /// The changed rates.
    pub rates: Rates,
}

/// Maximum number of changes that are remembered.
const FORMER_MAX: usize = 32;

/// Returns the former rates after a change at `now`: the rates of the last `days`, for which usage can still be
/// reported.
pub(crate) fn formerly(
    known: &[FormerRates],
    before: &Rates,
    after: &Rates,
    now: Timestamp,
    days: u32,
) -> Vec<FormerRates> {
    let is_changed = |meter: &str, rate: &Rate| {
        after.get(meter).is_none_or(|new| {
            (&new.by, &new.micros, &new.per_million, &new.currencies, new.tiers)
                != (&rate.by, &rate.micros, &rate.per_million, &rate.currencies, rate.tiers)
        })
    };
    let mut out: Vec<FormerRates> =
        known.iter().filter(|former| plus_days(former.until, days) >= now).cloned().collect();
    let changed: Rates = before
        .iter()
        .filter(|(meter, rate)| is_changed(meter, rate))
        .map(|(m, rate)| (m.clone(), rate.clone()))
        .collect();
    if !changed.is_empty() {
        out.push(FormerRates { until: now, rates: changed });
    }
    out.drain(..out.len().saturating_sub(FORMER_MAX));
    out
}

/// Returns since when the rate of a meter at a time has been in force: since the last change before it, or always.
pub(crate) fn rate_since(former: &[FormerRates], meter: &str, at: Timestamp) -> Timestamp {
    let before = former.iter().filter(|former| former.until <= at && former.rates.contains_key(meter));
    before.map(|former| former.until).max().unwrap_or(0)
}

/// Returns the rate of a meter at a time.
pub(crate) fn rate_at<'r>(former: &'r [FormerRates], now: &'r Rates, meter: &str, at: Timestamp) -> Option<&'r Rate> {
    let changed = former.iter().filter(|former| at < former.until).find_map(|former| former.rates.get(meter));
    changed.or_else(|| now.get(meter))
}
