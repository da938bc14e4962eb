//! How far the log of a usage source is counted, and the pull that is running.

use super::{ACCOUNT, json_record};
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Time after which a pull without a result counts as lost. Its effects end earlier.
const LOST_AFTER_MS: i64 = 30 * 60 * 1000;

/// The pulls of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UsageSync {
    /// Number of the last pull.
    #[serde(skip_serializing_if = "is_zero")]
    pub number: i64,
    /// Number of the pull that is running; 0 for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub running: i64,
    /// When the last pull began, or when the account appeared.
    pub asked_at: Timestamp,
    /// The requests before this time are counted.
    pub counted_until: Timestamp,
    /// Number of new requests of the last pull.
    #[serde(skip_serializing_if = "is_zero")]
    pub new: i64,
    /// Cost of the new requests, in millionths of the currency's unit.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_micros: i64,
    /// Number of measurements of the last pull without a price. A later pull reads them again.
    #[serde(skip_serializing_if = "is_zero")]
    pub unpriced: i64,
    /// Time of the earliest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced_since: Option<Timestamp>,
    /// When a pull last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Timestamp>,
}

impl UsageSync {
    /// Id of the record: an account has only one.
    pub const ID: &'static str = "usage_sync";

    /// Returns when a pull that is still running counts as lost; `None` if none is running.
    pub fn lost_at(&self) -> Option<Timestamp> {
        (self.running != 0).then(|| self.asked_at.saturating_add(LOST_AFTER_MS))
    }

    /// Returns whether a pull is running.
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.lost_at().is_some_and(|lost_at| lost_at > now)
    }
}

json_record!(UsageSync, ACCOUNT, live: |_| true, references: |_| Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_without_a_result_blocks_others_for_half_an_hour_only() {
        let idle = UsageSync { number: 3, asked_at: 1_000, ..UsageSync::default() };
        let running = UsageSync { running: 3, ..idle.clone() };
        assert_eq!((idle.lost_at(), running.lost_at()), (None, Some(1_000 + 1_800_000)));
        assert!(
            !idle.is_running(1_000) && running.is_running(1_000 + 1_799_999) && !running.is_running(1_000 + 1_800_000)
        );
    }
}
