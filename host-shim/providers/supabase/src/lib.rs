//! Databases at Supabase, by its management API: a project each.
//!
//! A project takes no metadata, so its name says whose it is, which generation of the effect changed it last, and whether a
//! person made it ([`Mark`]). What Supabase works on for minutes is in progress, and looked at less and less often.

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
