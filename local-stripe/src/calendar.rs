//! Computes billing dates. Months are counted from the anchor, so an anchor on the 31st returns to the 31st after
//! February.

use jiff::civil::{Date, Time};
use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::Value;

/// Seconds in a day.
pub const DAY_S: i64 = 86_400;
/// Seconds in an hour.
pub const HOUR_S: i64 = 3_600;

/// Returns the time `count` intervals (`day`, `week`, `month` or `year`) after the anchor, in Unix seconds. A day that
/// the month does not have becomes the month's last day.
pub fn add(anchor_s: i64, interval: &str, count: i64) -> i64 {
    let days = match interval {
        "day" => Some(1),
        "week" => Some(7),
        _ => None,
    };
    if let Some(days) = days {
        return anchor_s.saturating_add(days * DAY_S * count);
    }
    let months = if interval == "year" { 12 } else { 1 } * count;
    let moved = Timestamp::from_second(anchor_s).ok().and_then(|t| {
        let zoned = t.to_zoned(TimeZone::UTC);
        let span = Span::new().try_months(months).ok()?;
        Some(zoned.checked_add(span).ok()?.timestamp().as_second())
    });
    // jiff's calendar ends with the year 9999; the largest integer stands for a time that never comes.
    moved.unwrap_or(i64::MAX)
}

/// Returns the interval of a recurring price and its count.
pub fn interval(price: &Value) -> (&str, i64) {
    let recurring = &price["recurring"];
    let interval = recurring["interval"].as_str().unwrap_or("month");
    (interval, recurring["interval_count"].as_i64().unwrap_or(1).max(1))
}

/// Returns the time `count` intervals of a price after a start, in Unix seconds.
pub fn after(start_s: i64, price: &Value, count: i64) -> i64 {
    let (interval, each) = interval(price);
    add(start_s, interval, each * count)
}

/// A day of each month or year, in UTC. Parts that are not given are taken from the time to which it is applied.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    /// The month, 1 to 12; none for every month.
    pub month: Option<i64>,
    /// The day, 1 to 31; in a shorter month, its last day.
    pub day: i64,
    /// The hour, the minute and the second.
    pub time: [Option<i64>; 3],
}

impl Day {
    /// Returns the first such time after `after_s`, in Unix seconds.
    pub fn first_after(self, after_s: i64) -> Option<i64> {
        let (date, time) = self.split(after_s)?;
        // This month and the thirteen after it contain each month of the year and one further date.
        (0..=13).find_map(|months| {
            let month = date.first_of_month().checked_add(Span::new().months(months)).ok()?;
            let is_wanted = self.month.is_none_or(|wanted| wanted == i64::from(month.month()));
            let day = self.day.min(i64::from(month.days_in_month()));
            let found = at(month, day, time)?;
            (is_wanted && found > after_s).then_some(found)
        })
    }

    /// Returns this day in the month of a time; none if the month has no such day.
    pub fn in_month_of(self, time_s: i64) -> Option<i64> {
        let (date, time) = self.split(time_s)?;
        at(date.first_of_month(), self.day, time)
    }

    fn split(self, time_s: i64) -> Option<(Date, Time)> {
        let moment = Timestamp::from_second(time_s).ok()?.to_zoned(TimeZone::UTC).datetime();
        let [hour, minute, second] = self.time.map(|part| part.and_then(|part| i8::try_from(part).ok()));
        let own = moment.time();
        // If an hour is given, its minutes and seconds default to zero.
        let rest = |part: Option<i8>, own: i8| part.unwrap_or(if hour.is_some() { 0 } else { own });
        let time =
            Time::new(hour.unwrap_or(own.hour()), rest(minute, own.minute()), rest(second, own.second()), 0).ok()?;
        Some((moment.date(), time))
    }
}

