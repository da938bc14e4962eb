//! Measured usage and its cost: by day for queries, by month for invoices.

use super::invoice::Invoice;
use super::{json_record, to_record};
use crate::model::ids::{InvoiceId, ProductId};
use crate::model::json::is_zero;
use crate::model::money::part_of;
use crate::model::monthly_price::{Included, MonthlyPrice, Portion, cost_micros};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum number of distinct uses of one day or month. Further uses are combined without their attributes.
const USES_MAX: usize = 200;

/// What a use costs, and what credits pay of it, in millionths of the currency's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    /// The cost.
    pub cost_micros: i64,
    /// The part of the cost that credits paid.
    pub covered_micros: i64,
}

/// The usage of one meter with the same attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    /// The meter.
    pub meter: String,
    /// The attributes that distinguish the use from other uses of the meter.
    pub attributes: Vec<(String, String)>,
    /// Quantity in the meter's unit.
    pub quantity: i64,
    /// Cost in millionths of the currency's unit.
    pub cost_micros: i64,
    /// Number of measurements.
    #[serde(default)]
    pub requests: i64,
    /// Part of the cost paid by credits, in millionths.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub covered_micros: i64,
    /// The charge by what was included when the use was reported, if the included amount has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_use: Option<Charge>,
}

impl Use {
    /// Returns a use of the same meter and attributes without an amount.
    pub fn without_amount(&self) -> Use {
        Use { quantity: 0, cost_micros: 0, requests: 0, covered_micros: 0, at_use: None, ..self.clone() }
    }

    /// Counts a further use, or a correction of one, in what was charged when it was reported.
    pub fn count_at_use(&mut self, cost_micros: i64, covered_micros: i64) {
        if let Some(charge) = &mut self.at_use {
            charge.cost_micros = charge.cost_micros.saturating_add(cost_micros).max(0);
            charge.covered_micros = charge.covered_micros.saturating_add(covered_micros).clamp(0, charge.cost_micros);
        }
    }

    /// Changes the cost to that by another included amount. Returns what credits should pay of it: of a lower cost at most what they
    /// paid when the use was reported, and all that it costs more than then. What was included in between makes no difference.
    pub fn price_again(&mut self, change: i64) -> i64 {
        let now = Charge { cost_micros: self.cost_micros, covered_micros: self.covered_micros };
        let at_use = *self.at_use.get_or_insert(now);
        self.cost_micros = self.cost_micros.saturating_add(change);
        let more = self.cost_micros.saturating_sub(at_use.cost_micros).max(0);
        at_use.covered_micros.min(self.cost_micros.max(0)).saturating_add(more)
    }

    /// Adds the amounts of another use.
    pub fn count(&mut self, other: &Use) {
        self.quantity = self.quantity.saturating_add(other.quantity);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
        self.requests = self.requests.saturating_add(other.requests);
        self.covered_micros = self.covered_micros.saturating_add(other.covered_micros);
    }
}

/// Uses, in order of meter and attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Uses(pub Vec<Use>);

impl Uses {
    /// Returns the place of the use with the same meter and attributes, or the place to insert it at.
    fn find(&self, used: &Use) -> Result<usize, usize> {
        self.0.binary_search_by(|known| (&known.meter, &known.attributes).cmp(&(&used.meter, &used.attributes)))
    }

    /// Returns the stored use with the same meter and attributes; if it is missing, one without an amount is inserted. Of these there are
    /// at most as many as prices.
    pub fn of_price(&mut self, like: &Use) -> &mut Use {
        let index = match self.find(like) {
            Ok(index) => index,
            Err(index) => {
                self.0.insert(index, like.without_amount());
                index
            }
        };
        &mut self.0[index]
    }

    /// Adds a use to the stored use with the same meter and attributes.
    pub fn add(&mut self, used: Use) {
        let mut used = used;
        let mut found = self.find(&used);
        if found.is_err() && self.0.len() >= USES_MAX {
            used.attributes = Vec::new();
            found = self.find(&used);
        }
        match found {
            Ok(index) => self.0[index].count(&used),
            Err(index) => self.0.insert(index, used),
        }
    }
}

