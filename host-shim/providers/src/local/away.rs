//! Answers in place of instances that are not running.

use axum::http::request::Parts;
use axum::response::Response;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

/// An answer in progress. It may use timers.
pub type AwayAnswer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests to the addresses of instances that are suspended, archived or being restored.
pub trait AwayPages: Send + Sync {
    /// Answers a request to an instance. `scope` is the business, the mode and the account: `BUSINESS/MODE/ACCOUNT`.
    fn answer(&self, scope: &str, instance: &str, request: Parts) -> AwayAnswer;
}

/// A slot for the pages, which the business's server fills when it starts and empties when it stops.
#[derive(Clone, Default)]
pub struct AwaySlot(Arc<RwLock<Option<Arc<dyn AwayPages>>>>);

impl AwaySlot {
    /// Fills or empties the slot.
    pub fn set(&self, pages: Option<Arc<dyn AwayPages>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pages;
    }

    /// Returns the pages; none if no server of the business is running in this process.
    pub(crate) fn pages(&self) -> Option<Arc<dyn AwayPages>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for AwaySlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AwaySlot").field(&self.pages().is_some()).finish()
    }
}
