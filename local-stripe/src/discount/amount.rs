//! Computes how much a discount deducts from each line of an invoice or a session. The whole deduction of a discount is
//! rounded once to the minor unit, halves away from zero, and then divided among the lines without loss.

use serde_json::{Value, json};

use super::redeem::amount_off;
use super::term;
use crate::money;

/// The properties of a line that discounts depend on.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The amount in minor units.
    pub amount: i64,
    /// The product's id; empty without a product.
    pub product: &'a str,
    /// Which discounts apply to the line.
    pub discountable: Discountable,
}

/// Which discounts apply to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discountable {
    /// All discounts.
    Always,
    /// Only one-time discounts: the line is a proration, whose amount already includes the lasting discounts.
    Once,
    /// No discounts.
    Never,
}

/// The deductions of one discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deduction {
    /// The discount's id.
    pub discount: String,
    /// The deduction of each line in minor units.
    pub by_line: Vec<i64>,
}

impl Deduction {
    /// Returns the sum of the deductions in minor units.
    pub fn total(&self) -> i64 {
        self.by_line.iter().sum()
    }
}

/// Computes the deductions of each discount in turn. Together, they deduct at most the amount of a line.
pub fn take(discounts: &[Value], lines: &[Line<'_>], currency: &str) -> Vec<Deduction> {
    let mut left: Vec<i64> = lines.iter().map(|line| line.amount.max(0)).collect();
    let mut out = Vec::new();
    for discount in discounts {
        let coupon = &discount["coupon"];
        let products = coupon["applies_to"]["products"].as_array();
        let applies = |line: &Line<'_>| {
            let may = match line.discountable {
                Discountable::Always => true,
                Discountable::Once => term::counts_once(discount),
                Discountable::Never => false,
            };
            may && products.is_none_or(|of| of.iter().any(|product| product == line.product))
        };
        let base: Vec<i64> =
            lines.iter().zip(&left).map(|(line, left)| if applies(line) { *left } else { 0 }).collect();
        let sum: i64 = base.iter().fold(0, |sum, amount| sum.saturating_add(*amount));
        let off = worth(coupon, sum, currency);
        let by_line = divide(off, &base, sum);
        left.iter_mut().zip(&by_line).for_each(|(left, taken)| *left -= taken);
        out.push(Deduction { discount: discount["id"].as_str().unwrap_or_default().to_owned(), by_line });
    }
    out
}

/// Computes the deductions of each line's own discounts, and then those of the shared discounts from the rest. Returns
/// both lists of deductions.
pub fn take_in_order(
    own: &[Vec<Value>],
    shared: &[Value],
    lines: &[Line<'_>],
    currency: &str,
) -> (Vec<Deduction>, Vec<Deduction>) {
    let mut left = lines.to_vec();
    let mut of_lines = Vec::new();
    for (n, discounts) in own.iter().enumerate().take(lines.len()) {
        for taken in take(discounts, &lines[n..=n], currency) {
            let mut by_line = vec![0; lines.len()];
            by_line[n] = taken.total();
            left[n].amount -= by_line[n];
            of_lines.push(Deduction { by_line, ..taken });
        }
    }
    let of_all = take(shared, &left, currency);
    (of_lines, of_all)
}

/// Returns the deduction of a coupon from a sum, in minor units.
fn worth(coupon: &Value, sum: i64, currency: &str) -> i64 {
    if let Some(part) = money::part_of(sum, &coupon["percent_off"]) {
        return part;
    }
    amount_off(coupon, currency).unwrap_or(0).min(sum)
}

/// Divides a deduction among lines in proportion to their amounts. Each share is rounded down; the lines with the
/// largest remainders get one minor unit more.
fn divide(off: i64, base: &[i64], sum: i64) -> Vec<i64> {
    if sum == 0 {
        return vec![0; base.len()];
    }
    let (off, sum) = (i128::from(off), i128::from(sum));
    let exact = |amount: &i64| i128::from(*amount) * off;
    let mut shares: Vec<i128> = base.iter().map(|amount| exact(amount) / sum).collect();
    let mut order: Vec<usize> = (0..base.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(exact(&base[*index]) % sum));
    let rest = off - shares.iter().sum::<i128>();
    for index in order.into_iter().take(usize::try_from(rest).unwrap_or_default()) {
        shares[index] += 1;
    }
    // A share is at most the line's amount.
    shares.into_iter().map(|share| i64::try_from(share).unwrap_or(i64::MAX)).collect()
}

/// Returns the sum of a line's `discount_amounts`, in minor units.
pub fn on_line(line: &Value) -> i64 {
    let amounts = line["discount_amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    amounts.iter().filter_map(|taken| taken["amount"].as_i64()).sum()
}

/// Returns the member `discount_amounts` of the line with this index.
pub fn shown(taken: &[&Deduction], line: usize) -> Value {
    taken.iter().map(|t| json!({ "amount": t.by_line[line], "discount": t.discount })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(amount: i64, product: &str) -> Line<'_> {
        Line { amount, product, discountable: Discountable::Always }
    }

    fn percent(hundredths: i64) -> Value {
        json!({ "id": "di_1", "coupon": { "percent_off": hundredths as f64 / 100.0 } })
    }

    #[test]
    fn coupons_deduct_percentages_or_amounts_from_their_products() {
        let lines = [line(1_000, "a"), line(333, "b")];
        let taken = |discount: Value| take(&[discount], &lines, "usd")[0].by_line.clone();
        assert_eq!(taken(percent(2_550)), [255, 85]);
        assert_eq!(taken(json!({ "coupon": { "amount_off": 100, "currency": "usd" } })), [75, 25]);
        assert_eq!(taken(json!({ "coupon": { "amount_off": 100, "currency": "eur" } })), [0, 0]);
        assert_eq!(taken(json!({ "coupon": { "amount_off": 5_000, "currency": "usd" } })), [1_000, 333]);
        assert_eq!(taken(json!({ "coupon": { "percent_off": 100.0, "applies_to": { "products": ["b"] } } })), [0, 333]);
        let credit = [line(1_000, "a"), Line { amount: -400, product: "a", discountable: Discountable::Never }];
        assert_eq!(take(&[percent(5_000)], &credit, "usd")[0].by_line, [500, 0]);
        let rest = [line(1_000, "a"), Line { amount: 400, product: "a", discountable: Discountable::Once }];
        assert_eq!(take(&[percent(5_000)], &rest, "usd")[0].by_line, [500, 0]);
        let once = json!({ "coupon": { "percent_off": 50.0, "duration": "once" } });
        assert_eq!(take(&[once], &rest, "usd")[0].by_line, [500, 200]);
        let two = take(&[percent(5_000), percent(5_000)], &lines, "usd");
        assert_eq!((two[0].by_line.clone(), two[1].by_line.clone()), (vec![500, 167], vec![250, 83]));
    }

    proptest! {
        #[test]
        fn deductions_never_exceed_the_amounts_and_are_rounded_once(
            amounts in proptest::collection::vec(0i64..100_000, 1..12),
            hundredths in 1i64..=10_000,
        ) {
            let lines: Vec<Line<'_>> = amounts.iter().map(|amount| line(*amount, "")).collect();
            let taken = &take(&[percent(hundredths)], &lines, "usd")[0];
            prop_assert!(taken.by_line.iter().zip(&amounts).all(|(taken, amount)| (0..=*amount).contains(taken)));
            let sum: i64 = amounts.iter().sum();
            // The total differs from the exact value by at most half a minor unit.
            prop_assert!((taken.total() * 10_000 - sum * hundredths).abs() <= 5_000);
        }
    }
}
