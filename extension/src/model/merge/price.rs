//! Whether the provider sells a price: its newest view says; of one second the one that withdraws it.

use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// What the provider said last of whether a price is on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, SmallDeserialize)]
pub(crate) struct OnSale {
    /// The provider's time, in milliseconds since the epoch.
    pub at: Timestamp,
    /// True if it no longer sells it.
    pub withdrawn: bool,
}

/// Merge a view into what is known, if anything is.
pub(crate) fn merge(known: Option<OnSale>, view: OnSale) -> OnSale {
    known.map_or(view, |known| known.max(view))
}
