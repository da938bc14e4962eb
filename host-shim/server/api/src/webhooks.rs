//! Outgoing webhooks, signed as Standard Webhooks says.
//!
//! [`Webhooks`] has the tables of endpoints, messages and deliveries. [`differences`] finds what has changed in an account and has to be
//! told. [`Sender`] sends what is due, each endpoint on a thread of its own. The crate knows neither the store nor an HTTP server.

mod address;
mod deliveries;
mod differences;
mod endpoint;
mod endpoints;
mod heads;
mod retry;
mod send;
mod sender;
mod sign;
mod tables;

pub use address::{UrlError, check_url};
pub use deliveries::{Attempt, Delivery, DeliveryState, Told};
pub use differences::{Change, Seen, differences};
pub use endpoint::{Endpoint, EndpointStatus, Maker, Reason};
pub use endpoints::{Added, Changes, Rotation};
pub use heads::Due;
pub use retry::{ATTEMPTS_MAX, FAILING_MS, after};
pub use send::{Failure, HttpSender, Sent, Transport};
pub use sender::{Notices, Sender};
pub use sign::{SignError, new_secret, signature};
pub use tables::{SHAPE, Webhooks, WebhooksError};

/// Maximum number of endpoints of the operators and services of a business in one mode: each may occupy a thread.
pub const ENDPOINTS_MAX: u32 = 50;
/// Maximum number of endpoints of all customers of a business in one mode. They do not count for operators and services.
pub const ENDPOINTS_OF_CUSTOMERS_MAX: u32 = 10_000;
/// Maximum number of endpoints of an account that its customers make.
pub const ENDPOINTS_OF_ACCOUNT_MAX: u32 = 5;
/// Maximum number of endpoints that a customer makes, in all accounts together.
pub const ENDPOINTS_OF_MAKER_MAX: u32 = 20;
/// Maximum number of messages that wait for an endpoint; with more it is disabled.
pub const WAITING_MAX: usize = 100_000;
/// Maximum number of earlier secrets of an endpoint that still sign.
pub const OLD_SECRETS_MAX: usize = 4;
