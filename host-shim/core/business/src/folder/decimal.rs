//! Converts a decimal number to a whole number: `0.90` with four decimals is `9000`. No floating-point numbers are
//! used.

/// Maximum number of decimals of a configuration key.
pub(super) const DECIMALS_MAX: u32 = 9;

/// Returns the number without its point, as if it had all its decimals; none if the text is not a decimal number, or has more
/// decimals.
pub(super) fn without_point(text: &str, decimals: u32) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        return None;
    }
    let number: i64 = format!("{sign}{whole}{fraction:0<width$}", width = decimals as usize).parse().ok()?;
    Some(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_becomes_a_whole_number_without_rounding() {
        for (text, decimals, expected) in [
            ("0.90", 4, Some("9000")),
            ("0.9", 4, Some("9000")),
            ("1", 4, Some("10000")),
            ("0.90000", 4, Some("9000")),
            ("-2.5", 1, Some("-25")),
            ("7", 0, Some("7")),
            ("7.0", 0, Some("7")),
            ("00.01", 2, Some("1")),
            ("0.12345", 4, None),
            ("0.", 4, None),
            (".9", 4, None),
            ("9e-1", 4, None),
            ("0,9", 4, None),
            ("90%", 4, None),
            ("", 4, None),
            ("-", 4, None),
            ("99999999999999999999", 4, None),
        ] {
            assert_eq!(without_point(text, decimals).as_deref(), expected, "{text}");
        }
    }
}
