//! The clause `campaigns`: how campaign mails are sent. A business without it stores no list of members.

use super::span::Span;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// The sending rate of campaigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaigns {
    /// Accounts per batch, 1 to 500, and thus the most mails per batch.
    pub batch: u32,
    /// Time between batches.
    pub every: Span,
}

/// Most accounts per batch.
pub(crate) const BATCH_MAX: u32 = 500;
