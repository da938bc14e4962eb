//! Stories of any business, with what must come of them.

use crate::catalog::Catalog;
use crate::moves::Move;
use crate::trade::Deed;
pub use host_simulate::traders::Tale;

/// A tale of an account with that name.
pub fn tale(catalog: &Catalog, name: &str, moves: &[Move<Deed>]) -> Tale {
    host_simulate::traders::tale(catalog, name, moves).expect("the local Stripe sells what the fixtures sell")
}
