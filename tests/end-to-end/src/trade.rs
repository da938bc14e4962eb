//! Moves around one account of any business, generated and shrunk by proptest.

use crate::catalog::Catalog;
use crate::moves::{Move, one_of};
pub use host_simulate::trade::*;
use proptest::prelude::*;

/// Generates at most `most` moves, of which the first is a purchase.
pub fn business_moves(catalog: &Catalog, most: usize) -> impl Strategy<Value = Vec<Move<MoveKind>>> + use<> {
    let first =
        (any::<u8>(), any::<u16>()).prop_map(|(pick, flags)| Move { kind: MoveKind::Buy, pick, flags, pause: 0 });
    (first, proptest::collection::vec(one_of(&possible_moves(catalog)), 1..most)).prop_map(|(first, rest)| {
        let mut all = vec![first];
        all.extend(rest);
        all
    })
}
