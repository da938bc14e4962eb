//! Databases at Supabase, managed through its API. Each database is a separate project.
//!
//! A project has no metadata, so its name ([`Mark`]) stores a hash of the resource's id, the latest generation that
//! changed the project, and whether the project is adopted. Work that takes minutes is reported as in progress and
//! polled with growing delays.

mod api;
mod awake;
mod config;
mod failure;
mod name;
mod open;
mod progress;
mod project;
mod provider;
mod verbs;

pub use awake::Awake;
pub use config::Config;
pub use failure::Failed;
pub use name::Mark;
pub use open::SupabaseSettings;
pub use provider::{KINDS, Supabase};
