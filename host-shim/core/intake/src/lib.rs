//! From bytes to an authentic, bounded envelope.
//!
//! Nothing here does I/O or reads a clock: bytes, configuration and the time come in, a decision goes out. [`receive`] is
//! the whole way of a webhook delivery of Stripe, and [`webhook::receive`] of one of another provider; [`raw::read`] reads what a file holds, unsigned, with the same decoder. Every byte
//! string gets an answer in bounded time and memory, and an authentic event is never lost: what can't be applied comes out as
//! an envelope with a refusal beside it, to be stored and recorded as `rejected`.

pub mod body;
pub mod envelope;
pub mod headers;
pub mod json;
pub mod raw;
mod reader;
pub mod request;
pub mod signature;
#[cfg(feature = "testing")]
pub mod testing;
pub mod webhook;

pub use envelope::Decoded;
pub use signature::{EndpointSecret, EndpointSecrets, Mode, SecretConfig};

use body::{Quarantined, TooLarge};
use extension_contract::Timestamp;
use signature::SignatureError;

/// Why a delivery does not become an event. No variant's text tells the sender which part failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too long to be looked at.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Not authentic: no row, only a counter.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Authentic, but no JSON object: its bytes are to be kept apart.
    #[error("body not valid")]
    Quarantined(Box<Quarantined>),
}

impl Refused {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Refused::TooLarge(_) => 413,
            Refused::Signature(_) | Refused::Quarantined(_) => 400,
        }
    }
}

/// Turn one delivery into an envelope: length, signature, then JSON, in this order. `business` is the one that the endpoint
/// names, `headers` are all `Stripe-Signature` headers of the request, and `now` becomes the event's `received_at`.
///
/// # Errors
/// [`Refused`], which says how to answer.
pub fn receive<'h>(
    business: &str,
    secrets: &EndpointSecrets,
    headers: impl IntoIterator<Item = &'h [u8]>,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Decoded, Refused> {
    body::check_length(body.len() as u64)?;
    let matched = secrets.verify(headers, &body, now)?;
    envelope::decode(body, business, Some(matched), now).map_err(|q| Refused::Quarantined(Box::new(q)))
}
