//! Prices with their terms, which a price's row stores as JSON.

use super::amount;
use super::currencies::OtherAmounts;
use super::price::amount_in;
use super::span::Span;
use super::split::Share;
use crate::model::ids::{PriceId, ProductId};
use crate::model::json::{decode, encode};
use crate::model::merge::price::OnSale;
use extension_contract::{Fallible, Grant, Money, Price, Timestamp};
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

/// The terms of a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// Rank within the family. The plan with the highest rank is in force.
    pub rank: i64,
    /// Whether the price grants entitlements only together with a plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
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
    /// Whether a plan grants its amounts once for each unit, except the entitlements in `per_purchase`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_seat: bool,
    /// The entitlements that a purchase grants once, whatever its quantity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_purchase: Vec<String>,
    /// Whether a plan's grants are added to the grants of the account's other plans of the family.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adds: bool,
    /// Amounts in the currencies beside that of the price, in minor units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: OtherAmounts,
    /// Credits that a payment grants, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<i64>,
    /// Time from the payment to the end of the credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_expires: Option<Span>,
    /// Credits that a payment in another currency grants, in minor units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credits: OtherAmounts,
    /// The share of another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Share>,
    /// Conditions that a later catalog has replaced, oldest first. They still apply to what was sold under them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerConditions>,
    /// The newest snapshot of whether Stripe sells the price; `None` if there is no snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OnSale>,
}

/// Conditions and share of a price until a change of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormerConditions {
    /// Time of the change.
    pub until: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_plan: bool,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Share>,
}

/// Maximum number of stored former conditions of a price.
const FORMER_MAX: usize = 16;

/// A price of the catalog. Its terms are decoded on first use.
#[derive(Debug)]
pub(crate) struct CatalogPrice {
    /// Id of the price; the row has it as text.
    pub id: PriceId,
    /// Id of the product that it sells.
    pub product_id: ProductId,
    row: Price,
    terms: OnceCell<Terms>,
}

impl CatalogPrice {
    /// Creates the price of a row.
    pub fn of(row: Price) -> CatalogPrice {
        CatalogPrice {
            id: row.id.as_str().into(),
            product_id: row.product_id.as_str().into(),
            row,
            terms: OnceCell::new(),
        }
    }

    /// Returns the terms of the price. Fails if the stored terms are damaged.
    pub fn terms(&self) -> Fallible<&Terms> {
        if let Some(terms) = self.terms.get() {
            return Ok(terms);
        }
        let terms = Terms::read(&self.row)?;
        Ok(self.terms.get_or_init(|| terms))
    }

    /// Returns the price with the conditions under which it was sold at a time; the price itself if they have not
    /// changed since.
    pub fn sold_at(self: Rc<Self>, at: Timestamp) -> Fallible<Rc<CatalogPrice>> {
        Ok(match self.terms()?.sold_at(at) {
            None => self,
            Some(terms) => Rc::new(CatalogPrice::of(Price { terms: encode(&terms)?, ..self.row.clone() })),
        })
    }

    /// Returns what a quantity of the product grants. Amounts of a plan without seats do not grow with the quantity. Fails if the
    /// stored terms are damaged.
    pub fn granted(&self, quantity: u32) -> Fallible<Vec<Grant>> {
        let of = |grant: &Grant| {
            let times = self.times(&grant.key, quantity)?;
            Ok(Grant { amount: amount::add(0, grant.amount, i64::from(times)), ..grant.clone() })
        };
        self.grants.iter().map(of).collect()
    }

    /// Returns how often a quantity of the product grants the amount of an entitlement. Fails if the stored terms are damaged.
    pub fn times(&self, key: &str, quantity: u32) -> Fallible<u32> {
        let terms = self.terms()?;
        let is_multiplied = self.family.is_none() || terms.by_seat;
        let once = !is_multiplied || terms.per_purchase.iter().any(|once| once == key);
        Ok(if once { quantity.min(1) } else { quantity })
    }

    /// Returns the amount in a currency; `None` if the price is not sold in it. Fails if the stored terms are damaged.
    pub fn amount_in(&self, currency: &str) -> Fallible<Option<Money>> {
        Ok(amount_in(&self.amount, &self.terms()?.currencies, currency))
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
    fn conditions(&self, until: Timestamp) -> FormerConditions {
        let Terms { requires_plan, condition, conditions, item, split, .. } = self.clone();
        FormerConditions { until, requires_plan, condition, conditions, item, split }
    }

    /// Adopts from the published terms the conditions that these terms replace, the conditions replaced before, and the
    /// price's state at Stripe, so that loading the catalog does not reactivate a withdrawn price.
    pub fn after(mut self, published: &Terms, at: Timestamp) -> Terms {
        self.provider = published.provider.or(self.provider);
        self.former.clone_from(&published.former);
        // Whoever pays in a currency that is no longer offered still can.
        for (currency, amount) in &published.currencies {
            self.currencies.entry(currency.clone()).or_insert(*amount);
        }
        // Credits that are left out stay with the price, as grants do.
        if self.credit.is_none() && published.credit.is_some() {
            (self.credit, self.credit_expires) = (published.credit, published.credit_expires);
        }
        for (currency, amount) in &published.credits {
            self.credits.entry(currency.clone()).or_insert(*amount);
        }
        if self.conditions(at) != published.conditions(at) {
            self.former.push(published.conditions(at));
            if self.former.len() > FORMER_MAX {
                self.former.remove(0);
            }
        }
        self
    }

    /// Returns the terms under which the price was sold at a time; `None` if its conditions have not changed since.
    pub fn sold_at(&self, at: Timestamp) -> Option<Terms> {
        let FormerConditions { requires_plan, condition, conditions, item, split, .. } =
            self.former.iter().find(|former| at <= former.until)?.clone();
        Some(Terms { requires_plan, condition, conditions, item, split, former: Vec::new(), ..self.clone() })
    }

    /// Returns the credits that a payment in a currency grants, in minor units; `default` is the business's first currency.
    pub fn credit_in(&self, currency: &str, default: &str) -> Option<i64> {
        match self.credits.get(currency) {
            Some(credits) => Some(*credits),
            None => self.credit.filter(|_| self.credits.is_empty() || currency == default),
        }
    }

    /// Returns whether the price has a share, or had one.
    pub fn was_ever_split(&self) -> bool {
        self.split.is_some() || self.former.iter().any(|former| former.split.is_some())
    }

    /// Returns whether the price had another share before.
    pub fn has_changed_split(&self) -> bool {
        self.former.iter().any(|former| former.split != self.split)
    }

    /// Decodes the terms of a price.
    pub fn read(price: &Price) -> Fallible<Terms> {
        decode("prices", &price.id, &price.terms)
    }
}
