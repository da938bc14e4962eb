//! Lines of an invoice of use: millionths shared out in minor units, so that the lines come to the total exactly.

use crate::failure::Failed;
use serde_json::{Map, Value};

/// Lines at most; what is more is one line. An invoice item is a request, and a customer reads no more either.
pub(crate) const LINES_MAX: usize = 50;
/// Characters of a line's description.
const DESCRIPTION_CHARS_MAX: usize = 250;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What the customer reads.
    pub description: String,
    /// Minor units; less than nothing for what credits pay.
    pub amount_minor: i64,
}

/// What an invoice's lines come from, in millionths of the currency's unit.
pub(crate) struct Uses<'p> {
    /// `{meter, attributes, quantity, cost_micros}` each.
    pub lines: &'p [Value],
    /// What all use of the month costs.
    pub cost_micros: Option<i64>,
    /// What credits pay, below zero.
    pub credits_micros: i64,
    /// What months before left over.
    pub carried_micros: i64,
}

/// The lines, which come to `total_minor`; those of nothing are left out.
pub(crate) fn lines(uses: &Uses<'_>, month: &str, total_minor: i64) -> Result<Vec<Line>, Failed> {
    let mut micros: Vec<(String, i64)> = Vec::new();
    for (number, line) in uses.lines.iter().enumerate() {
        let cost = line.get("cost_micros").and_then(Value::as_i64);
        let cost = cost.ok_or(Failed::Payload { member: "lines", expected: "`cost_micros` in each" })?;
        match number < LINES_MAX - 1 || uses.lines.len() <= LINES_MAX {
            true => micros.push((description(line), cost)),
            false => add(&mut micros, "Other use", cost),
        }
    }
    let listed: i64 = micros.iter().map(|(_, cost)| *cost).fold(0, i64::saturating_add);
    add(&mut micros, "Other use", uses.cost_micros.unwrap_or(listed).saturating_sub(listed));
    add(&mut micros, "Carried over from before", uses.carried_micros);
    add(&mut micros, "Paid by credits", uses.credits_micros);
    let whole: i128 = micros.iter().map(|(_, micros)| i128::from(*micros)).sum();
    if whole <= 0 {
        return Ok(vec![Line { description: format!("Use in {month}"), amount_minor: total_minor }]);
    }
    // Each line is the difference of two rounded sums, so that the last sum is the total.
    let (mut sum, mut before, mut out) = (0_i128, 0_i128, Vec::new());
    for (description, micros) in micros {
        sum += i128::from(micros);
        let after = (sum * i128::from(total_minor) + whole / 2).div_euclid(whole);
        let amount = i64::try_from(after - before);
        let amount_minor = amount.map_err(|_| Failed::Payload { member: "lines", expected: "amounts of 64 bits" })?;
        before = after;
        if amount_minor != 0 {
            out.push(Line { description, amount_minor });
        }
    }
    Ok(out)
}

/// To the last line if it is of the same name.
fn add(micros: &mut Vec<(String, i64)>, name: &str, more: i64) {
    match micros.last_mut() {
        Some((last, sum)) if last == name => *sum = sum.saturating_add(more),
        _ if more != 0 => micros.push((name.to_owned(), more)),
        _ => {}
    }
}

/// `tokens (model: large): 250000`.
fn description(line: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let none = Map::new();
    let attributes = line.get("attributes").and_then(Value::as_object).unwrap_or(&none);
    let attributes: Vec<String> = attributes.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let mut out = line.get("meter").map_or_else(|| "Use".to_owned(), text);
    if !attributes.is_empty() {
        out.push_str(&format!(" ({})", attributes.join(", ")));
    }
    if let Some(quantity) = line.get("quantity").filter(|quantity| !quantity.is_null()) {
        out.push_str(&format!(": {}", text(quantity)));
    }
    out.chars().take(DESCRIPTION_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn uses(lines: &[Value], credits_micros: i64, carried_micros: i64) -> Uses<'_> {
        Uses { lines, cost_micros: None, credits_micros, carried_micros }
    }

    #[test]
    fn credits_are_a_line_below_zero() {
        let of =
            [json!({"meter": "tokens", "attributes": {"model": "large"}, "quantity": 9, "cost_micros": 12_000_000})];
        let found = lines(&uses(&of, -5_000_000, 0), "2026-01", 700).expect("lines");
        let expected = [("tokens (model: large): 9", 1200), ("Paid by credits", -500)]
            .map(|(description, amount_minor)| Line { description: description.to_owned(), amount_minor });
        assert_eq!(found, expected);
    }

    #[test]
    fn what_no_line_says_is_a_line_all_the_same() {
        let found = lines(&uses(&[], 0, 0), "2026-01", 700).expect("lines");
        assert_eq!(found, [Line { description: "Use in 2026-01".to_owned(), amount_minor: 700 }]);
        let of = [json!({"meter": "a", "cost_micros": 1_000_000})];
        let more = Uses { cost_micros: Some(3_000_000), ..uses(&of, 0, 0) };
        let found = lines(&more, "2026-01", 300).expect("lines");
        assert_eq!(found.iter().map(|line| line.amount_minor).collect::<Vec<_>>(), [100, 200]);
        assert!(lines(&uses(&[json!({"meter": "a"})], 0, 0), "2026-01", 1).is_err());
    }

    proptest! {
        #[test]
        fn lines_come_to_the_total_and_are_no_more_than_can_be_read(
            costs in prop::collection::vec(0i64..1_000_000_000_000, 0..200),
            credits in -1_000_000_000i64..=0, carried in 0i64..1_000_000, total in 1i64..1_000_000_000,
        ) {
            let of: Vec<Value> = costs.iter().map(|cost| json!({"meter": "m", "cost_micros": cost})).collect();
            let found = lines(&uses(&of, credits, carried), "2026-01", total).expect("lines");
            prop_assert_eq!(found.iter().map(|line| line.amount_minor).sum::<i64>(), total);
            prop_assert!(found.len() <= LINES_MAX + 2);
        }
    }
}
