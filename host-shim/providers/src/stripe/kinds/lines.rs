//! Lines of a usage invoice: rounds amounts in millionths to minor units, so that the lines add up to the total
//! exactly.

use crate::stripe::failure::Failed;
use serde_json::{Map, Value};

/// Maximum lines for usage. Further usage is summed in the last of these lines, since each line needs a request. Lines
/// for carried over amounts and credits are added.
pub(crate) const LINES_MAX: usize = 50;
/// Maximum characters of a line's description.
const DESCRIPTION_CHARS_MAX: usize = 250;

/// An invoice line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Text for the customer.
    pub description: String,
    /// Minor units; negative for credits.
    pub amount_minor: i64,
}

/// The charges of an invoice. Amounts are in millionths of the currency's unit.
pub(crate) struct UsageCharges<'p> {
    /// Objects with `meter`, `attributes`, `quantity`, `cost_micros` and, if a part of the quantity is free, `included`.
    pub lines: &'p [Value],
    /// Cost of the whole month's usage.
    pub cost_micros: Option<i64>,
    /// Amount paid by credits, 0 or negative.
    pub credits_micros: i64,
    /// Amount carried over from earlier months.
    pub carried_micros: i64,
}

/// Returns the lines. They add up to `total_minor`. Lines with an amount of 0 are left out.
pub(crate) fn lines(charges: &UsageCharges<'_>, month: &str, total_minor: i64) -> Result<Vec<Line>, Failed> {
    let mut micros: Vec<(String, i64)> = Vec::new();
    for (number, line) in charges.lines.iter().enumerate() {
        let cost = line.get("cost_micros").and_then(Value::as_i64);
        let cost = cost.ok_or(Failed::Payload { member: "lines", expected: "`cost_micros` in each" })?;
        match number < LINES_MAX - 1 || charges.lines.len() <= LINES_MAX {
            true => micros.push((description(line), cost)),
            false => add(&mut micros, "Other use", cost),
        }
    }
    let listed: i64 = micros.iter().map(|(_, cost)| *cost).fold(0, i64::saturating_add);
    add(&mut micros, "Other use", charges.cost_micros.unwrap_or(listed).saturating_sub(listed));
    add(&mut micros, "Carried over from before", charges.carried_micros);
    add(&mut micros, "Paid by credits", charges.credits_micros);
    let whole: i128 = micros.iter().map(|(_, micros)| i128::from(*micros)).sum();
    if whole <= 0 {
        return Ok(vec![Line { description: format!("Use in {month}"), amount_minor: total_minor }]);
    }
    // The amount of a line is the difference of two rounded cumulative sums, so all amounts add up to the last sum, the
    // total.
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

/// Adds an amount to the last line if that has the same name; otherwise appends a line.
fn add(micros: &mut Vec<(String, i64)>, name: &str, more: i64) {
    match micros.last_mut() {
        Some((last, sum)) if last == name => *sum = sum.saturating_add(more),
        _ if more != 0 => micros.push((name.to_owned(), more)),
        _ => {}
    }
}

/// Returns the description of a line, for example `tokens (model: large): 250000`.
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
    if let Some(included) = line.get("included") {
        out.push_str(&format!(", of which {} are included", text(included)));
    }
    out.chars().take(DESCRIPTION_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_line_says_what_is_included() {
        let line =
            json!({"meter": "minutes", "attributes": {}, "quantity": 1250, "cost_micros": 2_500_000, "included": 1000});
        assert_eq!(description(&line), "minutes: 1250, of which 1000 are included");
    }

    fn charges(lines: &[Value], credits_micros: i64, carried_micros: i64) -> UsageCharges<'_> {
        UsageCharges { lines, cost_micros: None, credits_micros, carried_micros }
    }

    #[test]
    fn credits_are_a_negative_line() {
        let of =
            [json!({"meter": "tokens", "attributes": {"model": "large"}, "quantity": 9, "cost_micros": 12_000_000})];
        let found = lines(&charges(&of, -5_000_000, 0), "2026-01", 700).expect("lines");
        let expected = [("tokens (model: large): 9", 1200), ("Paid by credits", -500)]
            .map(|(description, amount_minor)| Line { description: description.to_owned(), amount_minor });
        assert_eq!(found, expected);
    }

    #[test]
    fn amounts_without_lines_get_a_line() {
        let found = lines(&charges(&[], 0, 0), "2026-01", 700).expect("lines");
        assert_eq!(found, [Line { description: "Use in 2026-01".to_owned(), amount_minor: 700 }]);
        let of = [json!({"meter": "a", "cost_micros": 1_000_000})];
        let more = UsageCharges { cost_micros: Some(3_000_000), ..charges(&of, 0, 0) };
        let found = lines(&more, "2026-01", 300).expect("lines");
        assert_eq!(found.iter().map(|line| line.amount_minor).collect::<Vec<_>>(), [100, 200]);
        assert!(lines(&charges(&[json!({"meter": "a"})], 0, 0), "2026-01", 1).is_err());
    }

    proptest! {
        #[test]
        fn lines_add_up_to_the_total_and_are_bounded(
            costs in prop::collection::vec(0i64..1_000_000_000_000, 0..200),
            credits in -1_000_000_000i64..=0, carried in 0i64..1_000_000, total in 1i64..1_000_000_000,
        ) {
            let of: Vec<Value> = costs.iter().map(|cost| json!({"meter": "m", "cost_micros": cost})).collect();
            let found = lines(&charges(&of, credits, carried), "2026-01", total).expect("lines");
            prop_assert_eq!(found.iter().map(|line| line.amount_minor).sum::<i64>(), total);
            prop_assert!(found.len() <= LINES_MAX + 2);
        }
    }
}
