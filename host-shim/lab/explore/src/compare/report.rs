//! The reports of a comparison.

mod github;
mod human;
mod json;
mod junit;

pub use github::github;
pub use human::human;
pub use json::json;
pub use junit::junit;
