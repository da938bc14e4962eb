//! A subscription schedule at Stripe: planned changes of a subscription.

use super::json_record;
use crate::model::ids::{PriceId, SubscriptionId};
use extension_contract::{Reference, RowKey, Timestamp};
use serde::{Deserialize, Serialize};

/// Status of a schedule. It only moves forward, and every status in which a schedule ends is final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScheduleStatus {
    /// The first phase has not begun.
    #[default]
    NotStarted,
    /// A phase is in force.
    Active,
    /// The last phase is over.
    Completed,
    /// The schedule was detached from its subscription, which continues unchanged.
    Released,
    /// The schedule ended together with its subscription.
    Canceled,
}

/// An item of a phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PhaseItem {
    /// The price's id.
    pub price: PriceId,
    pub quantity: u32,
}

/// A period with its items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub items: Vec<PhaseItem>,
}

/// The stored fields of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SubscriptionSchedule {
    pub status: ScheduleStatus,
    /// Stripe's time of the winning snapshot, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The subscription that the schedule changes, or changed until its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// The phases, in chronological order.
    pub phases: Vec<Phase>,
}

json_record!(SubscriptionSchedule, "subscription_schedules", live: |_| false, references: |row| {
    row.subscription.iter().map(|id| Reference::Row(RowKey::Subscription(id.to_string()))).collect()
});
