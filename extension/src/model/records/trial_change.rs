//! A change of a trial's end by an operator, with its reason.

use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum number of stored changes of a trial.
const CHANGES_MAX: usize = 32;

/// A change of a trial's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrialChange {
    /// Time of the command.
    pub at: Timestamp,
    /// The operator.
    pub by: String,
    /// The end from then on.
    pub until: Timestamp,
    /// Why; `None` after the erasure of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Adds a change. The oldest ones are dropped.
pub(crate) fn add(changes: &mut Vec<TrialChange>, change: TrialChange) {
    changes.push(change);
    if changes.len() > CHANGES_MAX {
        changes.remove(0);
    }
}