/// Returns the time of a day in a month, in Unix seconds; none if the month has no such day.
fn at(month: Date, day: i64, time: Time) -> Option<i64> {
    let date = Date::new(month.year(), month.month(), i8::try_from(day).ok()?).ok()?;
    Some(date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Returns the first billing date after `after_s`, counted from the anchor. All times are in Unix seconds.
pub fn next_after(anchor_s: i64, interval: &str, interval_count: i64, after_s: i64) -> i64 {
    let step = interval_count.max(1);
    let mut steps = steps_before(anchor_s, interval, step, after_s);
    loop {
        let date = add(anchor_s, interval, steps * step);
        if date > after_s {
            return date;
        }
        steps += 1;
    }
}

/// Returns the last billing date before `before_s`, counted from the anchor. All times are in Unix seconds.
pub fn last_before(anchor_s: i64, interval: &str, interval_count: i64, before_s: i64) -> i64 {
    let step = interval_count.max(1);
    let mut steps = steps_before(anchor_s, interval, step, before_s);
    let mut last = add(anchor_s, interval, steps * step);
    loop {
        steps += 1;
        let date = add(anchor_s, interval, steps * step);
        if date >= before_s {
            return last;
        }
        last = date;
    }
}

/// Returns a number of intervals that leads from the anchor to a time shortly before `at_s`, so that the search for the right number is
/// short. The number is negative for times before the anchor.
fn steps_before(anchor_s: i64, interval: &str, step: i64, at_s: i64) -> i64 {
    let unit_s = match interval {
        "day" => DAY_S,
        "week" => 7 * DAY_S,
        "year" => 366 * DAY_S,
        _ => 31 * DAY_S,
    };
    let steps = (at_s - anchor_s) / (unit_s * step);
    // Before the anchor, shorter months mean more steps.
    if steps < 0 { steps * 12 / 10 - 2 } else { steps - 1 }
}

/// Formats a date like `15 Nov 2026`, as Stripe does in invoice lines.
pub fn date_text(time_s: i64) -> String {
    Timestamp::from_second(time_s).map(|t| t.strftime("%-d %b %Y").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        format!("{text}T00:00:00Z").parse::<Timestamp>().unwrap().as_second()
    }

    //
    #[test]
    fn months_are_clamped_to_their_last_day_and_return_to_the_anchor() {
        let anchor = at("2026-01-31");
        let feb = next_after(anchor, "month", 1, anchor);
        assert_eq!(feb, at("2026-02-28"));
        assert_eq!(next_after(anchor, "month", 1, feb), at("2026-03-31"));
        assert_eq!(add(at("2024-02-29"), "year", 1), at("2025-02-28"));
        assert_eq!(next_after(anchor, "month", 3, at("2026-05-01")), at("2026-07-31"));
    }

    #[test]
    fn the_dates_around_a_time_are_those_of_a_list_that_is_counted_from_the_anchor() {
        for (interval, count) in [("day", 1), ("week", 2), ("month", 1), ("month", 3), ("year", 1)] {
            for anchor in ["2027-01-31", "2028-02-29", "2027-10-31", "2030-05-15"].map(at) {
                let dates: Vec<i64> = (-6_000..6_000).map(|step| add(anchor, interval, step * count)).collect();
                for at in ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-01", "2029-02-28", "2031-07-01"].map(at) {
                    let place = dates.partition_point(|date| *date < at);
                    let (last, next) = (dates[place - 1], *dates[place..].iter().find(|date| **date > at).unwrap());
                    let words = format!("{count} {interval} from {} at {}", date_text(anchor), date_text(at));
                    assert_eq!(last_before(anchor, interval, count, at), last, "before: {words}");
                    assert_eq!(next_after(anchor, interval, count, at), next, "after: {words}");
                }
            }
        }
    }

    #[test]
    fn a_distant_anchor_gives_the_next_date() {
        let anchor = at("2000-01-15");
        assert_eq!(next_after(anchor, "day", 1, at("2026-11-01")), at("2026-11-02"));
        assert_eq!(next_after(anchor, "month", 1, at("2026-11-15")), at("2026-12-15"));
        // With an anchor in the future, the next date may be before the anchor.
        assert_eq!(next_after(at("2026-12-15"), "month", 1, at("2026-11-01")), at("2026-11-15"));
        assert_eq!(date_text(anchor), "15 Jan 2000");
    }
}
