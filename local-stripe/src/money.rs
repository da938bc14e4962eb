//! Amounts in minor units: the decimals of each currency, the limits of a charge, and the rounding rule for all amounts.

use crate::error::ApiError;

/// The supported currencies with two decimals.
const TWO: &[&str] = &[
    "aed", "ars", "aud", "bgn", "brl", "cad", "chf", "cny", "cop", "czk", "dkk", "egp", "eur", "gbp", "gel", "hkd",
    "huf", "idr", "ils", "inr", "isk", "kes", "mad", "mxn", "myr", "ngn", "nok", "nzd", "pen", "php", "pkr", "pln",
    "qar", "ron", "rsd", "sar", "sek", "sgd", "thb", "try", "twd", "uah", "ugx", "usd", "uyu", "zar",
];
/// The supported currencies without decimals.
const ZERO: &[&str] =
    &["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
/// The supported currencies with three decimals. The last digit of a charged amount must be 0.
const THREE: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];

/// The maximum number of decimal places of a `unit_amount_decimal`, Stripe's limit.
const DECIMAL_DIGITS: u32 = 12;

/// Returns the number of decimal places of a currency, by its lower-case code; `None` if it isn't supported.
pub fn exponent(currency: &str) -> Option<u32> {
    if TWO.contains(&currency) {
        Some(2)
    } else if ZERO.contains(&currency) {
        Some(0)
    } else if THREE.contains(&currency) {
        Some(3)
    } else {
        None
    }
}

/// Returns the codes of all supported currencies.
pub fn supported() -> Vec<&'static str> {
    [TWO, ZERO, THREE].concat()
}

/// Whether an amount in minor units can be charged: currencies with three decimals in steps of 10, ISK and UGX in steps
/// of 100.
pub fn is_chargeable(amount: i64, currency: &str) -> bool {
    match currency {
        "isk" | "ugx" => amount % 100 == 0,
        other if THREE.contains(&other) => amount % 10 == 0,
        _ => true,
    }
}

/// Returns the smallest amount that Stripe charges, in minor units.
pub fn minimum_charge(currency: &str) -> i64 {
    match currency {
        "gbp" => 30,
        "jpy" => 50,
        "mxn" => 1_000,
        "sek" | "nok" => 300,
        "dkk" => 250,
        "czk" => 1_500,
        "huf" => 17_500,
        "hkd" => 400,
        "pln" => 200,
        "thb" => 1_000,
        "aed" | "myr" | "ron" => 200,
        other => match exponent(other) {
            Some(0) => 1,
            Some(3) => 100,
            _ => 50,
        },
    }
}

/// Returns the largest amount that Stripe charges, in minor units: eight digits, or more in low-value currencies.
pub fn maximum_charge(currency: &str) -> i64 {
    match currency {
        "idr" => 999_999_999_999,
        "cop" | "huf" => 9_999_999_999,
        "inr" => 999_999_999,
        _ => 99_999_999,
    }
}

/// Checks that an amount does not exceed [`maximum_charge`].
///
/// # Errors
/// The amount exceeds the maximum.
pub fn check_maximum(amount: i64, currency: &str, param: &str) -> Result<(), ApiError> {
    let most = maximum_charge(currency);
    if amount <= most {
        return Ok(());
    }
    let message = format!("Amount must be no more than {}", display(most, currency));
    Err(ApiError::coded("amount_too_large", message).about(param))
}

/// Returns `numerator / denominator` rounded to the nearest integer, halves away from zero.
///
/// Returns `None` if the denominator is zero or the result doesn't fit.
pub fn divide_half_away(numerator: i128, denominator: i128) -> Option<i64> {
    if denominator == 0 {
        return None;
    }
    let (n, d) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let rounded = n.checked_add(d / 2)? / d;
    let signed = i128::try_from(rounded).ok()?;
    let signed = if (numerator < 0) != (denominator < 0) { -signed } else { signed };
    i64::try_from(signed).ok()
}

/// Returns the share of an amount for `part_s` of `whole_s` seconds, rounded; `None` as for [`divide_half_away`].
pub fn prorate(amount: i64, part_s: i64, whole_s: i64) -> Option<i64> {
    divide_half_away(i128::from(amount) * i128::from(part_s), i128::from(whole_s))
}

/// 100 % in the unit of [`parse_decimal`].
pub const PERCENT_MAX: i128 = 100_000_000_000_000;

/// Parses a percentage of at most 100 that is a multiple of `step`. Returns it in 10⁻¹² percent.
pub fn parse_percentage(text: &str, step: i128) -> Option<i128> {
    parse_decimal(text).filter(|exact| *exact <= PERCENT_MAX && exact % step == 0)
}

