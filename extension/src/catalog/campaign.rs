//! The clause `campaigns`: how campaign mails are sent. A business without this clause stores no list of members.

use super::span::Span;
use serde::{Deserialize, Serialize};

/// The sending rate of campaigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaigns {
    /// Number of accounts in a batch, 1 to 500. A batch sends at most one mail to each account.
    pub batch: u32,
    /// Time between batches.
    pub every: Span,
}

/// Maximum number of accounts in a batch.
pub(crate) const BATCH_MAX: u32 = 500;
