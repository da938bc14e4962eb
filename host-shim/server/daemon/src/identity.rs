//! Opens the users of a business: their file, the threads that hash passwords, and the keys of sessions, which are in the vault.

use crate::data::{DataFolder, USERS};
use extension_contract::{Account, Timestamp};
use host::business::BusinessFolder;
use host_identity::{
    Hasher, Identity, IdentityError, Link, LinkError, LinkKind, LinkMaker, OPERATOR, Signer, SignerError, Users,
    UsersError, random,
};
use host_provider_api::{SecretError, Secrets};
use host_provider_set::{Vault, VaultError};
use host_store::Partition;
use std::io;
use std::sync::Arc;

/// Number of threads that hash passwords: one, so that logins take at most one core from webhooks.
const HASHERS: usize = 1;
/// Maximum number of passwords that wait: at 30 ms each, less than a second.
const HASHES_WAITING: usize = 32;
/// Beginning of the names of the keys of sessions in the vault; a number follows.
const KEY: &str = "session-key-";
/// Number of keys whose tokens count: the newest one signs, and the one before it signed sessions that go on.
const KEYS: usize = 2;
/// Address of the first operator in local mode. No mail goes to it.
const FIRST_OPERATOR: &str = "operator@local.invalid";
/// How long the link of the first operator works: longer than anybody advances the clock.
const FIRST_OPERATOR_MS: i64 = 100 * 366 * 24 * 3_600_000;
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
    /// The vault cannot be read.
    #[error("the keys of sessions: {0}")]
    Keys(#[from] VaultError),
    /// A link cannot be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The system has no random bytes.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key is damaged.
    #[error("the key of sessions: {0}")]
    Signer(#[from] SignerError),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// Opens the file of the users.
pub(crate) fn users(business: &BusinessFolder, data: &DataFolder) -> Result<Arc<Users>, IdentityStartError> {
    Ok(Arc::new(Users::open(data.place(USERS, &business.name))?))
}

/// Makes the users' sessions and links. Links by mail lead to pages below `base`.
pub(crate) fn open(
    business: &BusinessFolder,
    livemode: bool,
    users: Arc<Users>,
    vault: &Arc<Vault>,
    base: String,
) -> Result<LinkMaker, IdentityStartError> {
    let partition = Partition { business: business.name.clone(), livemode };
    if keys(vault, &partition)?.is_empty() {
        vault.make(&scope(&partition), &format!("{KEY}1"), KEY_BYTES)?;
    }
    let seeds = keys(vault, &partition)?.into_iter().take(KEYS).map(|(number, reference)| {
        let secret = vault.resolve(&scope(&partition), &reference)?;
        let seed = hex::decode(secret.expose()).map_err(|_| SignerError::Damaged)?;
        Ok((format!("{KEY}{number}"), seed))
    });
    let seeds: Vec<(String, Vec<u8>)> = seeds.collect::<Result<_, IdentityStartError>>()?;
    let signer = Signer::new(&partition.name(), &seeds)?;
    let identity = Identity::new(partition, users, Hasher::start(HASHERS, HASHES_WAITING)?, signer);
    Ok(LinkMaker::new(identity, vault.clone(), base))
}

/// Returns the name of the scope of the keys.
fn scope(partition: &Partition) -> String {
    format!("{}/identity", partition.name())
}

/// Returns the keys of sessions, the newest first: number and reference.
fn keys(vault: &Vault, partition: &Partition) -> Result<Vec<(u64, String)>, IdentityStartError> {
    let scope = scope(partition);
    let own = vault.list()?.into_iter().filter(|secret| secret.scope == scope);
    let mut keys: Vec<(u64, String)> =
        own.filter_map(|secret| Some((secret.name.strip_prefix(KEY)?.parse().ok()?, secret.reference))).collect();
    keys.sort_unstable_by(|a, b| b.cmp(a));
    Ok(keys)
}

/// Makes a new key of sessions, which signs from the next start of the server on. Tokens of the key before it still count; those of
/// older keys do not. Returns the name of the new key.
///
/// # Errors
/// Fails if the vault cannot be used.
pub fn rotate_session_key(vault: &Vault, partition: &Partition) -> Result<String, IdentityStartError> {
    let known = keys(vault, partition)?;
    let name = format!("{KEY}{}", known.first().map_or(1, |(number, _)| number.saturating_add(1)));
    vault.make(&scope(partition), &name, KEY_BYTES)?;
    for (_, reference) in known.into_iter().skip(KEYS - 1) {
        vault.forget(&scope(partition), &reference)?;
    }
    Ok(name)
}

/// Returns the link by which whoever started a server in local mode becomes its first operator; none if there is one. It works
/// until it is used or the server starts again, however far the clock is advanced.
///
/// # Errors
/// Fails if the users or the vault cannot be used.
pub(crate) fn first_operator(
    links: &LinkMaker,
    vault: &Vault,
    now: Timestamp,
) -> Result<Option<String>, IdentityStartError> {
    let (users, partition) = (links.identity().users(), links.identity().partition());
    if users.has_operator(partition.livemode)? {
        return Ok(None);
    }
    let account = Account::User(random("usr_")?);
    let link = Link {
        kind: LinkKind::Claim,
        livemode: partition.livemode,
        email: FIRST_OPERATOR.to_owned(),
        account: account.clone(),
        roles: vec![OPERATOR.to_owned()],
        sender: None,
    };
    let reference = links.make(&link, now.saturating_add(FIRST_OPERATOR_MS))?;
    Ok(Some(vault.resolve(&partition.scope(account).name(), &reference)?.expose().to_owned()))
}
