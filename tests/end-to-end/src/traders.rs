//! Stories of any business, with their expectations.

use crate::catalog::Catalog;
use crate::moves::Move;
use crate::trade::Deed;
pub use host_simulate::traders::Tale;

/// Plays moves around a new account and returns the story with its expectations.
pub fn tale(catalog: &Catalog, name: &str, moves: &[Move<Deed>]) -> Tale {
    host_simulate::traders::tale(catalog, name, moves).expect("the local Stripe sells what the fixtures sell")
}
