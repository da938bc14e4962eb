//! Prints approximately how long a command will take, before it starts working.
//!
//! The times per unit of work are those of a processor of 2023, for a component of this project's size. They only need
//! to distinguish seconds, minutes and hours.

use indicatif::ProgressBar;
use std::time::Duration;

/// Time to play a scenario once in one API version, including its checks.
pub(crate) const CASE: Duration = Duration::from_millis(10);
/// Time to play an input: a scenario or a file of raw events. Most inputs are scenarios in two API versions.
pub(crate) const INPUT: Duration = Duration::from_millis(20);
/// Time to simulate one day of one customer.
pub(crate) const DAY_OF_CUSTOMER: Duration = Duration::from_millis(2);

/// An amount of work and its estimated time.
#[derive(Debug)]
pub(crate) struct Estimate {
    /// Number and name of the units.
    pub(crate) work: String,
    pub(crate) time: Duration,
    /// The time after which the command stops; none if it has no such limit.
    pub(crate) budget: Option<Duration>,
}

impl Estimate {
    /// Returns an estimate for work without a time limit. `each` is the time per unit.
    pub(crate) fn new(count: usize, unit: &str, each: Duration) -> Estimate {
        let plural = if count == 1 { "" } else { "s" };
        Estimate { work: format!("{count} {unit}{plural}"), time: times(each, count), budget: None }
    }

    /// Prints the estimate above the progress bar if the bar is on a terminal, and nothing otherwise.
    pub(crate) fn print(&self, bar: &ProgressBar) {
        bar.println(self.line());
    }

    fn line(&self) -> String {
        match self.budget.filter(|budget| *budget < self.time) {
            Some(budget) => format!("{}: stops after {}", self.work, text(budget)),
            None => format!("{}: takes about {}", self.work, text(self.time)),
        }
    }
}

/// Returns the time for `count` units of work. `each` is the time per unit.
pub(crate) fn times(each: Duration, count: usize) -> Duration {
    each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Formats a time for people, rounded to a few digits.
fn text(time: Duration) -> String {
    match time.as_secs() {
        0..10 => "a few seconds".to_owned(),
        seconds @ 10..90 => format!("{} seconds", seconds / 10 * 10),
        seconds @ 90..7_200 => format!("{} minutes", (seconds + 30) / 60),
        seconds => format!("{} hours", (seconds + 1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_names_the_work_and_the_time() {
        let line = |count, millis| Estimate::new(count, "scenario", Duration::from_millis(millis)).line();
        assert_eq!(line(1, 10), "1 scenario: takes about a few seconds");
        assert_eq!(line(350, 100), "350 scenarios: takes about 30 seconds");
        assert_eq!(line(350, 300), "350 scenarios: takes about 2 minutes");
        assert_eq!(line(1_000_000, 1_000), "1000000 scenarios: takes about 278 hours");
    }

    #[test]
    fn a_shorter_budget_is_named_in_place_of_the_time() {
        let line = |seconds| {
            let estimate = Estimate::new(600, "scenario", Duration::from_secs(1));
            Estimate { budget: Some(Duration::from_secs(seconds)), ..estimate }.line()
        };
        assert_eq!(line(60), "600 scenarios: stops after 60 seconds");
        assert_eq!(line(3_600), "600 scenarios: takes about 10 minutes");
    }
}
