//! The engine: runs an extension over a store, and carries out its effects.
//!
//! The [`processor`] runs an event: the extension reads the account through a [`snapshot`], and [`decision`] turns its decision
//! into store changes. The [`outbox`] carries out effects and returns results as events. [`view`] returns the state as JSON,
//! [`writer`] is the thread that serves several callers, and [`turns`] is the queue in which they wait.

pub mod bundle;
pub mod catalog;
mod check;
pub mod clock;
pub mod decision;
mod host;
pub mod outbox;
mod payment_event;
pub mod processor;
pub mod read;
pub mod remote;
pub mod show;
pub mod snapshot;
pub mod time;
pub mod turns;
pub mod view;
pub mod writer;

pub use host::{Host, Saved};