/// The units of one value of the price's attribute, whose price depends on the amount of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Units {
    /// The attribute of the price; empty if all units have one price.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The units by the time of their price, in order.
    pub portions: Vec<Portion>,
    /// Their cost as it was last charged, in millionths of the currency's unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_micros: i64,
}

impl Units {
    /// Adds units at a price that has been in force since a time; a negative quantity takes them off again, also those of other
    /// prices.
    pub fn add(&mut self, since: Timestamp, price: MonthlyPrice, quantity: i64) {
        let index = match self.portions.binary_search_by_key(&since, |portion| portion.since) {
            Ok(index) => index,
            Err(index) => {
                self.portions.insert(index, Portion { since, price, quantity: 0 });
                index
            }
        };
        let portion = &mut self.portions[index];
        portion.quantity = portion.quantity.saturating_add(quantity);
        let mut less = portion.quantity.min(0);
        portion.quantity -= less;
        for portion in self.portions.iter_mut().rev() {
            let taken = portion.quantity.min(-less);
            (portion.quantity, less) = (portion.quantity - taken, less + taken);
        }
        self.portions.retain(|portion| portion.quantity > 0);
    }

    /// Returns the number of units.
    pub fn quantity(&self) -> i64 {
        self.portions.iter().fold(0, |sum, portion| sum.saturating_add(portion.quantity))
    }

    /// Charges the units, of which some are included. Returns the change of their cost.
    pub fn charge(&mut self, included: Included) -> i64 {
        let before = std::mem::replace(&mut self.cost_micros, cost_micros(&self.portions, included));
        self.cost_micros.saturating_sub(before)
    }
}

/// The use of a meter in a month, whose price depends on its amount: it has tiers, or plans include a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MeterMonth {
    /// Units by the value of the price's attribute.
    pub units: BTreeMap<String, Units>,
    /// The units that plans and add-ons include.
    #[serde(skip_serializing_if = "is_zero")]
    pub included: i64,
    /// The most that one unit of each price has included since the first use of the month.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub granted: BTreeMap<String, i64>,
    /// Whether credits pay first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_credits: bool,
}

impl MeterMonth {
    /// Returns the number of units.
    pub fn quantity(&self) -> i64 {
        self.units.values().fold(0, |sum, units| sum.saturating_add(units.quantity()))
    }
}

/// The usage of a day. Its id is the day, `2026-01-31`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UsageDay {
    /// The first moment of the day.
    pub start: Timestamp,
    /// Usage by meter and attributes.
    pub uses: Uses,
}

json_record!(UsageDay, "usage_days", live: |_| false, references: |_| Vec::new());

/// A seller's part of a month: usage fees for its product, in millionths of the currency's unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SellerPart {
    /// Fees of the month.
    pub micros: i64,
    /// Unpaid fees of earlier months.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_micros: i64,
    /// Paid part of `micros` and `carried_micros`.
    #[serde(skip_serializing_if = "is_zero")]
    pub paid_micros: i64,
    /// Text form of the account that receives the share, as of the first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub share_bp: u32,
    pub hold_days: u32,
}

impl SellerPart {
    /// Sets who receives the share, unless it was set before.
    pub fn agree(&mut self, to: &str, share_bp: u32, hold_days: u32) {
        if self.to.is_none() {
            (self.to, self.share_bp, self.hold_days) = (Some(to.to_owned()), share_bp, hold_days);
        }
    }

    /// Returns the part of the month's fees that credits paid: the credits' part of the month's whole cost. All amounts are
    /// in millionths.
    pub fn paid_by_credits(&self, credits_micros: i64, cost_micros: i64) -> i64 {
        part_of(self.micros, credits_micros, cost_micros)
    }
}

