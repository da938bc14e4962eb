//! The reasons why a comparison stops.

use crate::facts::Kind;
use host_engine::processor::AskError;
use host_provider_api::ObjectListError;
use host_store::StoreError;

/// The reason why a comparison stopped. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Stripe does not list the objects.
    #[error("Stripe's list of {}s: {error}", .kind.name())]
    List {
        /// Kind of the objects.
        kind: Kind,
        /// The reason.
        error: ObjectListError,
    },
    /// Stripe does not return an object.
    #[error("the {} {id} at Stripe: {problem}", .kind.name())]
    Fetch {
        /// Kind of the object.
        kind: Kind,
        /// Its id.
        id: String,
        /// The reason, without secrets.
        problem: String,
    },
    /// Stripe does not list its events.
    #[error("Stripe's list of events: {0}")]
    Events(String),
    /// An object of Stripe, or an entry of a list of the extension, lacks a member.
    #[error("a {} without `{member}`", .kind.name())]
    Malformed {
        /// Kind of the object.
        kind: Kind,
        /// Name of the member.
        member: &'static str,
    },
    /// The extension does not answer.
    #[error("the lists of {account}: {error}")]
    Ask {
        /// The account.
        account: String,
        /// The reason.
        error: AskError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The temporary database failed.
    #[error("the temporary database: {0}")]
    Scratch(#[from] rusqlite::Error),
}
