//! The kinds of moves around an account of any business, and which of them a catalog allows.

use crate::catalog::Catalog;

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A purchase by our command, a checkout made elsewhere, or a subscription without checkout; paid, failed or on
    /// trial.
    Buy,
    /// The next period begins; paid or failed.
    Renew,
    /// Another attempt to pay an open invoice.
    Retry,
    /// The end of attempts, after weeks: unpaid, or cancelled.
    GiveUp,
    /// The first payment expires.
    Expire,
    /// A change to another plan of the family, paid at once.
    ChangePlan,
    /// A cancellation at the end of the period, by our command or at Stripe.
    CancelAtEnd,
    /// The withdrawal of a cancellation.
    Undo,
    /// The end of a subscription, with its period or at once.
    End,
    /// A refund, of a part or of the rest.
    Refund,
    /// The decision of a dispute: won or lost.
    Decide,
    /// The command that creates an instance.
    Make,
    /// The command that deletes an instance.
    Delete,
    /// The completion of a manual step.
    ByHand,
    /// Usage of a meter with a price.
    Use,
    /// Usage of a counted entitlement.
    Count,
    /// The issue of a token.
    Issue,
    /// The redemption of a token.
    Redeem,
    /// The revocation of a token.
    Revoke,
    /// A fact of the business.
    Tell,
    /// A campaign is created and sent.
    Campaign,
    /// The last event again, under another id.
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

/// Returns the kinds of moves that a catalog allows, with their weights.
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