/// Returns a percentage of an amount in minor units, rounded half away from zero; none if the value is not a percentage. It is read from
/// its decimal digits, so no binary fraction is rounded.
pub fn part_of(amount: i64, percent: &serde_json::Value) -> Option<i64> {
    let exact = parse_decimal(&percent.to_string())?;
    divide_half_away(i128::from(amount) * exact, PERCENT_MAX)
}

/// Parses a decimal string of minor units. Returns the number of 10⁻¹² minor units; `None` if the text is not such a
/// decimal.
pub fn parse_decimal(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 12
        || !all_digits(whole)
        || !all_digits(part)
        || part.len() > DECIMAL_DIGITS as usize
    {
        return None;
    }
    if text.ends_with('.') {
        return None;
    }
    let scale = 10_i128.pow(DECIMAL_DIGITS);
    let whole: i128 = whole.parse().ok()?;
    let behind: i128 = format!("{part:0<12}").parse().ok()?;
    Some(whole * scale + behind)
}

/// Returns `unit_amount_decimal` times a quantity, in minor units, rounded once. Returns `None` if the decimal is
/// invalid or the result doesn't fit.
pub fn multiply_decimal(unit: &str, quantity: i64) -> Option<i64> {
    let unit = parse_decimal(unit)?;
    divide_half_away(unit.checked_mul(i128::from(quantity))?, 10_i128.pow(DECIMAL_DIGITS))
}

/// Formats an amount in minor units, such as `$20.00` or `¥500`.
pub fn display(amount: i64, currency: &str) -> String {
    let digits = exponent(currency).unwrap_or(2);
    let sign = if amount < 0 { "-" } else { "" };
    let base = 10_u64.pow(digits);
    let (major, minor) = (amount.unsigned_abs() / base, amount.unsigned_abs() % base);
    let number =
        if digits == 0 { major.to_string() } else { format!("{major}.{minor:0width$}", width = digits as usize) };
    with_currency(sign, &number, currency)
}

/// Formats a decimal string of minor units: `0.5` cents is `$0.005`.
pub fn display_decimal(minor: &str, currency: &str) -> String {
    let digits = exponent(currency).unwrap_or(2) as usize;
    let (whole, part) = minor.split_once('.').unwrap_or((minor, ""));
    let part = part.trim_end_matches('0');
    let whole = format!("{whole:0>width$}", width = digits + 1);
    let (major, behind) = whole.split_at(whole.len() - digits);
    let number = if digits + part.len() == 0 { major.to_owned() } else { format!("{major}.{behind}{part}") };
    with_currency("", &number, currency)
}

fn with_currency(sign: &str, number: &str, currency: &str) -> String {
    match currency {
        "usd" => format!("{sign}${number}"),
        "eur" => format!("{sign}€{number}"),
        "gbp" => format!("{sign}£{number}"),
        "jpy" => format!("{sign}¥{number}"),
        other => format!("{sign}{number} {}", other.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        assert_eq!(
            (exponent("jpy"), exponent("usd"), exponent("kwd"), exponent("zzz")),
            (Some(0), Some(2), Some(3), None)
        );
        assert!(!is_chargeable(1_005, "kwd") && is_chargeable(1_010, "kwd") && !is_chargeable(150, "isk"));
        assert_eq!(
            (display(-2_000, "usd"), display(500, "jpy"), display(1_010, "kwd")),
            ("-$20.00".into(), "¥500".into(), "1.010 KWD".into())
        );
        let decimals = [("2000", "usd"), ("0.5", "usd"), ("12.50", "jpy"), ("500", "jpy"), ("1010", "kwd")];
        let shown = decimals.map(|(minor, currency)| display_decimal(minor, currency));
        assert_eq!(shown, ["$20.00", "$0.005", "¥12.5", "¥500", "1.010 KWD"]);
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(divide_half_away(5, 2), Some(3));
        assert_eq!(divide_half_away(-5, 2), Some(-3));
        assert_eq!(divide_half_away(1, 0), None);
        assert_eq!(multiply_decimal("0.5", 3), Some(2));
        assert_eq!(multiply_decimal("1.", 3), None);
        assert_eq!(parse_decimal(".5"), None);
    }

    proptest! {
        #[test]
        fn a_credit_is_the_negative_of_its_debit(amount in 0_i64..1_000_000_000, part in 0_i64..3_000_000, whole in 1_i64..3_000_000) {
            let part = part.min(whole);
            let debit = prorate(amount, part, whole).unwrap();
            prop_assert_eq!(prorate(-amount, part, whole).unwrap(), -debit);
            prop_assert!(debit <= amount);
        }
    }
}
