//! The database service of the platform, as its callers see it.

/// The reason why a call of a service failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The platform's name of the error, for example `AlreadyExists`.
    pub code: String,
    /// Text for people.
    pub message: String,
}

/// Calls the block `wafer-run/database`. Requests and answers are MessagePack, structures as maps with names.
///
/// # Errors
/// A call fails with the platform's error.
pub trait Service {
    /// Calls the operation `kind`, for example `database.list`.
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError>;
}
