//! Why an account can't be exported.

use extension_contract::StoreError;
use host_scenario::error::ReplayError;
use host_scenario::model::write::Unwritable;

/// Why an account can't be exported. That what was written replays otherwise is none of these: it is in the verdict.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store has nothing of it.
    #[error("the store has no {what}; expected {expected}")]
    Nothing {
        /// What was looked for.
        what: String,
        /// What there is.
        expected: String,
    },
    /// A scenario can't say it.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The store failed, the business is wrong, or what was written can't be played.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl ExportError {
    /// True where the caller gave something wrong: exit code 2.
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
