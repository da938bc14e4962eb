//! Defines the kinds of moves for an account of any business, and determines which kinds a catalog allows.

use crate::catalog::Catalog;

/// A kind of move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveKind {
    /// A purchase by our command, a checkout made elsewhere, or a subscription without checkout. The payment succeeds,
    /// fails, or follows after a trial.
    Buy,
    /// The next period begins; the payment succeeds or fails.
    Renew,
    /// Another attempt to pay an open invoice.
    Retry,
    /// The end of the payment attempts: the subscription becomes unpaid or cancelled.
    GiveUp,
    /// A subscription with an unpaid first invoice expires.
    Expire,
    /// A change to another plan of the family, paid at once. In a simulation, some of the payments fail.
    ChangePlan,
    /// A change of an add-on to another tier or interval, paid at once or unpaid.
    ChangeTier,
    /// A change of the quantity of an item, up or down, paid at once or unpaid.
    ChangeQuantity,
    /// An add-on becomes another item of a subscription, paid at once or unpaid.
    AddItem,
    /// An add-on beside other items is removed from its subscription.
    RemoveItem,
    /// The payment of an invoice that was sent: by card, or out of band.
    PayBill,
    /// A cancellation at the end of the period, by our command or at Stripe.
    CancelAtEnd,
    /// The withdrawal of a cancellation.
    Undo,
    /// The end of a subscription, at the end of its period or at once.
    End,
    /// A refund of a part of a charge, or of the rest.
    Refund,
    /// The command that refunds a one-time purchase, by its buyer or an operator.
    AskRefund,
    /// The decision of a dispute: won or lost.
    Decide,
    /// The command that creates an instance.
    Make,
    /// The command that deletes an instance.
    Delete,
    /// The completion of a manual step.
    ByHand,
    /// The command that retries an instance that could not be created.
    AskAgain,
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
    /// The command that closes the account.
    Close,
    /// A balance at Stripe that the business gives to the customer.
    GiveBalance,
    /// A yearly subscription whose events arrive late, by a customer who leaves before.
    BuyAndLeave,
    /// A pause without an action.
    Wait,
}

const ALWAYS: [(u32, MoveKind); 12] = [
    (10, MoveKind::Buy),
    (6, MoveKind::Renew),
    (3, MoveKind::Retry),
    (2, MoveKind::GiveUp),
    (1, MoveKind::Expire),
    (3, MoveKind::CancelAtEnd),
    (1, MoveKind::Undo),
    (4, MoveKind::End),
    (5, MoveKind::Refund),
    (3, MoveKind::Decide),
    (2, MoveKind::Twin),
    (3, MoveKind::Wait),
];

/// Kinds of moves of the simulation only: the requests that follow from them must be carried out at the local Stripe,
/// or the stories of the tests do without them. Moves that a catalog does not allow are skipped.
pub const SIMULATED: [MoveKind; 10] = [
    MoveKind::AskRefund,
    MoveKind::Close,
    MoveKind::ChangeTier,
    MoveKind::ChangeQuantity,
    MoveKind::AddItem,
    MoveKind::RemoveItem,
    MoveKind::PayBill,
    MoveKind::BuyAndLeave,
    MoveKind::AskAgain,
    MoveKind::GiveBalance,
];

/// Returns the kinds of moves that a catalog allows, with their weights.
pub fn possible_moves(catalog: &Catalog) -> Vec<(u32, MoveKind)> {
    let families = catalog.wares.iter().filter(|ware| ware.family.is_some()).count();
    let has_tokens = !catalog.tokens.is_empty();
    let sometimes = [
        (families > 1, 3, MoveKind::ChangePlan),
        (!catalog.instance_types.is_empty(), 6, MoveKind::Make),
        (!catalog.instance_types.is_empty(), 5, MoveKind::Delete),
        (catalog.instance_types.iter().any(|instance_type| !instance_type.by_hand.is_empty()), 6, MoveKind::ByHand),
        (!catalog.rates.is_empty(), 10, MoveKind::Use),
        (!catalog.monthly.is_empty(), 4, MoveKind::Count),
        (has_tokens, 12, MoveKind::Issue),
        (has_tokens, 14, MoveKind::Redeem),
        (has_tokens, 3, MoveKind::Revoke),
        (!catalog.facts.is_empty(), 4, MoveKind::Tell),
        (catalog.campaign.is_some(), 4, MoveKind::Campaign),
    ];
    let sometimes = sometimes.into_iter().filter(|(may, ..)| *may).map(|(_, weight, move_kind)| (weight, move_kind));
    ALWAYS.into_iter().chain(sometimes).collect()
}
