//! Computes the taxes of an invoice. The tax rates of a line apply, or else the invoice's default tax rates. Each tax
//! of a line is rounded once to the minor unit, halves away from zero.

use serde_json::{Value, json};

use crate::discount::amount;
use crate::error::ApiError;
use crate::model::billing_credit;
use crate::money;
use crate::object::Object;
use crate::params::{Args, ParamKind};
use crate::state::State;

/// The type of the parameters `tax_rates` and `default_tax_rates`: ids of tax rates.
pub const RATES: ParamKind = ParamKind::List(&ParamKind::Text);

/// The maximum number of tax rates of a line or an invoice, Stripe's limit.
const RATES_MAX: usize = 5;
/// 100 % in the unit of [`percent`].
const WHOLE: i128 = money::PERCENT_MAX;

/// The taxes of an invoice, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taxes {
    /// The taxes that are added to the amounts of the lines.
    pub exclusive: i64,
    /// The taxes that the amounts of the lines include.
    pub inclusive: i64,
}

/// Returns the tax rates that a request names, as an array of objects. An emptied or absent parameter gives an empty
/// array.
///
/// # Errors
/// There are too many tax rates, or a tax rate is unknown or inactive.
pub fn read(st: &State, args: &Args, name: &str, param: &str) -> Result<Value, ApiError> {
    let given = args.list(name);
    if given.len() > RATES_MAX {
        let message = format!("At most {RATES_MAX} tax rates can be given, but there are {}.", given.len());
        return Err(ApiError::invalid(message).about(param));
    }
    let mut rates = Vec::new();
    for (n, id) in given.iter().filter_map(Value::as_str).enumerate() {
        let here = format!("{param}[{n}]");
        let rate = st.load("tax_rate", id, &here)?;
        if !rate.is("active") {
            let message = format!("The tax rate {id} is inactive. This field only accepts active tax rates.");
            return Err(ApiError::invalid(message).about(&here));
        }
        rates.push(rate.value());
    }
    Ok(Value::Array(rates))
}

/// Sets the taxes of an invoice and of its lines. Returns the sums.
///
/// # Errors
/// A sum is too large.
pub fn apply(invoice: &mut Object, lines: &mut [Value]) -> Result<Taxes, ApiError> {
    let default = invoice.list_at("default_tax_rates").to_vec();
    let exempt = invoice.text("customer_tax_exempt").to_owned();
    let mut sums = Taxes::default();
    for line in &mut *lines {
        let own = line["tax_rates"].as_array().filter(|own| !own.is_empty());
        let amount = line["amount"].as_i64().unwrap_or_default() - taken_off(line);
        let taxes = of_amount(own.unwrap_or(&default), amount, &exempt);
        for tax in &taxes {
            let is_inclusive = tax["tax_behavior"] == "inclusive";
            let sum = if is_inclusive { &mut sums.inclusive } else { &mut sums.exclusive };
            let more = sum.checked_add(tax["amount"].as_i64().unwrap_or_default());
            *sum = more.ok_or_else(|| ApiError::coded("amount_too_large", "The invoice's taxes are too large."))?;
        }
        line["taxes"] = Value::Array(taxes);
    }
    invoice.set("total_taxes", by_rate(lines));
    Ok(sums)
}

/// Returns the taxes of lines, summed for each tax rate.
pub fn by_rate(lines: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let taxes = lines.iter().filter_map(|line| line["taxes"].as_array()).flatten();
    for tax in taxes {
        match out.iter_mut().find(|sum| sum["tax_rate_details"] == tax["tax_rate_details"]) {
            None => out.push(tax.clone()),
            Some(sum) => {
                for member in ["amount", "taxable_amount"] {
                    let (before, more) = (sum[member].as_i64(), tax[member].as_i64());
                    // The sums are within those of `apply`, which are checked.
                    sum[member] = json!(before.unwrap_or_default().saturating_add(more.unwrap_or_default()));
                }
            }
        }
    }
    out
}

/// Returns the sum of the taxes that are added to a line's amount, in minor units.
pub fn added(line: &Value) -> i64 {
    let taxes = line["taxes"].as_array().map(Vec::as_slice).unwrap_or_default();
    taxes.iter().filter(|tax| tax["tax_behavior"] == "exclusive").filter_map(|tax| tax["amount"].as_i64()).sum()
}

fn taken_off(line: &Value) -> i64 {
    amount::on_line(line) + billing_credit::on_line(line)
}

