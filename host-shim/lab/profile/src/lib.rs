//! Where a component's time and fuel go while scenarios or recorded events are played: by event kind, which is exact, and by
//! function, which is estimated from looks at its stack. Alone, or beside another component.
//!
//! *It knows the contract and no extension: what it tells apart are event kinds and the names that the compiler gave.*

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
