//! Parses the times in the HTTP headers `Date` and `Retry-After`.

use jiff::fmt::rfc2822::DateTimeParser;

/// Parses a time such as `Sun, 06 Nov 1994 08:49:37 GMT`. Returns milliseconds since the epoch; none for any other
/// format.
pub(crate) fn read(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(|time| time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_date_is_parsed() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        for wrong in ["", "now", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
