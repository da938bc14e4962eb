//! Databases at Supabase, by its management API: one project each.
//!
//! A project has no metadata, so its name ([`Mark`]) stores the resource, the generation that changed it last, and
//! whether it is adopted. Work that takes minutes is reported as in progress and polled with growing delays.

mod api;
mod awake;
mod config;
mod failure;
mod name;
mod progress;
mod project;
mod provider;
mod verbs;

pub use awake::Awake;
pub use config::Config;
pub use failure::Failed;
pub use name::Mark;
pub use provider::{KINDS, Supabase};
