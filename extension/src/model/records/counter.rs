//! Usage of an entitlement of kind counter, by period.

use super::json_record;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum number of stored periods: the current period, and earlier periods for late measurements.
const PERIODS_MAX: usize = 3;

/// A counter. Its id is the entitlement's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// Start and count of each period, in chronological order.
    periods: Vec<(Timestamp, i64)>,
}

impl Counter {
    /// Returns the count of the period that begins at `start`.
    pub fn used(&self, start: Timestamp) -> i64 {
        self.periods.iter().find(|(begun, _)| *begun == start).map_or(0, |(_, used)| *used)
    }

    /// Adds to the count of a period. Returns false if the period is too old to be stored.
    pub fn add(&mut self, start: Timestamp, amount: i64) -> bool {
        match self.periods.binary_search_by_key(&start, |(begun, _)| *begun) {
            Ok(index) => self.periods[index].1 = self.periods[index].1.saturating_add(amount),
            Err(0) if self.periods.len() >= PERIODS_MAX => return false,
            Err(index) => self.periods.insert(index, (start, amount)),
        }
        if self.periods.len() > PERIODS_MAX {
            self.periods.remove(0);
        }
        true
    }
}

json_record!(Counter, "counters", live: |_| true, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_periods_are_kept() {
        let mut counter = Counter::default();
        for (start, amount) in [(20, 2), (10, 1), (20, 3), (30, 4)] {
            assert!(counter.add(start, amount));
        }
        assert!(!counter.add(5, 9), "older than all stored periods");
        assert!(counter.add(40, 5));
        assert_eq!([5, 10, 20, 30, 40].map(|start| counter.used(start)), [0, 0, 5, 4, 5]);
    }
}
