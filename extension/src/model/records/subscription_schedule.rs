//! A schedule of the payment provider: what a subscription will change to, and when.

use super::json_record;
use extension_contract::{Reference, RowKey, Timestamp};
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// How far a schedule is: it only moves forward, and of its ends each is final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScheduleStatus {
    /// Its first phase is ahead.
    #[default]
    NotStarted,
    /// A phase of it is in force.
    Active,
    /// Its last phase is over.
    Completed,
    /// It was taken off its subscription, which goes on as it is.
    Released,
    /// It ended together with its subscription.
    Canceled,
}

/// What a phase bills.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
pub(crate) struct PhaseItem {
    /// The price's id.
    pub price: String,
    pub quantity: u32,
}

/// A span of time with its items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
pub(crate) struct Phase {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub items: Vec<PhaseItem>,
}

/// What is kept of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct SubscriptionSchedule {
    pub status: ScheduleStatus,
    /// The provider's time of the view that counts, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The subscription that it changes, or changed until it was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// In the order of their times.
    pub phases: Vec<Phase>,
}

json_record!(SubscriptionSchedule, "subscription_schedules", live: |_| false, references: |row| {
    row.subscription.iter().map(|id| Reference::Row(RowKey::Subscription(id.clone()))).collect()
});
