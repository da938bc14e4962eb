//! Stories of any business, with their expectations.

use crate::catalog::Catalog;
use crate::moves::Move;
use crate::trade::MoveKind;
pub use host_simulate::traders::CheckedStory;

/// Plays moves around a new account and returns the story with its expectations.
pub fn checked_story(catalog: &Catalog, name: &str, moves: &[Move<MoveKind>]) -> CheckedStory {
    host_simulate::traders::checked_story(catalog, name, moves).expect("the local Stripe sells what the fixtures sell")
}
