//! Whether Stripe sells a price. The newest snapshot wins; of two snapshots of the same time, the one that withdraws
//! the price.

use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The newest known state of whether Stripe sells a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OnSale {
    /// Stripe's time in milliseconds since the epoch.
    pub at: Timestamp,
    /// True if Stripe no longer sells the price.
    pub withdrawn: bool,
}

/// Merges a snapshot into the known state, if there is one.
pub(crate) fn merge(known: Option<OnSale>, snapshot: OnSale) -> OnSale {
    known.map_or(snapshot, |known| known.max(snapshot))
}
