//! The errors of an export.

use host_scenario::error::ReplayError;
use host_scenario::model::write::Unwritable;
use host_store::StoreError;

/// An error of an export. A replay with another result is not an error: the verdict reports it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store has no such account, event or business.
    #[error("the store has no {what}; expected {expected}")]
    Nothing {
        /// The missing item.
        what: String,
        /// The existing items.
        expected: String,
    },
    /// A scenario file can't express a recorded value.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The store failed, the business is invalid, or the scenario can't be run.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl ExportError {
    /// Returns true if the caller's input is wrong: exit code 2.
    pub fn is_bad_input(&self) -> bool {
        match self {
            ExportError::Nothing { .. } => true,
            ExportError::Unwritable(_) => false,
            ExportError::Replay(error) => error.is_bad_input(),
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        ExportError::Replay(error.into())
    }
}
