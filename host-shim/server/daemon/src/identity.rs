//! Opens the users of a business: their file, the threads that hash passwords, and the keys of sessions, which are in the vault.

use crate::data::DataFolder;
use host::business::BusinessFolder;
use host_identity::{Hasher, Identity, LinkMaker, Signer, SignerError, Users, UsersError};
use host_provider_api::{SecretError, Secrets};
use host_provider_set::Vault;
use host_store::Partition;
use std::io;
use std::sync::Arc;

/// Number of threads that hash passwords: one, so that logins take at most one core from webhooks.
const HASHERS: usize = 1;
/// Maximum number of passwords that wait: at 30 ms each, less than a second.
const HASHES_WAITING: usize = 32;
/// Name of the key of sessions in the vault.
const KEY: &str = "session-key-1";
/// Number of random bytes of the key.
const KEY_BYTES: usize = 32;

/// The reason why users cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum IdentityStartError {
    /// The file of users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The vault fails.
    #[error("the key of sessions: {0}")]
    Vault(#[from] SecretError),
    /// The key is damaged.
    #[error("the key of sessions: {0}")]
    Signer(#[from] SignerError),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// Opens the users. Links by mail lead to the first origin of the business's pages, or else to `base`.
pub(crate) fn open(
    business: &BusinessFolder,
    livemode: bool,
    data: &DataFolder,
    vault: &Arc<Vault>,
    base: String,
) -> Result<LinkMaker, IdentityStartError> {
    let partition = Partition { business: business.name.clone(), livemode };
    let scope = format!("{}/identity", partition.name());
    let made = vault.make(&scope, KEY, KEY_BYTES)?;
    let seed = hex::decode(vault.resolve(&scope, &made.reference)?.expose()).map_err(|_| SignerError::Damaged)?;
    let signer = Signer::new(&partition.name(), &[(KEY.to_owned(), seed)])?;
    let users = Arc::new(Users::open(&data.path("users.db"))?);
    let identity = Identity::new(partition, users, Hasher::start(HASHERS, HASHES_WAITING)?, signer);
    let base = business.origins().into_iter().next().unwrap_or(base);
    Ok(LinkMaker::new(identity, vault.clone(), base))
}
