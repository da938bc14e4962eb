//! Scenarios and raw streams replayed, compared and reported.

pub mod beside;
pub mod check;
pub mod diff;
pub mod inputs;
pub mod library;
pub mod line;
mod mistakes;
mod names;
pub mod plan;
pub mod play;
pub mod recorded;
pub mod report;
pub mod rig;
pub mod run;
pub mod runners;
pub mod shuffle;
pub mod state;
pub mod stream;
pub mod tally;
pub mod view;
pub mod world;

pub use ::host::time;
