//! Scenarios and raw streams replayed, compared and reported.

pub mod beside;
pub mod business;
pub mod check;
pub mod diff;
pub mod error;
pub mod host;
pub mod inputs;
pub mod library;
pub mod line;
pub mod manifest;
pub mod matcher;
mod mistakes;
mod names;
pub mod path;
pub mod plan;
pub mod play;
pub mod prepare;
pub mod recorded;
pub mod report;
pub mod run;
pub mod runners;
pub mod scenario;
pub mod schema;
pub mod shapes;
pub mod shuffle;
pub mod state;
pub mod stream;
pub mod tally;
pub mod tree;
pub mod view;
pub mod world;

pub use ::host::time;
