//! Compares the subscriptions, invoices, payments, refunds and transfers in a store with those at Stripe, either of the
//! whole store ([`Verifier`]) or of one account ([`AccountRecords`]).
//!
//! It only reads: the store through the extension's lists and the stored effects, Stripe through its lists. Both sides are
//! reduced to [`Facts`]. When a whole store is compared, Stripe's facts wait in a temporary database.

mod account;
mod difference;
mod error;
mod facts;
mod gather;
mod mend;
mod ours;
mod owner;
mod records;
mod scratch;
mod stripe;
mod theirs;
mod whole;

pub use account::{AccountVerified, Beside, BothSides};
pub use difference::{FieldDifference, Found, What};
pub use error::VerifyError;
pub use facts::{Facts, Kind};
pub use mend::{Difference, Mend};
pub use records::AccountRecords;
pub use stripe::StripeAccess;
pub use whole::{Progress, Unowned, Verified, Verifier};
