//! Where plain secrets are kept.
//!
//! A [`Vault`] is a SQLite file of its own, beside the store, in which each secret is encrypted for its scope and its
//! reference: a row that is copied to another one can't be read there. [`Outside`] are secrets that the machine gives: named
//! variables of the environment and files of one folder. [`Everywhere`] asks both.

mod ensure;
mod key;
mod outside;
mod vault;

pub use ensure::Minting;
pub use key::{KEY_VARIABLE, Key, KeyError, Keys};
pub use outside::{Everywhere, Outside};
pub use vault::{SECRET_BYTES_MAX, Stored, Vault, VaultError};
