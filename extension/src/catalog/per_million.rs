//! Prices of a million units: `"2.50"` is two and a half units of the currency. They are read into whole millionths, never into
//! floating-point numbers.

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Decimals of a price.
const DECIMALS: usize = 6;
/// Millionths of one.
const MILLION: i64 = 1_000_000;

/// The price of a million units, in millionths of the currency's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerMillion(i64);

impl PerMillion {
    /// Parses a decimal such as `2.50`; `None` if it is negative, has another form, more than six decimals, or exceeds 64 bits.
    pub(crate) fn parse(text: &str) -> Option<PerMillion> {
        millionths(text, DECIMALS).map(PerMillion)
    }

    /// Returns the price in millionths of the currency's unit.
    pub(crate) fn micros(self) -> i64 {
        self.0
    }

    /// Returns the cost of a quantity in millionths of the currency's unit, rounded half up; `None` if it exceeds 64 bits.
    pub(crate) fn cost_micros(self, quantity: i64) -> Option<i64> {
        let exact = i128::from(quantity) * i128::from(self.0);
        i64::try_from((exact + i128::from(MILLION / 2)).div_euclid(i128::from(MILLION))).ok()
    }
}

/// Parses a decimal with at most so many decimals (up to six) into millionths; `None` if it is negative, has another form, or exceeds
/// 64 bits.
pub(super) fn millionths(text: &str, decimals_max: usize) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(decimals) || decimals.len() > decimals_max {
        return None;
    }
    let decimals: i64 = format!("{decimals:0<DECIMALS$}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(MILLION)?.checked_add(decimals)
}

/// Writes millionths as a decimal without trailing zeros.
pub(super) fn write_millionths(millionths: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let decimals = format!("{:06}", millionths % MILLION);
    match decimals.trim_end_matches('0') {
        "" => write!(f, "{}", millionths / MILLION),
        decimals => write!(f, "{}.{decimals}", millionths / MILLION),
    }
}

impl fmt::Display for PerMillion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millionths(self.0, f)
    }
}

impl Serialize for PerMillion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a decimal: a text, or a whole number.
pub(super) struct DecimalVisitor<T> {
    pub read: fn(&str) -> Option<T>,
    pub expected: &'static str,
}

impl<T> Visitor<'_> for DecimalVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        (self.read)(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        (self.read)(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for PerMillion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a decimal in quotes with at most six decimals, such as \"2.50\"";
        deserializer.deserialize_any(DecimalVisitor { read: PerMillion::parse, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: TES-64
    #[test]
    fn a_cost_is_exact_to_a_millionth() {
        for (price, quantity, cost) in [
            ("2.50", 1_000_000, 2_500_000),
            ("2.50", 1, 3),
            ("2.50", 2, 5),
            ("0.15", 1, 0),
            ("0.15", 10, 2),
            ("0.15", 1_000, 150),
            ("0.000001", 1_000_000, 1),
            ("0.000001", 499_999, 0),
            ("0.000001", 500_000, 1),
            ("12", 7, 84),
            ("0.1", 3_000_000, 300_000),
            ("0", 1_000, 0),
            // A floating-point number has no exact value for either.
            ("9007199254.740993", 1_000_000, 9_007_199_254_740_993),
        ] {
            assert_eq!(
                PerMillion::parse(price).expect(price).cost_micros(quantity),
                Some(cost),
                "{quantity} at {price}"
            );
        }
        assert_eq!(PerMillion::parse("9000000").expect("a price").cost_micros(i64::MAX), None, "more than 64 bits");
    }

    #[test]
    fn a_price_is_written_as_it_is_read() {
        for (text, written) in [("2.50", "2.5"), ("0.15", "0.15"), ("10", "10"), ("0.000001", "0.000001"), ("3.0", "3")]
        {
            let price = PerMillion::parse(text).expect(text);
            assert_eq!(price.to_string(), written);
            assert_eq!(PerMillion::parse(written), Some(price));
            assert_eq!(serde_json::from_str::<PerMillion>(&format!("\"{text}\"")).ok(), Some(price));
        }
        assert_eq!(serde_json::from_str::<PerMillion>("2").ok(), PerMillion::parse("2"));
    }

    #[test]
    fn another_form_is_refused() {
        for bad in ["", ".5", "1.", "-1", "+1", "1e3", "1,5", "0.1234567", " 1", "9223372036855", "1.5.0"] {
            assert_eq!(PerMillion::parse(bad), None, "{bad}");
        }
        let error = |json: &str| serde_json::from_str::<PerMillion>(json).expect_err("refused").to_string();
        for json in ["2.5", "-1", "\"two\"", "null", "18446744073709551615"] {
            assert!(error(json).contains("such as \"2.50\""), "{}", error(json));
        }
    }
}
