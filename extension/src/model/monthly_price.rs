//! The price of a month's units: one, or tiers by their number. Costs are added up exactly and rounded once.

use serde::{Deserialize, Serialize};

/// Millionths of a millionth of the currency's unit in a millionth.
const MILLION: i128 = 1_000_000;

/// How tiers price the amount of a month. Stripe's prices use the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TiersMode {
    /// Each unit has the price of the tier in which it lies.
    #[default]
    Graduated,
    /// All units have the price of the tier in which the amount of the month lies.
    Volume,
}

/// A tier: the units up to an amount, and their price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier<P> {
    /// The last unit of the tier. The last tier has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// The price of a unit.
    pub price: P,
}

/// The price of one unit in either notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OfUnit {
    /// Millionths of the currency's unit for one unit.
    Micros(i64),
    /// Millionths of the currency's unit for a million units.
    PerMillion(i64),
}

impl OfUnit {
    /// Returns the exact cost of a quantity, in millionths of a millionth.
    fn exact(self, quantity: i64) -> i128 {
        let of_one = match self {
            OfUnit::Micros(micros) => i128::from(micros).saturating_mul(MILLION),
            OfUnit::PerMillion(micros) => i128::from(micros),
        };
        i128::from(quantity).saturating_mul(of_one)
    }
}

/// The prices of the units of a month, with tiers or without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MonthlyPrice {
    /// How tiers price the amount.
    pub mode: TiersMode,
    /// The tiers; without tiers, one that has no end.
    pub tiers: Vec<Tier<OfUnit>>,
}

impl MonthlyPrice {
    /// Returns the exact cost of `quantity` units that follow `before` others, in a month with `all` units.
    fn exact(&self, before: i64, quantity: i64, all: i64) -> i128 {
        match self.mode {
            TiersMode::Volume => {
                let tier = self.tiers.iter().find(|tier| tier.to.is_none_or(|to| all <= to)).or(self.tiers.last());
                tier.map_or(0, |tier| tier.price.exact(quantity))
            }
            TiersMode::Graduated => {
                let (end, mut from, mut cost) = (before.saturating_add(quantity), before, 0i128);
                for tier in &self.tiers {
                    let to = tier.to.unwrap_or(i64::MAX).min(end);
                    if to > from {
                        cost = cost.saturating_add(tier.price.exact(to - from));
                        from = to;
                    }
                }
                cost
            }
        }
    }

    /// Returns whether the cost of a quantity is at most 64 bits in millionths, whatever the tier.
    pub fn fits(&self, quantity: i64) -> bool {
        self.tiers.iter().all(|tier| i64::try_from(rounded(tier.price.exact(quantity))).is_ok())
    }
}

/// Units that were used at one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Portion {
    /// Since when the price has been in force.
    pub since: i64,
    /// The price.
    pub price: MonthlyPrice,
    /// The number of units.
    pub quantity: i64,
}

/// Returns the cost of a month's units in millionths of the currency's unit. The first `included` units are free; tiers count the
/// units after them. The portions stand in the order of their prices' times: a changed price continues in the tier that the
/// units before it have reached. The sum is rounded half up once, so the cost does not depend on how the units were reported.
pub(crate) fn cost_micros(portions: &[Portion], included: Included) -> i64 {
    let all = portions.iter().fold(0i64, |sum, portion| sum.saturating_add(portion.quantity));
    let mut free = match included {
        Included::All => return 0,
        Included::First(amount) => amount.clamp(0, all),
    };
    let (paid, mut before, mut cost) = (all - free, 0i64, 0i128);
    for portion in portions {
        let quantity = portion.quantity - portion.quantity.min(free);
        free -= portion.quantity - quantity;
        cost = cost.saturating_add(portion.price.exact(before, quantity, paid));
        before = before.saturating_add(quantity);
    }
    i64::try_from(rounded(cost)).unwrap_or(i64::MAX)
}

/// The units of a month that a plan includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Included {
    /// So many.
    First(i64),
    /// All of them.
    All,
}

impl Included {
    /// Returns the included units of an allowed amount. A negative amount is unlimited.
    pub fn of(allowed: i64) -> Included {
        match allowed < 0 {
            true => Included::All,
            false => Included::First(allowed),
        }
    }
}

