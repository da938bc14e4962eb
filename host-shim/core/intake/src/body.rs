//! Limits for the bodies that are accepted, and the quarantine for authentic bodies that are not JSON objects.

use crate::json::{Document, JsonError, JsonKind};
use sha2::{Digest, Sha256};
use std::fmt;

/// Maximum size of a body in bytes. Genuine Stripe events reach 900 KB, but stay well below 1 MiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Maximum nesting depth of a body, since the extension's parser is recursive. Genuine events have fewer than 20
/// levels.
pub const DEPTH_MAX: usize = 64;

/// The error for a body larger than [`BODY_BYTES_MAX`]; the HTTP status is 413.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("body too large: {bytes} bytes, expected at most {BODY_BYTES_MAX}")]
pub struct TooLarge {
    /// Announced length, or bytes read so far.
    pub bytes: u64,
}

/// Checks an announced or counted length. The server must call this function before any computation over the body.
///
/// # Errors
/// Fails with [`TooLarge`] above [`BODY_BYTES_MAX`].
pub fn check_length(bytes: u64) -> Result<(), TooLarge> {
    if bytes > BODY_BYTES_MAX as u64 { Err(TooLarge { bytes }) } else { Ok(()) }
}

/// The reason why a body is not a readable JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// The body is not JSON, or nested too deeply.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body is a JSON value, but not an object.
    #[error("expected an object, found {0}")]
    Other(JsonKind),
}

/// An authentic body that is not a JSON object. It is kept for operators; the HTTP status is 400.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("quarantined sha256:{sha256}: {cause}")]
pub struct Quarantined {
    /// SHA-256 of the bytes, lower-case hex; the identity of the body.
    pub sha256: String,
    /// The reason why the bytes are not a readable JSON object.
    pub cause: NotAnObject,
    /// Bytes as received.
    pub bytes: Vec<u8>,
}

impl Quarantined {
    pub(crate) fn new(bytes: Vec<u8>, cause: NotAnObject) -> Self {
        Quarantined { sha256: sha256(&bytes), cause, bytes }
    }
}

/// Omits the bytes, which may contain personal data.
impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantined")
            .field("sha256", &self.sha256)
            .field("cause", &self.cause)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Returns the SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Parses a body whose root must be an object.
pub fn parse_object(bytes: &[u8]) -> Result<Document<'_>, NotAnObject> {
    let document = Document::parse(bytes)?;
    match document.root().kind() {
        JsonKind::Object => Ok(document),
        other => Err(NotAnObject::Other(other)),
    }
}
