//! What measured use cost: by day for questions, by month for its invoice.

use super::json_record;
use crate::model::json::{is_false, is_zero};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Different uses of one day or month that are kept apart; beyond them all count as one.
const USES_MAX: usize = 200;

/// A use: what was measured of one meter with the same attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Use {
    /// The meter.
    pub meter: String,
    /// The attributes that it is told apart by.
    pub attributes: Vec<(String, String)>,
    /// How much, in the meter's unit.
    pub quantity: i64,
    /// What it cost, in millionths of the currency's unit.
    pub cost_micros: i64,
    /// Measurements that it was told by.
    #[serde(default)]
    pub requests: i64,
    /// What credits paid of its cost, in millionths.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub covered_micros: i64,
}

/// Uses, in order of meter and attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Uses(pub Vec<Use>);

impl Uses {
    /// Add a use to those like it.
    pub fn add(&mut self, used: Use) {
        let find = |uses: &[Use], used: &Use| {
            uses.binary_search_by(|known| (&known.meter, &known.attributes).cmp(&(&used.meter, &used.attributes)))
        };
        let mut used = used;
        let mut found = find(&self.0, &used);
        if found.is_err() && self.0.len() >= USES_MAX {
            used.attributes = Vec::new();
            found = find(&self.0, &used);
        }
        match found {
            Ok(index) => {
                let known = &mut self.0[index];
                known.quantity = known.quantity.saturating_add(used.quantity);
                known.cost_micros = known.cost_micros.saturating_add(used.cost_micros);
                known.requests = known.requests.saturating_add(used.requests);
                known.covered_micros = known.covered_micros.saturating_add(used.covered_micros);
            }
            Err(index) => self.0.insert(index, used),
        }
    }
}

/// The use of a day; its id is the day, `2026-01-31`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct UsageDay {
    /// The first moment of the day.
    pub start: Timestamp,
    /// What was used.
    pub uses: Uses,
}

json_record!(UsageDay, "usage_days", live: |_| false, references: |_| Vec::new());

/// What use of somebody's product cost beside, in millionths of the currency's unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct SellerPart {
    /// Of the month.
    pub micros: i64,
    /// Of earlier months, not paid for yet.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_micros: i64,
    /// What of both was paid for.
    #[serde(skip_serializing_if = "is_zero")]
    pub paid_micros: i64,
}

/// The use of a month; its id is the month, `2026-01`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct UsageMonth {
    /// The first moment of the month.
    pub start: Timestamp,
    /// The first moment of the next one.
    pub end: Timestamp,
    /// What was used.
    pub uses: Uses,
    /// What credits paid of it, in millionths.
    #[serde(skip_serializing_if = "is_zero")]
    pub credits_micros: i64,
    /// What earlier months left over, since it was too little for an invoice, in millionths.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_micros: i64,
    /// What of it is somebody's, by product.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sellers: BTreeMap<String, SellerPart>,
    /// Its invoice is made, or it is carried over; later measurements are of the next month.
    #[serde(skip_serializing_if = "is_false")]
    pub closed: bool,
    /// What was invoiced, in minor units.
    #[serde(skip_serializing_if = "is_zero")]
    pub invoiced_minor: i64,
    /// The provider's invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// Stripe refused to make its invoice.
    #[serde(skip_serializing_if = "is_false")]
    pub refused: bool,
    /// How often its invoice was asked for again after that.
    #[serde(skip_serializing_if = "is_zero")]
    pub asked_again: i64,
    /// Nobody has anything more of it to get.
    #[serde(skip_serializing_if = "is_false")]
    pub settled: bool,
}

impl UsageMonth {
    /// What it cost, in millionths.
    pub fn cost_micros(&self) -> i64 {
        self.uses.0.iter().fold(0, |sum, used| sum.saturating_add(used.cost_micros))
    }

    /// Whether somebody gets something once its invoice is paid.
    pub fn is_waited_for(&self) -> bool {
        self.closed && self.invoiced_minor > 0 && !self.settled && !self.sellers.is_empty()
    }

    /// What nothing has paid for yet, in millionths.
    pub fn open_micros(&self) -> i64 {
        self.cost_micros().saturating_sub(self.credits_micros).saturating_add(self.carried_micros)
    }
}

json_record!(UsageMonth, "usage_months", live: |month| !month.closed || month.is_waited_for(), references: |_| Vec::new());

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
        }
    }

    #[test]
    fn like_uses_add_up_and_too_many_different_ones_become_one() {
        let mut uses = Uses::default();
        for (model, quantity) in [("b", 1), ("a", 2), ("b", 3)] {
            uses.add(used("tokens", model, quantity));
        }
        let told: Vec<(&str, i64)> = uses.0.iter().map(|used| (used.attributes[0].1.as_str(), used.quantity)).collect();
        assert_eq!(told, [("a", 2), ("b", 4)]);
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
            assert_eq!(uses.0.iter().map(of).sum::<i64>(), sum, "nothing is lost");
        }
    }
}
