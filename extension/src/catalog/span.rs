//! Time spans in a catalog: `15m`, `24h`, `30d`. There is no other notation for a time.

use crate::model::time::{DAY_MS, HOUR_MS};
use extension_contract::Timestamp;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The units in milliseconds, the longest first.
const UNITS: [(char, i64); 4] = [('d', DAY_MS), ('h', HOUR_MS), ('m', 60_000), ('s', 1_000)];

/// The longest span: ten years.
const MOST: i64 = 3_660 * DAY_MS;

/// Parses a number with its unit as milliseconds; `None` if the form is wrong or the time is longer than [`MOST`].
fn parse(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let (_, of_one) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms = digits.parse::<i64>().ok()?.checked_mul(*of_one)?;
    (0..=MOST).contains(&ms).then_some(ms)
}

/// Beginning of the description of a span and of a delay.
const FORM: &str = "a number and s, m, h or d";

/// Returns the notation of a time that is written with a word, such as `30d` of `30 days`. `expected` describes what is
/// allowed at its place.
pub(crate) fn meant(text: &str, expected: &str) -> Option<String> {
    let at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, word) = text.split_at(at);
    let word = word.trim().to_lowercase();
    let words = ["seconds", "minutes", "hours", "days"];
    let unit = words.iter().find(|unit| !word.is_empty() && unit.starts_with(word.as_str()))?.get(..1)?;
    let written = format!("{number}{unit}");
    (expected.starts_with(FORM) && written != text && Span::parse(&written).is_some()).then_some(written)
}

/// Writes whole seconds in their greatest unit.
fn write(ms: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // Every span has whole seconds, so a unit is found.
    let (unit, of_one) = UNITS.iter().find(|(_, of_one)| ms % of_one == 0).copied().unwrap_or(('s', 1_000));
    write!(f, "{}{unit}", ms / of_one)
}

/// A time span from one second to ten years, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    /// Parses a number with its unit; `None` if the form is wrong or the span is out of range.
    pub(crate) fn parse(text: &str) -> Option<Span> {
        parse(text).filter(|ms| *ms > 0).map(Span)
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

    /// Returns a time minus this span, saturating.
    pub(crate) fn before(self, time: Timestamp) -> Timestamp {
        time.saturating_sub(self.0)
    }

    /// Returns the number of seconds.
    pub(crate) fn seconds(self) -> i64 {
        self.0 / 1_000
    }
}

/// A time span from zero to ten years, in milliseconds: the time until something happens, which may happen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(i64);

impl Delay {
    /// Returns a delay of days.
    pub(crate) const fn days(days: u16) -> Delay {
        Delay(days as i64 * DAY_MS)
    }

    /// Returns a time plus this delay, saturating.
    pub(crate) fn after(self, time: Timestamp) -> Timestamp {
        time.saturating_add(self.0)
    }

    /// Returns a time minus this delay, saturating.
    pub(crate) fn before(self, time: Timestamp) -> Timestamp {
        time.saturating_sub(self.0)
    }

    /// Returns whether nothing lies between.
    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of days; `None` if it is not a whole number.
    pub(crate) fn whole_days(self) -> Option<u32> {
        (self.0 % DAY_MS == 0).then(|| u32::try_from(self.0 / DAY_MS).ok()).flatten()
    }

    /// Returns the part of a key that identifies this delay: the number of days, or the span as written.
    pub(crate) fn key(self) -> String {
        self.whole_days().map_or_else(|| self.to_string(), |days| days.to_string())
    }

    /// Returns the delay for a person: `14 days`, or the span as it is written.
    pub(crate) fn words(self) -> String {
        self.whole_days().map_or_else(|| self.to_string(), |days| format!("{days} days"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, f)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a value from its text. A value of another type gets the same error as a text of another form.
pub(super) struct TextVisitor<T> {
    pub read: fn(&str) -> Option<T>,
    pub expected: &'static str,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(TextVisitor { read: Span::parse, expected: "a number and s, m, h or d, as in 24h" })
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| parse(text).map(Delay);
        deserializer.deserialize_str(TextVisitor { read, expected: "a number and s, m, h or d, as in 24h, or 0d" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_with_a_word_is_meant_in_the_notation() {
        let expected = "a number and s, m, h or d, as in 24h";
        for (text, notation) in [
            ("30 days", Some("30d")),
            ("1 day", Some("1d")),
            ("15 Min", Some("15m")),
            ("24 h", Some("24h")),
            ("24h", None),
            ("30", None),
            ("days", None),
            ("2 weeks", None),
            ("0 days", None),
        ] {
            assert_eq!(meant(text, expected).as_deref(), notation, "{text}");
        }
        assert_eq!(meant("30 days", "a label"), None);
    }

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

    #[test]
    fn a_delay_may_be_zero_and_is_told_in_days_if_it_has_whole_days() {
        let read = |text: &str| extension_reader::from_str::<Delay>(&format!("\"{text}\"")).ok();
        let zero = read("0d").expect("a delay");
        assert_eq!((zero.after(5), zero.is_zero(), zero.key(), zero.whole_days()), (5, true, "0".to_owned(), Some(0)));
        let days = read("72h").expect("a delay");
        assert_eq!((days, days.key(), days.words()), (Delay::days(3), "3".to_owned(), "3 days".to_owned()));
        let hours = read("36h").expect("a delay");
        assert_eq!((hours.whole_days(), hours.key(), hours.words()), (None, "36h".to_owned(), "36h".to_owned()));
        assert_eq!((hours.before(hours.after(7)), hours.is_zero()), (7, false));
        assert_eq!([read("-1d"), read("7"), read("3661d")], [None, None, None]);
    }

    #[test]
    fn a_number_without_a_unit_is_told_what_a_span_is() {
        let told = |json: &str| extension_reader::from_str::<Delay>(json).expect_err("no span").to_string();
        for json in ["3", "\"3\"", "[3]"] {
            assert!(told(json).contains("expected a number and s, m, h or d, as in 24h, or 0d"), "{}", told(json));
        }
    }
}
