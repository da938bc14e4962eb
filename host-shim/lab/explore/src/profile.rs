//! Measures the fuel of a component while it processes scenarios or recorded events: by event kind (exact) and by
//! function (estimated from samples of the stack), alone or compared with another component.
//!
//! Depends on the contract only, not on an extension: it knows event kinds and the function names in the component.

pub mod difference;
pub mod flamegraph;
mod measured;
mod meter;
mod report;
mod run;
pub mod stacks;

pub use measured::{Measured, NOT_SEEN};
pub use meter::{QUESTIONS, START, Spent};
pub use report::{human, json};
pub use run::{Profile, ProfileOptions, Rounds, profile};
