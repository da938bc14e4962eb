//! Times and spans as people write them.

use jiff::Timestamp;

/// An RFC 3339 time in milliseconds since the epoch; none if the text is no time.
pub fn parse(text: &str) -> Option<i64> {
    // jiff reads more than RFC 3339; a time that people write has one form.
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A time in RFC 3339, with milliseconds only where there are some.
pub fn text(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_string(),
        Err(_) => ms.to_string(),
    }
}

/// A span such as `90s`, `15m`, `12h` or `7d` in milliseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let ms_per_unit = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let number: i64 = text[..text.len() - 1].parse().ok().filter(|n| *n >= 0)?;
    number.checked_mul(ms_per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
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
        assert_eq!(parse_span("-7d"), None);
        assert_eq!(parse_span("7 d"), None);
        assert_eq!(parse_span("7"), None);
        assert_eq!(parse_span("d"), None);
        assert_eq!(parse_span("9223372036854775807d"), None);
    }
}
