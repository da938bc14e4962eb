//! What the end-to-end tests share: a small model of Stripe that tells stories, and a host to play them on.
//!
//! A [`story::Story`] is written as a scenario, so that a failing one can be replayed by the command line tool as it
//! is. [`model`] makes it from a list of moves, which is what proptest generates and shrinks. [`sandbox`] has the local
//! Stripe tell the story of a customer's steps instead.

pub mod compare;
pub mod model;
pub mod play;
pub mod sandbox;
pub mod story;
pub mod watched;
pub mod world;
