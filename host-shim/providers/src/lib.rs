//! What carries an effect out: the provider trait, the registry that picks one, and the scripted provider.
//!
//! A provider never sees the store and decides nothing. It gets a [`Call`] and gives an [`Answer`]; the executor keeps
//! attempts, backoff and deadlines. The same key and generation may be called again at any time, after a crash above all.

mod call;
pub mod conformance;
mod provider;
pub mod scripted;

pub use call::{Answer, Call};
pub use provider::{Provider, Registry};
