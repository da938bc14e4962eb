//! The contract of `wit/products.wit` as plain Rust types, with a trait for each side: the extension implements [`Extension`] and reads
//! through [`Imports`]; the host implements [`Imports`] on a transaction and calls [`Extension`], natively or through the component. No
//! type depends on a binding generator, so the host, the extension and the tests share them. The WIT is the reference. The names here
//! are the names of the WIT in the spelling of Rust: `received_at` for `received-at`.

mod crossing;
pub mod effects;
pub mod events;
mod field_error;
pub mod guess;
mod hash;
pub mod manifest;
pub mod pointer;
pub mod products;
pub mod purchases;
pub mod queries;
pub mod records;
pub mod rows;
pub mod subscriptions;
mod traits;
pub mod types;

pub use effects::*;
pub use events::*;
pub use field_error::{Expected, FieldError, FieldErrorCode};
pub use hash::{ADDRESS_CLAIMS, address_hash, short_sha256};
pub use manifest::*;
pub use products::*;
pub use purchases::*;
pub use queries::*;
pub use records::*;
pub use rows::*;
pub use subscriptions::*;
pub use traits::*;
pub use types::*;

/// Maximum length of an id or key in bytes.
pub const ID_BYTES_MAX: usize = 255;
/// Maximum length of a JSON value in bytes.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// Maximum number of entries of one bulk call.
pub const BULK_MAX: usize = 256;
/// Maximum number of rows of one page.
pub const PAGE_ROWS_MAX: u32 = 500;
/// Maximum number of references of one row, and of rows that `account.open` reads by following references.
pub const REFERENCES_MAX: usize = 32;
/// Maximum number of delays of a retry policy.
pub const RETRY_DELAYS_MAX: usize = 20;
/// Value of [`Event::source`] for a fact of the business, which arrives as a command with the fact's kind, for example
/// `user.registered`.
pub const FACT_SOURCE: &str = "business";
/// Prefix of the claims `connected-account:ID`. The host stores every other claim under a key that contains the event's
/// connected account. The key of these claims does not contain it, so that events of our own account at the payment source
/// and of the connected account find the same claim.
pub const CONNECTED_ACCOUNT_CLAIMS: &str = "connected-account:";
