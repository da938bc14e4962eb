//! Time spans in a catalog: `15m`, `24h`, `30d`.

use crate::model::time::{DAY_MS, HOUR_MS};
use extension_contract::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// The units in milliseconds, the longest first.
const UNITS: [(char, i64); 4] = [('d', DAY_MS), ('h', HOUR_MS), ('m', 60_000), ('s', 1_000)];

/// The longest span: ten years.
const MOST: i64 = 3_660 * DAY_MS;

/// A time span from one second to ten years, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    /// Parses a number with its unit; `None` if the form is wrong or the span is out of range.
    pub(crate) fn parse(text: &str) -> Option<Span> {
        let unit = text.chars().next_back()?;
        let (_, of_one) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let digits = text.strip_suffix(unit)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let span = digits.parse::<i64>().ok()?.checked_mul(*of_one)?;
        (1..=MOST).contains(&span).then_some(Span(span))
    }

    /// A minute.
    pub(crate) const MINUTE: Span = Span(60_000);

    /// Returns a span of days.
    pub(crate) const fn days(days: u16) -> Span {
        Span(days as i64 * DAY_MS)
    }

    /// Returns a time plus this span, saturating.
    pub(crate) fn after(self, time: Timestamp) -> Timestamp {
        time.saturating_add(self.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Every span has whole seconds, so a unit is found.
        let (unit, of_one) = UNITS.iter().find(|(_, of_one)| self.0 % of_one == 0).copied().unwrap_or(('s', 1_000));
        serializer.collect_str(&format_args!("{}{unit}", self.0 / of_one))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Span::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a number and s, m, h or d, as in 24h"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_parsed_and_written_in_their_greatest_unit() {
        for (text, ms, written) in [
            ("90s", 90_000, "90s"),
            ("15m", 900_000, "15m"),
            ("24h", 86_400_000, "1d"),
            ("12h", 43_200_000, "12h"),
            ("3660d", MOST, "3660d"),
        ] {
            let span = Span::parse(text).expect(text);
            assert_eq!(span.after(0), ms, "{text}");
            assert_eq!(serde_json::to_value(span).expect("a text"), written, "{text}");
        }
        for bad in ["", "h", "0h", "1", "-1h", "1.5h", "+1h", "1w", "3661d", "99999999999999999999d", "1 h", "1ä"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }
}
