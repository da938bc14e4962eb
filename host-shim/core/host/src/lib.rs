//! What `replay`, a server and tests all start: a [`Host`].
//!
//! An event goes through the [`processor`]: [`snapshot`] is what an extension sees of one account, [`decision`] what
//! becomes of its answer. What it asks for goes through the [`outbox`] to providers and comes back as an event.
//! [`business`] is the folder that says what is sold, [`view`] what is shown of it all; [`writer`] is the thread that a
//! host with several callers is driven by.

pub mod bad_input;
pub mod business;
pub mod catalog;
mod check;
pub mod clock;
pub mod decision;
pub mod guess;
pub mod manifest;
pub mod outbox;
pub mod processor;
mod provider_event;
pub mod read;
mod running;
pub mod snapshot;
pub mod time;
pub mod view;
pub mod writer;
pub mod yaml;

pub use catalog::is_load_at_start;
pub use running::{Host, Saved, Setup, StartError};
