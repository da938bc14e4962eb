//! The usage of a meter on a day, and what Stripe's meter has got of it. A day in which a billing period ends has two parts: Stripe
//! invoices what was used before and after at different times.

use super::json_record;
use crate::model::json::is_zero;
use crate::model::time::{date, day_of, rfc3339};
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The usage of a meter on a day or a part of it. Its id is the meter and the day, `requests:2026-01-31`, or the beginning of the
/// part, `requests:2026-01-31T12:00:00Z`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MeterDay {
    /// The meter.
    pub meter: String,
    /// The first moment of the day or part.
    pub start: Timestamp,
    /// Quantity that was measured.
    pub counted: i64,
    /// Quantity that Stripe's meter has accepted.
    #[serde(skip_serializing_if = "is_zero")]
    pub reported: i64,
    /// Quantity of the request that is in flight or was refused.
    #[serde(skip_serializing_if = "is_zero")]
    pub asked: i64,
    /// Number of requests that were answered. Each request has an identifier of its own at Stripe.
    #[serde(skip_serializing_if = "is_zero")]
    pub answered: i64,
    /// Whether Stripe refused the last request, so that the quantity is not billed until an operator reports it again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

impl MeterDay {
    /// Returns the id of the row of a meter and a day or part.
    pub fn id_of(meter: &str, start: Timestamp) -> String {
        format!("{meter}:{}", MeterDay::words(start))
    }

    /// Returns the day, or the beginning of the part.
    pub fn words(start: Timestamp) -> String {
        if start == day_of(start) { date(start) } else { rfc3339(start) }
    }

    /// Returns the quantity that Stripe's meter has not got and is not asked to take.
    pub fn rest(&self) -> i64 {
        self.counted.saturating_sub(self.reported).saturating_sub(self.asked)
    }
}

// A day without a rest changes only if usage comes late.
json_record!(MeterDay, "meter_days", live: |day| day.asked != 0 || day.rest() > 0, references: |_| Vec::new());
