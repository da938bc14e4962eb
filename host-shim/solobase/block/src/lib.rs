//! The extension as a *block* of a Solobase platform, which loads core modules rather than components.
//!
//! The block is a host itself: the same processor, outbox and library as in `provisioner`, over a store in the platform's tables.
//! [`handle`] answers a request, [`lifecycle`] prepares the tables and the catalog. Nothing stays in memory between two calls. `abi`
//! is the only part that knows how a block is called; the other parts also compile for this machine, for tests.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
mod abi;
mod app;
pub mod frame;
mod http;
mod info;
mod init;
mod platform;
mod routes;
pub mod store;

pub use app::{BUNDLE, KEY_BYTES_MIN, SERVICE_KEY, STRIPE_SECRET, WEBHOOK_SECRETS, key};
pub use http::{BODY_BYTES_MAX, Request, Response};
pub use info::{NAME, info};
pub use init::lifecycle;
pub use platform::Platform;
pub use routes::handle;