/// Rounds millionths of a millionth half up to millionths.
fn rounded(exact: i128) -> i128 {
    exact.saturating_add(MILLION / 2).div_euclid(MILLION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tiers(mode: TiersMode, tiers: &[(Option<i64>, i64)]) -> MonthlyPrice {
        let tiers = tiers.iter().map(|(to, micros)| Tier { to: *to, price: OfUnit::Micros(*micros) }).collect();
        MonthlyPrice { mode, tiers }
    }

    fn portion(price: &MonthlyPrice, quantity: i64) -> Portion {
        Portion { since: 0, price: price.clone(), quantity }
    }

    /// The price of the unit with a number, by counting.
    fn of_unit(price: &MonthlyPrice, number: i64, all: i64) -> i128 {
        let counts = if price.mode == TiersMode::Volume { all } else { number };
        let tier = price.tiers.iter().find(|tier| tier.to.is_none() || Some(counts) <= tier.to).expect("a tier");
        tier.price.exact(1)
    }

    #[test]
    fn tiers_price_the_units_beyond_the_included_ones() {
        // A cent up to 1 000 minutes, then 0.8 cents.
        let graduated = tiers(TiersMode::Graduated, &[(Some(1_000), 10_000), (None, 8_000)]);
        let volume = tiers(TiersMode::Volume, &[(Some(1_000), 10_000), (None, 8_000)]);
        for (quantity, included, by_graduated, by_volume) in [
            (0, 0, 0, 0),
            (1_000, 0, 10_000_000, 10_000_000),
            // 1 000 · 10 000 + 8 000, and 1 001 · 8 000.
            (1_001, 0, 10_008_000, 8_008_000),
            (1_500, 0, 14_000_000, 12_000_000),
            (1_500, 500, 10_000_000, 10_000_000),
            // 1 001 paid units.
            (1_501, 500, 10_008_000, 8_008_000),
            (1_500, 2_000, 0, 0),
        ] {
            let cost = |price: &MonthlyPrice| cost_micros(&[portion(price, quantity)], Included::First(included));
            assert_eq!((cost(&graduated), cost(&volume)), (by_graduated, by_volume), "{quantity} less {included}");
        }
        assert_eq!(cost_micros(&[portion(&graduated, 5_000)], Included::All), 0);
    }

    #[test]
    fn a_cost_is_rounded_once() {
        let of_million = Tier { to: None, price: OfUnit::PerMillion(150_000) };
        let price = MonthlyPrice { mode: TiersMode::Graduated, tiers: vec![of_million] };
        // One unit costs 0.15 millionths, which alone would round to nothing; a thousand cost 150.
        assert_eq!(cost_micros(&[portion(&price, 1)], Included::First(0)), 0);
        assert_eq!(cost_micros(&[portion(&price, 1_000)], Included::First(0)), 150);
        assert!(price.fits(i64::MAX) && !tiers(TiersMode::Graduated, &[(None, 2)]).fits(i64::MAX));
    }

    proptest! {
        /// The cost equals the sum of the prices of all units, counted one by one, whatever the order and the size of the
        /// measurements; a changed price continues where the earlier price ended.
        #[test]
        fn the_cost_is_that_of_counting_each_unit(
            is_volume: bool,
            ends in proptest::collection::btree_set(1i64..60, 1..4),
            prices in proptest::collection::vec((0i64..3_000_000_000_000, 0i64..3_000_000_000_000), 4),
            quantities in (0i64..60, 0i64..60),
            included in 0i64..80,
        ) {
            let mode = if is_volume { TiersMode::Volume } else { TiersMode::Graduated };
            let price = |which: fn(&(i64, i64)) -> i64| {
                let of = |micros: &(i64, i64)| OfUnit::PerMillion(which(micros));
                let ended = ends.iter().zip(&prices).map(|(to, micros)| Tier { to: Some(*to), price: of(micros) });
                MonthlyPrice { mode, tiers: ended.chain([Tier { to: None, price: of(&prices[3]) }]).collect() }
            };
            let (old, new) = (price(|micros| micros.0), price(|micros| micros.1));
            let all = quantities.0 + quantities.1;
            let paid = (all - included).max(0);
            let exact: i128 = (1..=all).filter(|unit| *unit > included).map(|unit| {
                let price = if unit <= quantities.0 { &old } else { &new };
                of_unit(price, unit - included, paid)
            }).sum();
            let portions = [portion(&old, quantities.0), portion(&new, quantities.1)];
            let expected = (exact + 500_000) / 1_000_000;
            prop_assert_eq!(i128::from(cost_micros(&portions, Included::First(included))), expected);
        }
    }
}
