//! What was counted of an entitlement, by period.

use super::json_record;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// Periods that are kept: this one, and those that a late measurement may be of.
const PERIODS_MAX: usize = 3;

/// A counter; its id is the entitlement's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Counter {
    /// The beginnings of periods with what was counted in each, in order of time.
    periods: Vec<(Timestamp, i64)>,
}

impl Counter {
    /// What was counted in the period that began at a time.
    pub fn used(&self, start: Timestamp) -> i64 {
        self.periods.iter().find(|(begun, _)| *begun == start).map_or(0, |(_, used)| *used)
    }

    /// Count more in a period. False if the period is over for so long that it is kept no more.
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
        assert!(!counter.add(5, 9), "older than all that are kept");
        assert!(counter.add(40, 5));
        assert_eq!([5, 10, 20, 30, 40].map(|start| counter.used(start)), [0, 0, 5, 4, 5]);
    }
}
