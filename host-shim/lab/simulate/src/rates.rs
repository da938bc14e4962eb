//! Rates of moves per ten thousand customer days. A move that does not apply to a customer is skipped, so most rates
//! concern only some of the customers.

use crate::trade::MoveKind;

/// Customer days that a rate refers to.
pub const DAYS: usize = 10_000;

/// Kinds of moves with their rates.
pub const RATES: [(MoveKind, usize); 31] = [
    // Makes a purchase about every other week: subscriptions until the customer has one of each family.
    (MoveKind::Buy, 800),
    // Changes the card: one of four cards can't be charged, so the next renewals fail.
    (MoveKind::Renew, 150),
    // Pays an open invoice, after a week on average, with a good card or with a card that can't be charged.
    (MoveKind::Retry, 1_500),
    // Stops paying: the subscription becomes unpaid or cancelled, or the invoice is written off.
    (MoveKind::GiveUp, 300),
    // Changes the plan within a family, the tier of an add-on, or the quantity. Some of the payments fail.
    (MoveKind::ChangePlan, 150),
    (MoveKind::ChangeTier, 150),
    (MoveKind::ChangeQuantity, 600),
    // Adds an add-on to a subscription, and removes it.
    (MoveKind::AddItem, 100),
    (MoveKind::RemoveItem, 60),
    // Pays an invoice that was sent, after five days on average; some invoices are never paid.
    (MoveKind::PayBill, 2_000),
    // Cancels on one of 125 days. Some customers withdraw the cancellation, and a few cancel at once.
    (MoveKind::CancelAtEnd, 80),
    (MoveKind::Undo, 600),
    (MoveKind::End, 30),
    // Gets a refund, in part or completely.
    (MoveKind::Refund, 200),
    // Asks for the refund of a purchase, as its buyer or as an operator.
    (MoveKind::AskRefund, 300),
    // Gets a balance at Stripe, which pays the next invoices.
    (MoveKind::GiveBalance, 40),
    // Decides a dispute, after two weeks on average.
    (MoveKind::Decide, 700),
    // Creates and deletes instances; operators do manual steps.
    (MoveKind::Make, 500),
    (MoveKind::Delete, 150),
    (MoveKind::ByHand, 2_000),
    // Asks again for an instance that could not be created, after twelve days on average.
    (MoveKind::AskAgain, 800),
    // Uses meters, entitlements and tokens.
    (MoveKind::Use, 1_500),
    (MoveKind::Count, 1_000),
    (MoveKind::Issue, 800),
    (MoveKind::Redeem, 800),
    (MoveKind::Revoke, 60),
    // Sends facts of the business.
    (MoveKind::Tell, 200),
    // Repeats the last event under another id.
    (MoveKind::Twin, 100),
    // Leaves: the account is closed.
    (MoveKind::Close, 15),
    // Buys a year, and leaves on the next day, before the payment is known.
    (MoveKind::BuyAndLeave, 10),
    // Unpaid first invoices expire without a move.
    (MoveKind::Expire, 0),
    // `MoveKind::Campaign` is left out: a campaign concerns all accounts, so it can't be checked per account. The
    // end-to-end stories include campaigns.
];

/// Changes of a plan without further seats whose payment fails, per hundred.
pub const UNPAID_PLANS: usize = 30;
/// Changes of a tier, a quantity or a plan with several seats, and added items, whose payment fails, per hundred.
pub const UNPAID_CHANGES: usize = 30;
/// Uses that cost little, so that they leave a part of an account's credits, per hundred.
pub const LITTLE_USE: usize = 60;
/// Subscriptions without a checkout that have an add-on as a second item from the start, per hundred.
pub const TWO_ITEMS: usize = 20;
/// Subscriptions without a checkout whose invoices are sent and paid later, per hundred.
pub const BILLED: usize = 15;
/// Invoices that were sent and are never paid, per hundred.
pub const NEVER_PAID: usize = 15;
/// Payments of invoices that were sent, out of band, per hundred.
pub const OUT_OF_BAND: usize = 25;
/// First invoices without a successful payment that are voided instead of paid, per hundred.
pub const VOIDED: usize = 20;

/// Days on which an operator changes the catalog, per hundred.
pub const CATALOG_CHANGES: usize = 10;
/// Changes of a catalog by what they change, per hundred.
pub const AMOUNTS: usize = 30;
/// A condition is added to a type.
pub const CONDITIONS: usize = 15;
/// A limit of one for each account is added to a type.
pub const LIMITS: usize = 15;
/// A grant is left out.
pub const DROPPED_GRANTS: usize = 10;
/// A share ends or changes.
pub const SPLITS: usize = 15;
/// The time for refunds ends.
pub const REFUNDS: usize = 5;
/// A product goes off sale.
pub const OFF_SALE: usize = 10;

/// Resources of instances that can't be created until somebody asks again, per thousand.
pub const OUT_OF_STOCK: usize = 60;

/// Balances that are given although creators get shares of subscriptions, per hundred.
pub const BALANCES_BESIDE_SHARES: usize = 100;
/// Days on which an operator takes back a transfer at Stripe, per hundred.
pub const REVERSALS: usize = 2;

/// Events that arrive one or two days late, per thousand events of Stripe.
pub const LATE: usize = 3;
/// Repeated events per thousand events of Stripe.
pub const TWICE: usize = 30;
/// Crashes per hundred deliveries.
pub const CRASHES: usize = 25;
/// A crash happens at one of the next writes, up to this number. If a delivery has fewer writes, it has no crash.
pub const WRITES: usize = 60;
