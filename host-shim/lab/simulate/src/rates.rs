//! How often what happens, of ten thousand days of a customer. What there is no occasion for does not happen, so most rates
//! are those among customers who could.

use crate::trade::Deed;

/// What a rate is of: days of a customer.
pub const DAYS: usize = 10_000;

/// A move with how often it is made.
pub const RATES: [(Deed, usize); 21] = [
    // Something is bought that the customer hasn't: every other week, by subscription until all families are taken.
    (Deed::Buy, 800),
    // Another card: one of four can be charged no more. The next renewal fails, and those after it.
    (Deed::Renew, 150),
    // An open invoice is tried again with a good card or the old one, within a few days.
    (Deed::Retry, 1_500),
    // Nobody tries again: unpaid, cancelled or written off.
    (Deed::GiveUp, 300),
    // Up or down within a family.
    (Deed::ChangePlan, 150),
    // One of a hundred and twenty days ends in a cancellation; some of these are thought over, and a few end at once.
    (Deed::CancelAtEnd, 80),
    (Deed::Undo, 600),
    (Deed::End, 30),
    // Money goes back, a part of it or all.
    (Deed::Refund, 80),
    // A dispute is answered within a fortnight.
    (Deed::Decide, 700),
    // What customers have made, and what people do for it.
    (Deed::Make, 500),
    (Deed::Delete, 150),
    (Deed::ByHand, 2_000),
    // What they use.
    (Deed::Use, 1_500),
    (Deed::Count, 1_000),
    (Deed::Issue, 800),
    (Deed::Redeem, 800),
    (Deed::Revoke, 60),
    // What they tell.
    (Deed::Tell, 200),
    // The last event's fact once more, under another id.
    (Deed::Twin, 100),
    // A first payment that never comes: only time ends it.
    (Deed::Expire, 0),
    // Left out: `Deed::Campaign`, which is sent to every account at once and counted at the platform, so that no account
    // alone can be held to it; the stories of the end-to-end tests have it.
];

/// Of a thousand events of Stripe so many come a day or two late, after others.
pub const LATE: usize = 3;
/// Of a thousand events of Stripe so many come twice.
pub const TWICE: usize = 30;
/// Of a hundred times at which the host is told something so many have a crash.
pub const CRASHES: usize = 25;
/// The crash is at one of so many writes to come; where there are fewer, none.
pub const WRITES: usize = 60;
