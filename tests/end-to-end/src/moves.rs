//! Moves around one account of Solobase, generated and shrunk by proptest.

use host_simulate::moves::PAUSES;
use proptest::prelude::*;

/// A move with its parameters.
pub type Move<K = Kind> = host_simulate::moves::Move<K>;

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command `purchase.create`, sometimes with an instance that waits for the payment.
    Order,
    /// A checkout, or a subscription without a checkout. Its payment succeeds or fails, or it starts with a trial.
    Buy,
    /// The next period begins, and its payment succeeds or fails.
    Renew,
    /// Another attempt to pay an open invoice.
    Retry,
    /// The attempts to pay stop after weeks, and the subscription becomes unpaid or canceled.
    GiveUp,
    /// The unpaid first payment of a subscription expires.
    Expire,
    /// A change to another plan, whose invoice is due at once and is either paid or fails.
    ChangePlan,
    /// A cancellation at the end of the period, by the command `subscription.cancel` or at Stripe.
    CancelAtEnd,
    /// The withdrawal of a cancellation.
    Undo,
    /// The end of a subscription: at the end of its period if it is cancelled, otherwise at once.
    End,
    /// A refund of part of a charge, or of everything that is left.
    Refund,
    /// The command that creates an instance.
    Make,
    /// The command that deletes an instance.
    Delete,
    /// The command that retries an instance.
    TryAgain,
    /// The last event is delivered again under a different id.
    Twin,
    /// Time passes.
    Wait,
}

const KINDS: [(u32, Kind); 16] = [
    (3, Kind::Order),
    (6, Kind::Buy),
    (6, Kind::Renew),
    (4, Kind::Retry),
    (3, Kind::GiveUp),
    (2, Kind::Expire),
    (4, Kind::ChangePlan),
    (3, Kind::CancelAtEnd),
    (2, Kind::Undo),
    (4, Kind::End),
    (5, Kind::Refund),
    (5, Kind::Make),
    (2, Kind::Delete),
    (1, Kind::TryAgain),
    (3, Kind::Twin),
    (2, Kind::Wait),
];

/// One move.
pub fn a_move() -> impl Strategy<Value = Move> {
    one_of(&KINDS)
}

/// One move of one of these kinds; `weighted` gives the weight of each kind.
pub fn one_of<K: Copy + std::fmt::Debug + 'static>(weighted: &[(u32, K)]) -> impl Strategy<Value = Move<K>> + use<K> {
    let kinds = proptest::sample::select(
        weighted.iter().flat_map(|(weight, kind)| std::iter::repeat_n(*kind, *weight as usize)).collect::<Vec<_>>(),
    );
    (kinds, any::<u8>(), any::<u16>(), 0..PAUSES.len() as u8).prop_map(|(kind, pick, flags, pause)| Move {
        kind,
        pick,
        flags,
        pause,
    })
}

/// A purchase, followed by fewer than `most` other moves.
pub fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    let first = (any::<bool>(), any::<u8>(), any::<u16>()).prop_map(|(ours, pick, flags)| {
        let kind = if ours { Kind::Order } else { Kind::Buy };
        Move { kind, pick, flags, pause: 0 }
    });
    (first, proptest::collection::vec(a_move(), 1..most)).prop_map(|(first, rest)| {
        let mut all = vec![first];
        if first.kind == Kind::Order {
            all.push(Move { kind: Kind::Buy, pause: 0, ..first });
        }
        all.extend(rest);
        all
    })
}
