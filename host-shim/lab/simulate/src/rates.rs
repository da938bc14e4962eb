//! Rates of moves per ten thousand customer days. A move without an occasion is skipped, so most rates are for
//! customers who have one.

use crate::trade::Deed;

/// Customer days that a rate refers to.
pub const DAYS: usize = 10_000;

/// Kinds of moves with their rates.
pub const RATES: [(Deed, usize); 21] = [
    // Buys something new: every other week, by subscription until all families are taken.
    (Deed::Buy, 800),
    // Changes the card: one of four can't be charged, so the next renewals fail.
    (Deed::Renew, 150),
    // Pays an open invoice with a good card or the old one, within a few days.
    (Deed::Retry, 1_500),
    // Stops paying: unpaid, cancelled or written off.
    (Deed::GiveUp, 300),
    // Changes the plan within a family.
    (Deed::ChangePlan, 150),
    // Cancels on one of 120 days; some withdraw the cancellation, and a few end at once.
    (Deed::CancelAtEnd, 80),
    (Deed::Undo, 600),
    (Deed::End, 30),
    // Gets a refund, in part or completely.
    (Deed::Refund, 80),
    // Disputes are decided within two weeks.
    (Deed::Decide, 700),
    // Creates and deletes instances; operators do manual steps.
    (Deed::Make, 500),
    (Deed::Delete, 150),
    (Deed::ByHand, 2_000),
    // Uses meters, entitlements and tokens.
    (Deed::Use, 1_500),
    (Deed::Count, 1_000),
    (Deed::Issue, 800),
    (Deed::Redeem, 800),
    (Deed::Revoke, 60),
    // Sends facts of the business.
    (Deed::Tell, 200),
    // Repeats the last event under another id.
    (Deed::Twin, 100),
    // First payments expire with time only.
    (Deed::Expire, 0),
    // `Deed::Campaign` is left out: a campaign concerns all accounts, so it can't be checked per account. The
    // end-to-end stories include it.
];

/// Late events (one or two days) per thousand events of Stripe.
pub const LATE: usize = 3;
/// Repeated events per thousand events of Stripe.
pub const TWICE: usize = 30;
/// Crashes per hundred deliveries.
pub const CRASHES: usize = 25;
/// A crash happens at one of the next writes, up to this number; if there are fewer writes, there is no crash.
pub const WRITES: usize = 60;
