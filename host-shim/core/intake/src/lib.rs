//! Verifies the bytes of a webhook, and turns them into an event of limited size.
//!
//! Pure functions: no I/O, no clock. [`receive`] handles a webhook delivery of Stripe, [`webhook::receive`] a delivery
//! of another service, and [`raw::read`] an unsigned file. Every input gets a result in bounded time and memory. An
//! authentic event is never lost: an invalid event gets a refusal, and the host stores it as `rejected`.

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

/// The reason why a delivery does not become an event. The messages do not reveal to the sender why a signature or a
/// body is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The body is too long.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The delivery is not authentic: it is only counted, not stored.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The delivery is authentic, but not a JSON object: its bytes go to quarantine.
    #[error("body not valid")]
    Quarantined(Box<Quarantined>),
}

impl Refused {
    /// Returns the HTTP status of the response.
    pub fn status(&self) -> u16 {
        match self {
            Refused::TooLarge(_) => 413,
            Refused::Signature(_) | Refused::Quarantined(_) => 400,
        }
    }
}

/// Turns a Stripe delivery into an event. Checks length, signature and JSON, in this order. `business` is the business
/// of the endpoint, `headers` are all `Stripe-Signature` headers of the request, and `now` becomes `received_at`.
///
/// # Errors
/// Fails with [`Refused`] if a check fails.
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
