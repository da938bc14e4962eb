//! What a body may be, and where a signed one goes that is no JSON object.

use crate::json::{Document, JsonError, JsonKind};
use sha2::{Digest, Sha256};
use std::fmt;

/// Largest body in bytes. Genuine events reach 900 KB; nothing that Stripe sends comes near 1 MiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of a body. Genuine events stay below 20; the extension's parser recurses.
pub const DEPTH_MAX: usize = 64;

/// A body that is larger than [`BODY_BYTES_MAX`]; answered 413.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("body too large: {bytes} bytes, at most {BODY_BYTES_MAX} are read")]
pub struct TooLarge {
    /// Bytes that were announced or read so far.
    pub bytes: u64,
}

/// Check an announced or a counted length before anything is computed over the body.
///
/// # Errors
/// [`TooLarge`] above [`BODY_BYTES_MAX`].
pub fn check_length(bytes: u64) -> Result<(), TooLarge> {
    if bytes > BODY_BYTES_MAX as u64 { Err(TooLarge { bytes }) } else { Ok(()) }
}

/// Why a body is no JSON object that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// It is not JSON, or nested too deeply.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is JSON, but something else.
    #[error("expected an object, found {0}")]
    Other(JsonKind),
}

/// An authentic body that is no JSON object: never an event, kept for an operator and answered 400.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("quarantined sha256:{sha256}: {cause}")]
pub struct Quarantined {
    /// SHA-256 of the bytes, lower-case hex; identifies them.
    pub sha256: String,
    /// What is wrong with them.
    pub cause: NotAnObject,
    /// The bytes as they came.
    pub bytes: Vec<u8>,
}

impl Quarantined {
    pub(crate) fn new(bytes: Vec<u8>, cause: NotAnObject) -> Self {
        Quarantined { sha256: sha256(&bytes), cause, bytes }
    }
}

/// Without the bytes, which may hold a customer's data.
impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantined")
            .field("sha256", &self.sha256)
            .field("cause", &self.cause)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Parse a body whose root must be an object.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Document<'_>, NotAnObject> {
    let document = Document::parse(bytes)?;
    match document.root().kind() {
        JsonKind::Object => Ok(document),
        other => Err(NotAnObject::Other(other)),
    }
}
