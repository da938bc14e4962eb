//! The reports of a comparison.

mod human;
mod json;
mod junit;

pub use human::human;
pub use json::json;
pub use junit::junit;
