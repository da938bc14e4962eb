//! The report of a coverage: human and JSON lines.

mod human;
mod json;

pub use human::human;
pub use json::json;
