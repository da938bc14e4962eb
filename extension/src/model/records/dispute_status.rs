//! How far a dispute has come.

use serde::{Deserialize, Serialize};

/// Status of a dispute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    /// An inquiry of the bank; the money stays with us.
    #[default]
    Inquiry,
    /// The inquiry is closed. A later dispute of the payment is still possible.
    InquiryClosed,
    /// Awaits our response; the bank holds the money.
    Open,
    /// Decided in our favour.
    Won,
    /// Decided against us. Final.
    Lost,
}

impl DisputeStatus {
    /// Returns whether a bank holds the disputed amount.
    pub fn is_held(self) -> bool {
        matches!(self, DisputeStatus::Open | DisputeStatus::Lost)
    }
}
