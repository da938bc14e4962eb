//! Replays scenarios and raw event streams, checks their expectations and reports the results.

pub mod check;
pub mod claim;
pub mod command;
pub mod diff;
pub mod inputs;
pub mod library;
pub mod line;
pub mod live;
mod loaded;
pub mod local_stripe;
mod names;
#[cfg(feature = "native")]
pub mod native;
mod outputs;
pub mod parallel;
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
#[cfg(feature = "local-stripe")]
pub mod stripe;
pub mod tally;
pub mod unmakeable;
pub mod view;

pub use host_engine::time;