/// Returns the taxes of an amount after discounts. An exclusive tax applies to the amount without the inclusive taxes.
pub fn of_amount(rates: &[Value], amount: i64, exempt: &str) -> Vec<Value> {
    let reason_of = |rate: &Value| match exempt {
        "exempt" => "customer_exempt".to_owned(),
        "reverse" => "reverse_charge".to_owned(),
        // Automatic taxes have a reason. Stripe gives none for tax rates that the caller chose.
        _ => rate["taxability_reason"].as_str().unwrap_or("not_available").to_owned(),
    };
    let is_taxed = |rate: &Value| matches!(reason_of(rate).as_str(), "not_available" | "standard_rated");
    let is_inclusive = |rate: &Value| rate["inclusive"] == true;
    let included: i128 = rates.iter().filter(|rate| is_inclusive(rate) && is_taxed(rate)).map(percent).sum();
    // A share of an amount is not larger than the amount, so it fits.
    let share = |of: i64, rate: &Value, whole: i128| {
        money::divide_half_away(i128::from(of) * percent(rate), whole).filter(|_| is_taxed(rate)).unwrap_or_default()
    };
    let inclusive = |rate: &Value| share(amount, rate, WHOLE + included);
    let net = amount - rates.iter().filter(|rate| is_inclusive(rate)).map(inclusive).sum::<i64>();
    let shown = |rate: &Value| {
        let tax = if is_inclusive(rate) { inclusive(rate) } else { share(net, rate, WHOLE) };
        json!({
            "amount": tax,
            "tax_behavior": if is_inclusive(rate) { "inclusive" } else { "exclusive" },
            "tax_rate_details": { "tax_rate": rate["id"] },
            "taxability_reason": reason_of(rate),
            "taxable_amount": if is_taxed(rate) { net } else { 0 },
            "type": "tax_rate_details",
        })
    };
    rates.iter().map(shown).collect()
}

/// Returns a tax rate's percentage in decimal digits: `19.0` for `19.0`.
pub fn percentage_of(rate: &Value) -> String {
    rate["percentage"].to_string()
}

/// Returns a tax rate's percentage in 10⁻¹² percent. It is read from the decimal digits, so no binary fraction is
/// rounded.
fn percent(rate: &Value) -> i128 {
    // The endpoint that creates tax rates checks the digits.
    money::parse_decimal(&rate["percentage"].to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(percentage: f64, inclusive: bool) -> Value {
        json!({ "id": "txr_1", "percentage": percentage, "inclusive": inclusive })
    }

    fn amounts(rates: &[Value], amount: i64) -> Vec<i64> {
        of_amount(rates, amount, "none").iter().map(|tax| tax["amount"].as_i64().unwrap()).collect()
    }

    #[test]
    fn taxes_are_added_to_an_amount_or_included_in_it() {
        assert_eq!(amounts(&[rate(19.0, false)], 799), [152]);
        assert_eq!(amounts(&[rate(8.875, false)], 2_000), [178]);
        assert_eq!(amounts(&[rate(20.0, true)], 1_200), [200]);
        assert_eq!(amounts(&[rate(5.0, false), rate(9.975, false)], 1_000), [50, 100]);
        assert_eq!(amounts(&[rate(5.0, true), rate(15.0, true)], 1_200), [50, 150]);
        assert_eq!(amounts(&[rate(20.0, true), rate(10.0, false)], 1_200), [200, 100]);
        assert_eq!(amounts(&[rate(19.0, false)], -799), [-152]);
        let exempt = &of_amount(&[rate(19.0, false)], 799, "reverse")[0];
        assert_eq!((&exempt["amount"], &exempt["taxability_reason"]), (&json!(0), &json!("reverse_charge")));
    }

    proptest! {
        #[test]
        fn a_tax_differs_from_the_exact_value_by_at_most_half_a_minor_unit(
            amount in -100_000_000i64..100_000_000,
            hundredths in 0i64..=10_000,
        ) {
            let percentage = hundredths as f64 / 100.0;
            let exclusive = amounts(&[rate(percentage, false)], amount)[0];
            prop_assert!((exclusive * 10_000 - amount * hundredths).abs() <= 5_000);
            let inclusive = amounts(&[rate(percentage, true)], amount)[0];
            let whole = 10_000 + hundredths;
            prop_assert!((inclusive * whole - amount * hundredths).abs() * 2 <= whole);
        }
    }
}
