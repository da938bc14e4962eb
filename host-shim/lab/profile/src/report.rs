//! A profile as people and programs read it.

mod human;
mod json;

pub use human::human;
pub use json::json;
