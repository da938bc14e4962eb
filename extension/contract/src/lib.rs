//! The contract of `wit/products.wit` as plain Rust: the types that cross it and the two traits on its sides.
//!
//! The decisions in `extension/` are written against [`Imports`]; the host implements it over a transaction and calls
//! [`Extension`], natively or through the component. Nothing here names a binding generator, so both sides of the
//! boundary and every test share these types. The WIT is the reference manual; the names are the same in Rust's case.

mod crossing;
pub mod effects;
pub mod events;
pub mod manifest;
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
pub use manifest::*;
pub use products::*;
pub use purchases::*;
pub use queries::*;
pub use records::*;
pub use rows::*;
pub use subscriptions::*;
pub use traits::*;
pub use types::*;

/// Longest id or key in bytes.
pub const ID_BYTES_MAX: usize = 255;
/// Longest JSON value in bytes.
pub const JSON_BYTES_MAX: usize = 256 * 1024;
/// Most entries of one bulk call.
pub const BULK_MAX: usize = 256;
/// Most rows of one page.
pub const PAGE_ROWS_MAX: u32 = 500;
/// Most references of one row, and most rows that `account.open` follows references to.
pub const REFERENCES_MAX: usize = 32;
/// Most delays of a retry policy.
pub const RETRY_DELAYS_MAX: usize = 20;
/// Source of the facts of a business's own, which come as commands of their kind: `user.registered`.
pub const FACT_SOURCE: &str = "business";
/// Claims of connected accounts, `connected-account:ID`: our own account's, also for the events of a connected one.
pub const CONNECTED_ACCOUNT_CLAIMS: &str = "connected-account:";
