//! Conversion of times between milliseconds since the epoch (contract) and RFC 3339 (JSON).
//!
//! Implemented here because a date library takes 75 kB of the component. Tests compare the results with a date library.

use extension_contract::Timestamp;

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Milliseconds in an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Days for which Stripe tries to deliver an event.
pub(crate) const DELIVERY_DAYS: u32 = 3;

/// Bytes of a date in RFC 3339.
const DATE_BYTES: usize = 10;

/// First and last millisecond that RFC 3339 can express, of the years 0000 to 9999.
const FIRST: Timestamp = -62_167_219_200_000;
const LAST: Timestamp = 253_402_300_799_999;

/// Converts Stripe's seconds to milliseconds; `None` on overflow.
pub(crate) fn from_seconds(seconds: i64) -> Option<Timestamp> {
    seconds.checked_mul(1000)
}

/// Formats a time as RFC 3339 in UTC, or as a plain number outside of the years 0000 to 9999.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    if !(FIRST..=LAST).contains(&at) {
        return at.to_string();
    }
    let (year, month, day) = civil(at.div_euclid(DAY_MS));
    let ms = at.rem_euclid(DAY_MS);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if ms != 0 {
        text.push_str(format!(".{ms:03}").trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Converts days since 1970-01-01 to year, month and day of the Gregorian calendar. The computation begins years in
/// March, so that a leap day is the last day of its year and the months before it have fixed lengths.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    const DAYS_BEFORE_1970: i64 = 719_468;
    let days = days + DAYS_BEFORE_1970;
    let era = days.div_euclid(DAYS_OF_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Returns the days from 1970-01-01 to the first day of a month, the inverse of [`civil`].
fn days_to(year: i64, month: i64) -> i64 {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    const DAYS_BEFORE_1970: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_OF_400_YEARS + day_of_era - DAYS_BEFORE_1970
}

/// Returns the first moment of the day (UTC) that contains a time.
pub(crate) fn day_of(at: Timestamp) -> Timestamp {
    at.saturating_sub(at.rem_euclid(DAY_MS))
}

/// Returns the date of a time: `2026-01-31`.
pub(crate) fn date(at: Timestamp) -> String {
    let mut text = rfc3339(at);
    text.truncate(DATE_BYTES);
    text
}

/// Returns the start of the calendar month (UTC) that contains a time, and the start of the next month. Clamps times
/// outside of the years 0000 to 9999.
pub(crate) fn month_of(at: Timestamp) -> (Timestamp, Timestamp) {
    let (year, month, _) = civil(at.clamp(FIRST, LAST).div_euclid(DAY_MS));
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_to(year, month) * DAY_MS, days_to(next_year, next) * DAY_MS)
}

/// Parses RFC 3339 text to whole milliseconds. A leap second is read as the second after it.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    if !is_rfc3339(text) {
        return None;
    }
    // The form was checked, so each part has a fixed position.
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let rest = text.get(19..)?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone);
    let ms = format!("{:0<3.3}", fraction.trim_start_matches('.')).parse::<i64>().ok()?;
    let offset = match (zone.get(1..3), zone.get(4..6)) {
        (Some(hours), Some(minutes)) => {
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        _ => 0,
    };
    let days = days_to(year, month) + day - 1;
    Some(days * DAY_MS + ((hour * 60 + minute - offset) * 60 + second) * 1_000 + ms)
}

/// Returns the id of the month of a time, such as `2026-01`.
pub(crate) fn month_id(at: Timestamp) -> String {
    rfc3339(at)[..7].to_owned()
}

/// Returns whether a text is an RFC 3339 date and time, including leap seconds.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else { return false };
    let [year, month, day] = match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => [(*year, 4), (*month, 2), (*day, 2)].map(|(text, digits)| number(text, digits)),
        _ => return false,
    };
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    if !(1..=days).contains(&day) {
        return false;
    }
    let Some(at) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, offset) = time.split_at(at);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, digits)| (clock, Some(digits)));
    if fraction.is_some_and(|digits| digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let [hour, minute, second] = match clock.split(':').collect::<Vec<_>>().as_slice() {
        [hour, minute, second] => [*hour, *minute, *second].map(|text| number(text, 2)),
        _ => return false,
    };
    let within = |value: Option<u32>, most: u32| value.is_some_and(|value| value <= most);
    if !(within(hour, 23) && within(minute, 59) && within(second, 60)) {
        return false;
    }
    match offset.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':')) {
        Some((hours, minutes)) => within(number(hours, 2), 23) && within(number(minutes, 2), 59),
        None => offset == "Z" || offset == "z",
    }
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Adds whole days to a time, saturating.
pub(crate) fn plus_days(at: Timestamp, days: u32) -> Timestamp {
    at.saturating_add(i64::from(days) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_outside_of_the_calendar_are_formatted_as_numbers() {
        assert_eq!(rfc3339(FIRST), "0000-01-01T00:00:00Z");
        assert_eq!(rfc3339(LAST), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(FIRST - 1), (FIRST - 1).to_string());
        assert_eq!(rfc3339(LAST + 1), (LAST + 1).to_string());
    }

    #[test]
    fn is_rfc3339_rejects_impossible_dates() {
        for good in ["2024-02-29T00:00:00Z", "2026-01-01t23:59:60.5+05:30", "2000-02-29 00:00:00z"] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in [
            "",
            "2026-01-01",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00+0530",
            "2026-01-01T00:00:00+24:00",
            "26-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zulu",
            "+026-01-01T00:00:00Z",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }

    /// Generates a time that jiff can express: jiff's last time is on the day before [`LAST`].
    fn times() -> impl Strategy<Value = i64> {
        prop_oneof![FIRST..=LAST.min(jiff::Timestamp::MAX.as_millisecond()), 0i64..4_102_444_800_000]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn month_of_agrees_with_jiff(at in times()) {
            let time = jiff::Timestamp::from_millisecond(at).expect("within the calendar").to_zoned(jiff::tz::TimeZone::UTC);
            let first = time.first_of_month().and_then(|day| day.start_of_day()).expect("a day");
            let (start, end) = month_of(at);
            prop_assert_eq!(start, first.timestamp().as_millisecond());
            prop_assert_eq!(end, start + i64::from(time.days_in_month()) * DAY_MS);
        }

        #[test]
        fn rfc3339_agrees_with_jiff(at in times()) {
            let time = jiff::Timestamp::from_millisecond(at).expect("within the calendar");
            let text = rfc3339(at);
            prop_assert_eq!(&text, &time.to_string());
            prop_assert!(is_rfc3339(&text));
            prop_assert_eq!(parse_rfc3339(&text), Some(at));
        }

        #[test]
        fn parse_rfc3339_with_an_offset_agrees_with_jiff(
            // Before 1970, jiff rounds fractions of a millisecond in the other direction.
            at in 2 * DAY_MS..4_102_444_800_000, minutes in -1_439i64..=1_439, digits in 0usize..=9,
        ) {
            let time = jiff::Timestamp::from_millisecond(at).expect("within the calendar");
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
            let local = time.to_string();
            let (clock, _) = local.split_at(19);
            let fraction = if digits == 0 { String::new() } else { format!(".{}", &"987654321"[..digits]) };
            let text = format!("{clock}{fraction}{sign}{hours:02}:{minutes:02}");
            let read: jiff::Timestamp = text.parse().expect("RFC 3339");
            prop_assert_eq!(parse_rfc3339(&text), Some(read.as_millisecond()), "{}", text);
        }
    }
}
