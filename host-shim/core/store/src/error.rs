//! The reasons why an operation of a store fails.

use extension_contract::ImportError;

/// The result of an operation of a store.
pub type Stored<T> = Result<T, StoreError>;

/// The reason why an operation of a store failed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The storage failed. The same operation may succeed later.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The unique index with this name already has the value.
    #[error("unique index `{0}` already has the value")]
    Taken(String),
    /// Another handle is changing the same data. The open group must go back to its mark, or be rolled back; then the same
    /// operation may succeed.
    #[error("locked: {0}")]
    Locked(String),
    /// The caller broke a rule of the operation. The same operation always fails: the caller must be corrected.
    #[error("misuse of the store: {0}")]
    Misuse(String),
}

/// The error that an extension gets from an import.
impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(text) | StoreError::Locked(text) => ImportError::Unavailable(text),
            StoreError::Taken(index) => ImportError::Taken(index),
            StoreError::Misuse(text) => ImportError::Denied(text),
        }
    }
}
