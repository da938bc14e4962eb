//! Reasons why a vault operation failed.

use crate::key::KEY_VARIABLE;

/// Reasons why a vault operation failed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The SQLite file or the database can't be used.
    #[error("the secrets can't be read or written: {0}")]
    Store(#[from] host_store_postgres::small::SmallError),
    /// The folder or the file's mode can't be set up.
    #[error("{path}: {error}")]
    Io {
        /// Path of the folder or file.
        path: String,
        /// Cause.
        error: std::io::Error,
    },
    /// A secret was encrypted with a key that the vault does not have.
    #[error("`{reference}` was encrypted with key {key_id}, which is not among those given")]
    NoKey {
        /// Reference of the secret.
        reference: String,
        /// Id of the missing key.
        key_id: String,
    },
    /// A row was modified outside of the vault.
    #[error("`{reference}` is not what was stored")]
    Changed {
        /// Reference of the secret.
        reference: String,
    },
    /// The operating system has no random bytes.
    #[error("can't get random bytes: {0}")]
    Random(String),
    /// A secret's size is not allowed. The message does not include the secret.
    #[error("a secret has {found} bytes: expected {expected}")]
    Size {
        /// Size of the secret in bytes.
        found: usize,
        /// Accepted sizes in bytes.
        expected: String,
    },
    /// The vault is encrypted with a key that was not given.
    #[error(
        "{path}: this vault is encrypted with key {wanted}, but {KEY_VARIABLE} has only key {given}; \
         give the vault's own key, or NEW,OLD to change the key"
    )]
    WrongKey {
        /// Path of the vault's file.
        path: String,
        /// Ids of the missing keys.
        wanted: String,
        /// Ids of the given keys.
        given: String,
    },
    /// The folder has had a vault, but the vault's file is gone.
    #[error(
        "{path}: this file is missing or empty, but {mark} says that the vault {wanted} was here; restore the file \
         from a backup, or run `provisioner secrets begin --world DIR` to begin a new vault without the old secrets"
    )]
    Missing {
        /// Path of the vault's file.
        path: String,
        /// Path of the file with the vault's id.
        mark: String,
        /// Id of the missing vault.
        wanted: String,
    },
    /// The folder has had another vault.
    #[error(
        "{path}: this is the vault {found}, but {mark} says that the vault {wanted} belongs here; restore the right \
         file, or run `provisioner secrets begin --world DIR` to begin a new vault without the old secrets"
    )]
    Exchanged {
        /// Path of the vault's file.
        path: String,
        /// Path of the file with the vault's id.
        mark: String,
        /// Id of the vault that was found.
        found: String,
        /// Id of the vault that was expected.
        wanted: String,
    },
    /// The identity row was modified outside of the vault.
    #[error("{path}: the identity of this vault is not what was stored; restore the file from a backup")]
    BadIdentity {
        /// Path of the vault's file.
        path: String,
    },
}
