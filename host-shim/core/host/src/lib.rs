//! The host library: how is a [`Host`] started by `replay`, a server or a test, and how does it process events?
//!
//! The [`processor`] runs an event: the extension reads the account through a [`snapshot`], and [`decision`] turns its
//! decision into store changes. The [`outbox`] carries out effects and returns results as events. [`business`] loads a
//! business folder, [`view`] returns the state as JSON, [`writer`] is the thread that serves several callers.

pub mod bundle;
pub mod business;
pub mod catalog;
mod check;
pub mod clock;
pub mod decision;
pub mod manifest;
pub mod outbox;
pub mod processor;
mod provider_event;
pub mod read;
pub mod rehearsal;
pub mod remote;
mod running;
pub mod show;
pub mod snapshot;
pub mod time;
pub mod view;
pub mod writer;

pub use catalog::{is_accepted, is_load_at_start};
pub use host_yaml::{bad_input, guess};
pub use running::{Arrived, Host, Saved, Setup, StartError};
