//! Moves around one account of any business, generated and shrunk by proptest.

use crate::catalog::Catalog;
use crate::moves::{Move, one_of};
pub use host_simulate::trade::*;
use proptest::prelude::*;

/// Moves that begin with a purchase.
pub fn deeds(catalog: &Catalog, most: usize) -> impl Strategy<Value = Vec<Move<Deed>>> + use<> {
    let first = (any::<u8>(), any::<u16>()).prop_map(|(pick, flags)| Move { kind: Deed::Buy, pick, flags, pause: 0 });
    (first, proptest::collection::vec(one_of(&occasions(catalog)), 1..most)).prop_map(|(first, rest)| {
        let mut all = vec![first];
        all.extend(rest);
        all
    })
}
