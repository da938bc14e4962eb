//! A connected account: the newest snapshot wins; of two snapshots of the same time, the more restrictive one.

use crate::model::records::payouts::{Onboarding, Payouts};
use extension_contract::Timestamp;

/// A snapshot of a connected account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Stripe's time.
    pub at: Timestamp,
    pub onboarding: Onboarding,
}

/// Merges a snapshot into a record.
pub(crate) fn merge(record: &mut Payouts, snapshot: &View) {
    if let Some(known) = record.seen_at
        && (known, rank(record.onboarding)) >= (snapshot.at, rank(snapshot.onboarding))
    {
        return;
    }
    (record.seen_at, record.onboarding) = (Some(snapshot.at), snapshot.onboarding);
}

/// Returns the rank of a status; a more restrictive status has a higher rank.
fn rank(onboarding: Onboarding) -> u8 {
    match onboarding {
        Onboarding::None => 0,
        Onboarding::Enabled => 1,
        Onboarding::Begun => 2,
        Onboarding::Restricted => 3,
    }
}
