//! A site: one business in one mode on a server.
//!
//! A [`Site`] has a writer, which decides and commits; threads that call providers ([`calls`]); threads that answer
//! questions, each with its own reader and extension ([`questions`]); callers that wait for a reply ([`replies`]); and
//! sweeps for lost deliveries ([`sweep`]). It knows nothing about HTTP.

pub mod calls;
pub mod news;
mod observer;
pub mod questions;
mod replies;
mod running;
pub mod sweep;
mod types;

pub use observer::Observer;
pub use running::{MakeRunner, Site, SiteError, SiteLimits, SiteSetup};
pub use types::ProductType;
