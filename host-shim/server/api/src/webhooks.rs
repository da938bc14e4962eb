//! Outgoing webhooks, signed according to Standard Webhooks.
//!
//! [`Webhooks`] contains the tables of endpoints, messages and deliveries. [`differences`] finds the changes in an account that have to
//! be reported. [`Sender`] sends what is due, with a thread for each endpoint. These modules know neither the store nor an HTTP server.

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
/// Maximum number of endpoints of all customers of a business in one mode. They do not count against operators and services.
pub const ENDPOINTS_OF_CUSTOMERS_MAX: u32 = 10_000;
/// Maximum number of endpoints of an account that are created by its customers.
pub const ENDPOINTS_OF_ACCOUNT_MAX: u32 = 5;
/// Maximum number of endpoints created by one customer, in all accounts together.
pub const ENDPOINTS_OF_MAKER_MAX: u32 = 20;
/// Maximum number of messages that wait for an endpoint. With more, it is disabled.
pub const WAITING_MAX: usize = 100_000;
/// Maximum number of an endpoint's earlier secrets that still sign.
pub const OLD_SECRETS_MAX: usize = 4;
