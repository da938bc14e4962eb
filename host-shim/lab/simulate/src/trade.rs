//! Moves of the people around one account of any business, as far as its catalog gives an occasion for them.

use crate::catalog::Catalog;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A purchase by our command, a checkout made elsewhere, or a subscription made by hand; paid, failed or on trial.
    Buy,
    /// The next period begins; paid or failed.
    Renew,
    /// Another attempt at an open invoice.
    Retry,
    /// No more attempts, after weeks: unpaid, or cancelled.
    GiveUp,
    /// The first payment never came.
    Expire,
    /// Another plan of the family, paid at once.
    ChangePlan,
    /// To be cancelled at the end of the period, by our command or at Stripe's.
    CancelAtEnd,
    /// Not to be cancelled after all.
    Undo,
    /// The end of a subscription: of its period, or at once.
    End,
    /// Money goes back, in part or all that is left.
    Refund,
    /// A dispute is won or lost.
    Decide,
    /// The command that makes one of what accounts have.
    Make,
    /// The command that deletes one.
    Delete,
    /// What people do by hand is done.
    ByHand,
    /// Something is used that costs something.
    Use,
    /// A use of something that is counted.
    Count,
    /// A token is asked for.
    Issue,
    /// A token is shown.
    Redeem,
    /// A token is taken back.
    Revoke,
    /// A fact of the business's own.
    Tell,
    /// A campaign is made and sent.
    Campaign,
    /// The last event's fact once more, as an event of another id.
    Twin,
    /// Time passes.
    Wait,
}

const ALWAYS: [(u32, Deed); 12] = [
    (10, Deed::Buy),
    (6, Deed::Renew),
    (3, Deed::Retry),
    (2, Deed::GiveUp),
    (1, Deed::Expire),
    (3, Deed::CancelAtEnd),
    (1, Deed::Undo),
    (4, Deed::End),
    (5, Deed::Refund),
    (3, Deed::Decide),
    (2, Deed::Twin),
    (3, Deed::Wait),
];

/// The kinds of moves for which a catalog gives an occasion, with their weights.
pub fn occasions(catalog: &Catalog) -> Vec<(u32, Deed)> {
    let families = catalog.wares.iter().filter(|ware| ware.family.is_some()).count();
    let has_tokens = !catalog.tokens.is_empty();
    let sometimes = [
        (families > 1, 3, Deed::ChangePlan),
        (!catalog.made.is_empty(), 6, Deed::Make),
        (!catalog.made.is_empty(), 5, Deed::Delete),
        (catalog.made.iter().any(|made| !made.by_hand.is_empty()), 6, Deed::ByHand),
        (!catalog.rates.is_empty(), 10, Deed::Use),
        (!catalog.monthly.is_empty(), 4, Deed::Count),
        (has_tokens, 12, Deed::Issue),
        (has_tokens, 14, Deed::Redeem),
        (has_tokens, 3, Deed::Revoke),
        (!catalog.facts.is_empty(), 4, Deed::Tell),
        (catalog.campaign.is_some(), 4, Deed::Campaign),
    ];
    let sometimes = sometimes.into_iter().filter(|(may, ..)| *may).map(|(_, weight, deed)| (weight, deed));
    ALWAYS.into_iter().chain(sometimes).collect()
}
