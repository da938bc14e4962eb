//! What carries an effect out: the provider trait, the registry that picks one, and the scripted provider.
//!
//! A provider never sees the store and decides nothing. It gets a [`Call`] and gives an [`CallOutcome`]; the outbox keeps
//! attempts, backoff, leases and deadlines. The same key and generation may be called again at any time, after a crash
//! above all.

mod call;
pub mod conformance;
pub mod names;
mod provider;
mod resource;
pub mod scripted;
mod secrets;

pub use call::{Call, CallOutcome, Reply};
pub use provider::{Provider, Registry, Simulation};
pub use resource::{Held, ResourceId, Unlisted};
pub use secrets::{MadeSecret, SECRET_BYTES_MIN, SECRET_PREFIX, Secret, SecretAccess, SecretError, Secrets, map_texts};
