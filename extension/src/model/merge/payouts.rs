//! Of an account that is paid to the newest view counts; of one second the one that holds back.

use crate::model::records::payouts::{Onboarding, Payouts};
use extension_contract::Timestamp;

/// A view of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The provider's time.
    pub at: Timestamp,
    pub onboarding: Onboarding,
}

/// Merge a view into a record.
pub(crate) fn merge(record: &mut Payouts, view: &View) {
    if let Some(known) = record.seen_at
        && (known, rank(record.onboarding)) >= (view.at, rank(view.onboarding))
    {
        return;
    }
    (record.seen_at, record.onboarding) = (Some(view.at), view.onboarding);
}

/// What holds back more comes after.
fn rank(onboarding: Onboarding) -> u8 {
    match onboarding {
        Onboarding::None => 0,
        Onboarding::Enabled => 1,
        Onboarding::Begun => 2,
        Onboarding::Restricted => 3,
    }
}
