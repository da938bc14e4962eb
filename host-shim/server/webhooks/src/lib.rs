//! Outgoing webhooks, signed as Standard Webhooks says.
//!
//! [`Webhooks`] has the tables of endpoints, messages and deliveries. [`differences`] finds what has changed in an account and has to be
//! told. [`Sender`] sends what is due, each endpoint on a thread of its own. The crate knows neither the store nor an HTTP server.

mod address;
mod deliveries;
mod differences;
mod endpoints;
mod retry;
mod send;
mod sender;
mod sign;
mod tables;

pub use address::{UrlError, check_url};
pub use deliveries::{Attempt, Delivery, DeliveryState, Due, Told};
pub use differences::{Change, Seen, differences};
pub use endpoints::{Added, Changes, Endpoint, EndpointStatus, Rotation};
pub use retry::{ATTEMPTS_MAX, FAILING_MS, after};
pub use send::{HttpSender, Sent, Transport};
pub use sender::{Notices, Sender};
pub use sign::{SignError, new_secret, signature};
pub use tables::{SHAPE, Webhooks, WebhooksError};

/// Maximum number of endpoints of a business in one mode: each may occupy a thread.
pub const ENDPOINTS_MAX: u32 = 50;
/// Maximum number of endpoints of an account, so that no account takes those of all.
pub const ENDPOINTS_OF_ACCOUNT_MAX: u32 = 5;
/// Maximum number of earlier secrets of an endpoint that still sign.
pub const OLD_SECRETS_MAX: usize = 4;
