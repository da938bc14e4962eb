//! What a replay looks like from outside: a table for people, JSON lines, JUnit.

mod human;
mod json;
mod junit;

pub use human::{Human, render_coverage};
pub use json::Json;
pub use junit::junit;
