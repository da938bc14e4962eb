//! What holds for each measurement, however it arrives: the fact that it was counted, and the window in which usage is billed.

use crate::model::keys::FactKey;
use crate::model::time::DAY_MS;
use extension_contract::{Timestamp, Usage};
use std::cmp::Ordering;

/// Time by which a sender's clock may be ahead, in milliseconds: as at Stripe's meters.
const AHEAD_MAX_MS: i64 = 5 * 60 * 1000;
/// Days for which usage can be reported afterwards: as at Stripe's meters.
pub(crate) const BEHIND_MAX_DAYS: u32 = 35;

/// The times in which usage is billed.
pub(crate) struct Window {
    /// The first moment.
    pub start: Timestamp,
    /// The last moment.
    pub end: Timestamp,
}

impl Window {
    /// Returns the window at a time.
    pub fn at(now: Timestamp) -> Window {
        let behind = i64::from(BEHIND_MAX_DAYS) * DAY_MS;
        Window { start: now.saturating_sub(behind), end: now.saturating_add(AHEAD_MAX_MS) }
    }

    /// Returns whether a time is before, in (`Equal`) or after the window.
    pub fn place(&self, at: Timestamp) -> Ordering {
        match (at < self.start, at > self.end) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// Returns the fact that a measurement was counted.
pub(crate) fn fact_of(usage: &Usage) -> String {
    FactKey::Usage { meter: &usage.meter, id: &usage.id }.to_string()
}
