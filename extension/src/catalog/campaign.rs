//! The clause `campaigns`: how mails to many are sent. A business without it keeps no list of who could be written to.

use super::span::Span;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// How fast campaigns go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaigns {
    /// Accounts that are looked at in one batch, 1 to 500: so many mails at most.
    pub batch: u32,
    /// From one batch to the next.
    pub every: Span,
}

/// Accounts of a batch at most.
pub(crate) const BATCH_MAX: u32 = 500;
