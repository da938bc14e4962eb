//! Subscriptions of the account, one row for each subscription at the provider.

use crate::types::{Json, RowVersion, Timestamp};
use serde::{Deserialize, Serialize};

/// Status: the provider's own set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// The first payment is not done.
    Incomplete,
    /// The first payment never came; final.
    IncompleteExpired,
    /// In its trial.
    Trialing,
    /// In good standing.
    Active,
    /// A renewal payment failed and is tried again.
    PastDue,
    /// Ended; final.
    Canceled,
    /// The tries are used up.
    Unpaid,
    /// The trial ended without a means of payment.
    Paused,
}

/// Rank of a snapshot among those of the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotRank {
    /// From a `created` event.
    Created,
    /// From an `updated` event.
    Updated,
    /// Read from the provider on request.
    Retrieved,
    /// From a `deleted` event.
    Deleted,
}

/// Which view of a provider's object a row shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The provider's time of the view.
    pub at: Timestamp,
    /// Rank within that second.
    pub rank: SnapshotRank,
    /// Event that brought it; for people, never for ordering.
    pub event_id: String,
}

/// One item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionItem {
    /// The provider's id.
    pub id: String,
    /// The provider's price.
    pub price_id: String,
    /// Units.
    pub quantity: u32,
    /// Start of the paid period.
    pub period_start: Timestamp,
    /// End of the paid period.
    pub period_end: Timestamp,
}

/// The part of a subscription that can be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionValues {
    /// The provider's customer.
    pub customer_id: String,
    /// Status.
    pub status: SubscriptionStatus,
    /// Items, each with its own period.
    pub items: Vec<SubscriptionItem>,
    /// True when it ends with the period.
    pub cancel_at_period_end: bool,
    /// When it will end, if that is set.
    pub cancel_at: Option<Timestamp>,
    /// End of the trial.
    pub trial_end: Option<Timestamp>,
    /// Until when service goes on although a payment failed.
    pub grace_end: Option<Timestamp>,
    /// The view that these values show.
    pub snapshot: Snapshot,
    /// The extension's own data, as a JSON object.
    pub metadata: Json,
}

/// A stored subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The provider's id, or the extension's own if there is no provider.
    pub id: String,
    /// Values.
    pub values: SubscriptionValues,
    /// Version.
    pub version: RowVersion,
}
