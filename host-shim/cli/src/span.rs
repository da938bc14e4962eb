//! Time spans in options.

use std::time::Duration;

/// Parses a whole number and a unit: `500ms`, `90s`, `10m`, `2h`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and a unit such as 500ms, 10s or 2m".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}
