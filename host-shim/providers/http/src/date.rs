//! `Date` and `Retry-After`, as HTTP writes times.

use jiff::fmt::rfc2822::DateTimeParser;

/// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since the epoch; none if it is written in any other way.
pub(crate) fn read(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(|time| time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_and_anything_else_is_none() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        for wrong in ["", "now", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
