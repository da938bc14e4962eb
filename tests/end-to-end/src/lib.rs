//! Shared by the end-to-end tests: stories from the local Stripe, and a host to play them on.
//!
//! proptest generates and shrinks [`moves`]; [`people`] plays them on a [`sandbox`] and returns a [`story::Story`] with
//! the [`books`] of the local Stripe. [`hosts`] provides hosts, [`judged`] checks results; a failing story is written
//! as scenarios for the command line tool. The parts that a simulation needs too are in `host-simulate`.

pub mod acting;
pub mod cases;
pub mod compare;
pub mod hosts;
pub mod judged;
pub mod kept;
pub mod moves;
pub mod people;
pub mod play;
pub mod recorder;
pub mod story;
pub mod trade;
pub mod traders;
pub mod world;

pub use host_simulate::{books, catalog, done, judge, oracle, sandbox};
