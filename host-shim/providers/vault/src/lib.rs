//! Stores of plain secrets.
//!
//! [`Vault`] is a separate SQLite file, or tables in a PostgreSQL database that several hosts share. Each secret is encrypted for its
//! scope and reference, so that a row can't be decrypted if it is copied to another scope or reference. [`MachineSecrets`] reads
//! environment variables and files of one folder. [`CombinedSecrets`] combines both.

mod ensure;
mod error;
mod identity;
mod key;
mod machine;
mod vault;

pub use ensure::SecretProvider;
pub use error::VaultError;
pub use key::{KEY_VARIABLE, Key, KeyError, Keys};
pub use machine::{CombinedSecrets, MachineSecrets};
pub use vault::{SECRET_BYTES_MAX, SHAPE, SecretInfo, Vault};
