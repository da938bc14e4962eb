//! Compares the subscriptions, invoices, payments, refunds and transfers of a store with those of Stripe.
//!
//! It only reads: the store through the extension's lists and the stored effects, Stripe through its lists. Both sides are
//! reduced to [`Facts`]. Stripe's facts wait in a temporary database; only the names of the accounts are held in memory.

mod compare;
mod error;
mod facts;
mod mend;
mod ours;
mod scratch;
mod theirs;

pub use compare::{Difference, FieldDifference, Found, Progress, Verified, Verifier, What};
pub use error::VerifyError;
pub use facts::{Facts, Kind};
pub use mend::Mend;
