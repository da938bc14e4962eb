//! The log of priced measurements: a row for each request of a rate with `log`. Requests with several meters have one row.

use super::json_record;
use crate::model::json::{is_zero, short_hash};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Ids start with a zero-padded time of this many digits, so they sort by time.
const TIME_DIGITS: usize = 15;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UsageRequest {
    /// Id of the request at its source.
    pub request: String,
    /// When it was made.
    pub at: Timestamp,
    /// Its attributes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Quantities by meter.
    pub quantities: BTreeMap<String, i64>,
    /// Cost in millionths of the currency's unit.
    pub cost_micros: i64,
    /// Part of the cost that credits paid.
    #[serde(skip_serializing_if = "is_zero")]
    pub covered_micros: i64,
    /// Part of the cost that a seller charges.
    #[serde(skip_serializing_if = "is_zero")]
    pub seller_micros: i64,
    /// The month whose invoice contains it.
    pub month: String,
}

json_record!(UsageRequest, "usage_requests", live: |_| false, references: |_| Vec::new());

impl UsageRequest {
    /// Returns the id of the row of a request.
    pub fn id_of(at: Timestamp, request: &str) -> String {
        format!("{}/{}", time_key(at), short_hash(request))
    }
}

/// Returns a text that sorts before the rows of a time and after those of earlier times.
pub(crate) fn time_key(at: Timestamp) -> String {
    format!("{:0TIME_DIGITS$}", at.max(0))
}

/// Returns the times of a filter, `START/END` in milliseconds.
pub(crate) fn between(filter: &str) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = filter.split_once('/')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_ids_is_that_of_the_times() {
        let times = [0, 5, 999, 1_767_225_600_000, 1_767_225_600_001, 9_999_999_999_999];
        for pair in times.windows(2) {
            let (early, late) = (UsageRequest::id_of(pair[0], "z"), UsageRequest::id_of(pair[1], "a"));
            assert!(early < late && time_key(pair[1]) < late && early < time_key(pair[1]), "{pair:?}");
        }
        assert_ne!(UsageRequest::id_of(5, "a"), UsageRequest::id_of(5, "b"));
        assert_eq!((between("5/7"), between("5"), between("5/x")), (Some((5, 7)), None, None));
    }
}
