//! What was counted of an entitlement, by period.

use super::json_record;
use products_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Periods that are kept: this one, and those that a late measurement may be of.
const PERIODS_MAX: usize = 3;

/// A counter; its id is the entitlement's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Counter(BTreeMap<Timestamp, i64>);

impl Counter {
    /// What was counted in the period that began at a time.
    pub fn used(&self, start: Timestamp) -> i64 {
        self.0.get(&start).copied().unwrap_or(0)
    }

    /// Count more in a period. False if the period is over for so long that it is kept no more.
    pub fn add(&mut self, start: Timestamp, amount: i64) -> bool {
        if self.0.len() >= PERIODS_MAX && self.0.keys().next().is_some_and(|oldest| start < *oldest) {
            return false;
        }
        let used = self.0.entry(start).or_insert(0);
        *used = used.saturating_add(amount);
        while self.0.len() > PERIODS_MAX {
            self.0.pop_first();
        }
        true
    }
}

json_record!(Counter, "counters", live: |_| true, references: |_| Vec::new());
