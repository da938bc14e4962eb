//! Subscriptions of the account, one row for each subscription at the payment source.

use crate::types::{Json, RowVersion, Timestamp};
use serde::{Deserialize, Serialize};

/// Status of a subscription, with the payment source's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// The first payment is not complete.
    Incomplete,
    /// The first payment was never made; final.
    IncompleteExpired,
    /// In its trial.
    Trialing,
    /// In good standing.
    Active,
    /// A renewal payment failed and is retried.
    PastDue,
    /// Ended; final.
    Canceled,
    /// The payment retries are exhausted.
    Unpaid,
    /// The trial ended without a payment method.
    Paused,
}

/// Rank of a snapshot among snapshots of the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotRank {
    /// From a `created` event.
    Created,
    /// From an `updated` event.
    Updated,
    /// Retrieved from the payment source.
    Retrieved,
    /// From a `deleted` event.
    Deleted,
}

/// Identifies the version of a payment source's object from which a row was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The payment source's time of the snapshot.
    pub at: Timestamp,
    /// Rank within that second.
    pub rank: SnapshotRank,
    /// Id of the event that delivered it. Only for people who read the row; it never decides the order.
    pub event_id: String,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionItem {
    /// The payment source's id of the item.
    pub id: String,
    /// The payment source's id of the price.
    pub price_id: String,
    /// Number of units.
    pub quantity: u32,
    /// Start of the paid period.
    pub period_start: Timestamp,
    /// End of the paid period.
    pub period_end: Timestamp,
}

/// The writable part of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionValues {
    /// The payment source's id of the customer.
    pub customer_id: String,
    /// Status.
    pub status: SubscriptionStatus,
    /// Items, each with its own period.
    pub items: Vec<SubscriptionItem>,
    /// Whether it ends with the billing period.
    pub cancel_at_period_end: bool,
    /// When it will end, if set.
    pub cancel_at: Option<Timestamp>,
    /// End of the trial.
    pub trial_end: Option<Timestamp>,
    /// End of the grace period after a failed payment.
    pub grace_end: Option<Timestamp>,
    /// The snapshot that these values are from.
    pub snapshot: Snapshot,
    /// The extension's own data, as a JSON object.
    pub metadata: Json,
}

/// A stored subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The payment source's id, or the extension's own if there is none.
    pub id: String,
    /// Values.
    pub values: SubscriptionValues,
    /// Version.
    pub version: RowVersion,
}
