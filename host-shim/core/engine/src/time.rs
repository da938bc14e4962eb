//! Conversion of times and spans between text and milliseconds.

use jiff::Timestamp;

/// Parses an RFC 3339 time into milliseconds since the epoch; none if the string is not a time.
pub fn parse(text: &str) -> Option<i64> {
    // jiff accepts more than RFC 3339; only that form is allowed.
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Formats a time as RFC 3339, with a fraction only if it is not zero.
pub fn text(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_string(),
        Err(_) => ms.to_string(),
    }
}

/// Units of a span, with their milliseconds. The first matching unit is used, so `ms` precedes `s`.
const UNITS: [(&str, i64); 5] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

/// Parses a span such as `250ms`, `90s`, `15m`, `12h` or `7d` into milliseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let (number, ms_per_unit) = UNITS.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms)))?;
    let number: i64 = number.parse().ok().filter(|n| *n >= 0)?;
    number.checked_mul(*ms_per_unit)
}

/// Formats a span for [`parse_span`], in the longest unit that gives a whole number; a negative span becomes `0s`.
pub fn span_text(ms: i64) -> String {
    let ms = ms.max(0);
    let mut units = UNITS;
    units.sort_by_key(|(_, per_unit)| -per_unit);
    let (unit, per_unit) = units.into_iter().find(|(_, per_unit)| ms % per_unit == 0 && ms > 0).unwrap_or(("s", 1_000));
    format!("{}{unit}", ms / per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip() {
        assert_eq!(parse("2026-01-01T00:00:00Z"), Some(1_767_225_600_000));
        assert_eq!(text(1_767_225_600_000), "2026-01-01T00:00:00Z");
        assert_eq!(text(1_767_225_600_250), "2026-01-01T00:00:00.25Z");
        assert_eq!(parse("2026-01-01"), None);
        assert_eq!(parse("sub_1"), None);
    }

    #[test]
    fn spans_are_whole_units() {
        assert_eq!(parse_span("90s"), Some(90_000));
        assert_eq!(parse_span("7d"), Some(604_800_000));
        assert_eq!(parse_span("250ms"), Some(250));
        for ms in [0, 1, 250, 1_000, 90_000, 7_200_000, 86_400_000, 86_400_001] {
            assert_eq!(parse_span(&span_text(ms)), Some(ms), "{}", span_text(ms));
        }
        assert_eq!((span_text(7_200_000), span_text(90_000), span_text(0)), ("2h".into(), "90s".into(), "0s".into()));
        assert_eq!(parse_span("-7d"), None);
        assert_eq!(parse_span("7 d"), None);
        assert_eq!(parse_span("7"), None);
        assert_eq!(parse_span("d"), None);
        assert_eq!(parse_span("9223372036854775807d"), None);
    }
}
