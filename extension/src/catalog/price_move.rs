//! The clause `price_moves`: takes the customers of a product's former prices to the price of today, with notice.

use super::coupon::Day;
use super::mistakes::Mistakes;
use super::price::ProductPrice;
use super::span::Delay;
use super::words::one_of;
use crate::model::ids::PriceId;
use extension_contract::pointer::escaped;
use extension_contract::{FieldErrorCode, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The moves of a catalog by the ids of their products.
pub(crate) type PriceMoves = BTreeMap<String, PriceMove>;

/// The most moves of a catalog. Each decision reads them with the policies.
const MOVES_MAX: usize = 100;
/// The least and the most days of the notice.
const NOTICE_DAYS: std::ops::RangeInclusive<u32> = 1..=365;

/// How customers of former prices of a product are moved to its present price for the same interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceMove {
    /// The time between the mail and the first renewal at the new price.
    pub notice: Delay,
    /// The first day on which a renewal may have the new price, in UTC; by default the day of the mail after the notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Day>,
    /// The former prices that are left; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<PriceId>,
}

impl PriceMove {
    /// Returns whether customers of a price are moved.
    pub fn includes(&self, price: &PriceId) -> bool {
        self.from.is_empty() || self.from.contains(price)
    }

    /// Returns the time from which a renewal has the new price, for a customer who is told now.
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        self.notice.after(now).max(self.on.map_or(now, Day::begin))
    }
}

/// Checks the clause. `sold` has the products on sale with their prices.
pub(crate) fn check(moves: &PriceMoves, sold: &BTreeMap<String, Vec<ProductPrice>>, mistakes: &mut Mistakes) {
    if moves.len() > MOVES_MAX {
        let found = format!("{} moves", moves.len());
        mistakes.add("/price_moves", FieldErrorCode::OutOfRange, found, format!("at most {MOVES_MAX}"));
    }
    let recurs = |prices: &[ProductPrice]| prices.iter().any(|price| price.interval.billing().is_some());
    let names: Vec<&str> = sold.iter().filter(|(_, prices)| recurs(prices)).map(|(id, _)| id.as_str()).collect();
    // A product with a mistake is not among those that are sold.
    let are_known = !mistakes.is_wrong("/products") && !mistakes.is_wrong("/product_types");
    for (product, moved) in moves {
        let path = format!("/price_moves/{}", escaped(product));
        if are_known && !names.contains(&product.as_str()) {
            let found = format!("`{product}` is not sold by month or year");
            mistakes.absent(&["products", "product_types"], &path, found, one_of(&names));
        }
        if !moved.notice.whole_days().is_some_and(|days| NOTICE_DAYS.contains(&days)) {
            let (least, most) = NOTICE_DAYS.into_inner();
            let expected = format!("whole days from {least}d to {most}d, such as 60d");
            mistakes.add(&format!("{path}/notice"), FieldErrorCode::OutOfRange, moved.notice.to_string(), expected);
        }
        let on_sale = sold.get(product).into_iter().flatten().filter_map(|price| price.id.as_ref());
        for (index, from) in moved.from.iter().enumerate() {
            if on_sale.clone().any(|id| id == from) {
                let found = format!("`{from}` is on sale");
                let expected = "the id of a former price";
                mistakes.add(&format!("{path}/from/{index}"), FieldErrorCode::NotAllowed, found, expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::currencies::OtherAmounts;
    use crate::catalog::price::Interval;
    use crate::model::halt::Halt;
    use extension_contract::{Money, Refusal};
    use serde_json::{Value, json};

    /// Returns the mistakes in the moves of a business that sells a plan by the month and a pack once.
    fn mistakes(moves: &Value) -> Vec<(String, String)> {
        let price = |id: &str, interval| ProductPrice {
            interval,
            amount: Money { amount_minor: 1_500, currency: "usd".to_owned() },
            id: Some(id.into()),
            others: OtherAmounts::new(),
        };
        let sold = BTreeMap::from([
            ("pro".to_owned(), vec![price("price_new", Interval::Month)]),
            ("pack".to_owned(), vec![price("price_pack", Interval::Once)]),
        ]);
        let moves: PriceMoves = extension_reader::from_str(&moves.to_string()).expect("moves");
        let mut mistakes = Mistakes::default();
        check(&moves, &sold, &mut mistakes);
        match mistakes.finish() {
            Err(Halt::Refused(Refusal::Invalid(errors))) => {
                errors.into_iter().map(|error| (error.path, error.found)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_move_names_a_plan_on_sale_whole_days_and_prices_that_are_not() {
        let told = |path: &str, found: &str| vec![(path.to_owned(), found.to_owned())];
        assert_eq!(mistakes(&json!({"pro": {"notice": "60d", "on": "2027-03-01", "from": ["price_old"]}})), []);
        assert_eq!(mistakes(&json!({"pro": {"notice": "12h"}})), told("/price_moves/pro/notice", "12h"));
        assert_eq!(mistakes(&json!({"pro": {"notice": "366d"}})), told("/price_moves/pro/notice", "366d"));
        let on_sale = json!({"pro": {"notice": "60d", "from": ["price_new"]}});
        assert_eq!(mistakes(&on_sale), told("/price_moves/pro/from/0", "`price_new` is on sale"));
        for product in ["pack", "prx"] {
            let found = mistakes(&json!({product: {"notice": "60d"}}));
            assert_eq!(found[0].0, format!("/price_moves/{product}"), "{found:?}");
        }
    }

    #[test]
    fn the_new_price_begins_after_the_notice_and_not_before_its_day() {
        let read = |text: &str| -> PriceMove { extension_reader::from_str(text).expect("a move") };
        let now = 1_767_225_600_000; // 2026-01-01
        assert_eq!(read(r#"{"notice": "31d"}"#).earliest(now), 1_769_904_000_000);
        assert_eq!(read(r#"{"notice": "1d", "on": "2026-02-01"}"#).earliest(now), 1_769_904_000_000);
    }
}