/// The usage of a month. Its id is the month, `2026-01`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UsageMonth {
    /// The first moment of the month.
    pub start: Timestamp,
    /// The first moment of the next month.
    pub end: Timestamp,
    /// Currency of the amounts; empty if the business sold in one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub currency: String,
    /// Usage by meter and attributes.
    pub uses: Uses,
    /// Part of the cost that credits paid, in millionths of the currency's unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub credits_micros: i64,
    /// Amount carried over from earlier months because it was too small for an invoice, in millionths.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_micros: i64,
    /// Meters whose price depends on the amount of the month.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meters: BTreeMap<String, MeterMonth>,
    /// Sellers' parts by product.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sellers: BTreeMap<ProductId, SellerPart>,
    /// Whether the invoice is requested or the amount carried over. Later measurements then count for the next month.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Invoiced amount in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub invoiced_minor: i64,
    /// Invoice id at Stripe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceId>,
    /// Whether Stripe refused to create the invoice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Number of retries after the refusal.
    #[serde(skip_serializing_if = "is_zero")]
    pub asked_again: i64,
    /// Whether nothing of the invoice is owed any more: it was paid, and all sellers have received their parts, or it was voided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

impl UsageMonth {
    /// Returns the currency of the amounts.
    pub fn currency<'m>(&'m self, default: &'m str) -> &'m str {
        if self.currency.is_empty() { default } else { &self.currency }
    }

    /// Returns the total cost, in millionths of the currency's unit.
    pub fn cost_micros(&self) -> i64 {
        self.uses.0.iter().fold(0, |sum, used| sum.saturating_add(used.cost_micros))
    }

    /// Returns whether the month's invoice is not paid yet.
    pub fn is_owed(&self) -> bool {
        self.closed && self.invoiced_minor > 0 && !self.settled
    }

    /// Returns the unpaid amount, in millionths of the currency's unit.
    pub fn open_micros(&self) -> i64 {
        self.cost_micros().saturating_sub(self.credits_micros).saturating_add(self.carried_micros)
    }
}

json_record!(UsageMonth, "usage_months", live: |month| !month.closed || month.is_owed(), references: |month| {
    month.invoice.iter().map(|id| to_record(Invoice::COLLECTION, id)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn used(meter: &str, model: &str, quantity: i64) -> Use {
        let attributes = vec![("model".to_owned(), model.to_owned())];
        Use {
            meter: meter.to_owned(),
            attributes,
            quantity,
            cost_micros: quantity * 2,
            requests: 1,
            covered_micros: quantity,
            at_use: None,
        }
    }

    /// 20 of a cost of 28 were paid by credits when the use was reported.
    #[test]
    fn what_was_included_in_between_makes_no_difference() {
        let reported = Use { cost_micros: 28, covered_micros: 20, ..used("tokens", "a", 0) };
        for (changes, wanted) in [
            (&[-8][..], 20),
            (&[-8, 8], 20),
            (&[-18, 18], 20),
            (&[-18], 10),
            (&[-18, 8], 18),
            // It costs 5 more than when it was reported.
            (&[5], 25),
            (&[-28, 33], 25),
            (&[5, -5], 20),
        ] {
            let mut used = reported.clone();
            let mut last = 0;
            for change in changes {
                last = used.price_again(*change);
                used.covered_micros = last;
            }
            assert_eq!(last, wanted, "{changes:?}");
        }
    }

    #[test]
    fn equal_uses_add_up_and_excess_distinct_uses_are_combined() {
        let mut uses = Uses::default();
        for (model, quantity) in [("b", 1), ("a", 2), ("b", 3)] {
            uses.add(used("tokens", model, quantity));
        }
        let sums: Vec<(&str, i64)> = uses.0.iter().map(|used| (used.attributes[0].1.as_str(), used.quantity)).collect();
        assert_eq!(sums, [("a", 2), ("b", 4)]);
        for index in 0..1_000 {
            uses.add(used("tokens", &format!("m{index:04}"), 1));
        }
        assert!(uses.0.len() <= USES_MAX + 1);
        for (of, sum) in [
            ((|used| used.quantity) as fn(&Use) -> i64, 1_006),
            (|used| used.cost_micros, 2_012),
            (|used| used.requests, 1_003),
            (|used| used.covered_micros, 1_006),
        ] {
            assert_eq!(uses.0.iter().map(of).sum::<i64>(), sum, "no usage is lost");
        }
    }
}
