//! What the end-to-end tests share: stories that the local Stripe tells, and a host to play them on.
//!
//! [`moves`] are what proptest generates and shrinks. [`people`] play them on a [`sandbox`], which makes a
//! [`story::Story`] with what the local Stripe has on its [`books`] at the end. A failing story is written down as
//! scenarios that the command line tool plays. [`hosts`] says what they are played on, [`judged`] what must come of them. What a simulation needs as well comes from `host-simulate`.

pub mod acting;
pub mod cases;
pub mod compare;
pub mod hosts;
pub mod judged;
pub mod kept;
pub mod moves;
pub mod people;
pub mod play;
pub mod story;
pub mod trade;
pub mod traders;
pub mod watched;
pub mod world;

pub use host_simulate::{books, catalog, done, judge, oracle, sandbox};
