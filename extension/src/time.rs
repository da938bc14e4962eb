//! Times as the contract has them (milliseconds since the epoch) and as JSON has them (RFC 3339).

use products_contract::Timestamp;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Whole seconds of a provider in milliseconds; none where that can't be expressed.
pub(crate) fn from_seconds(seconds: i64) -> Option<Timestamp> {
    seconds.checked_mul(1000)
}

/// RFC 3339 in UTC; the number itself where the calendar ends.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(time) => time.to_string(),
        Err(_) => at.to_string(),
    }
}

/// A time some whole days later, held at the ends of the range.
pub(crate) fn plus_days(at: Timestamp, days: u32) -> Timestamp {
    at.saturating_add(i64::from(days) * DAY_MS)
}
