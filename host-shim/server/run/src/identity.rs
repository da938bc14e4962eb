//! Opens the users of a business: their file, the threads that hash passwords, and the session keys, which are in the vault.

use crate::data::{DataFolder, USERS};
use extension_contract::{Account, Timestamp};
use host_business::folder::BusinessFolder;
use host_identity::{
    Address, Hasher, Identity, IdentityError, Link, LinkError, LinkKind, LinkMaker, OPERATOR, Signer, SignerError,
    Users, UsersError, random,
};
use host_provider_api::{SecretError, Secrets};
use host_providers::{Vault, VaultError};
use host_store::Partition;
use std::io;
use std::sync::Arc;

/// Number of threads that hash passwords: one, so that logins take at most one core from webhooks.
const HASHERS: usize = 1;
/// Maximum number of waiting passwords: at 30 ms each, less than a second.
const HASHES_WAITING: usize = 32;
/// Prefix of the names of the session keys in the vault; a number follows.
const KEY: &str = "session-key-";
/// Number of keys whose tokens are valid: the newest one signs, and the one before it has signed sessions that still exist.
const KEYS: usize = 2;
/// Address of the first operator in local mode. No mail is sent to it.
const FIRST_OPERATOR: &str = "operator@local.invalid";
/// Length of the key in random bytes.
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
    /// A link cannot be created.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The system has no random bytes.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key is invalid.
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

/// Creates the users' sessions and links. Links sent by mail lead to pages below `base`.
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

/// Returns the session keys, newest first: number and reference.
fn keys(vault: &Vault, partition: &Partition) -> Result<Vec<(u64, String)>, IdentityStartError> {
    let scope = scope(partition);
    let own = vault.list()?.into_iter().filter(|secret| secret.scope == scope);
    let mut keys: Vec<(u64, String)> =
        own.filter_map(|secret| Some((secret.name.strip_prefix(KEY)?.parse().ok()?, secret.reference))).collect();
    keys.sort_unstable_by(|a, b| b.cmp(a));
    Ok(keys)
}

/// Creates a new session key, which signs from the next start of the server. Tokens of the previous key stay valid; those of older keys
/// do not. Returns the name of the new key.
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

/// Revokes what earlier starts in local mode gave to whoever read their output: the links of the first operator and, outside local mode,
/// also the operator who has used one.
///
/// # Errors
/// Fails if the users cannot be read or written.
pub(crate) fn end_first_operator(
    users: &Users,
    livemode: bool,
    is_local: bool,
    now: Timestamp,
) -> Result<(), UsersError> {
    users.end_operator_links(livemode)?;
    if is_local {
        return Ok(());
    }
    let found = Address::parse(FIRST_OPERATOR).map(|address| users.by_address(livemode, &address)).transpose()?;
    if let Some((user, _)) = found.flatten().filter(|(user, _)| user.is_operator) {
        users.delete(&user, now)?;
        tracing::warn!(user = user.id, "the operator of local mode was removed");
    }
    Ok(())
}

/// Returns the link with which whoever started a server in local mode becomes its first operator; none if there already is one. It works
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
        cause: None,
    };
    let reference = links.make(&link, now)?;
    Ok(Some(vault.resolve(&partition.scope(account).name(), &reference)?.expose().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_identity::{Refused, User};
    use host_store_postgres::small::Place;
    use std::sync::mpsc::channel;

    const DAY_MS: i64 = 24 * 3_600_000;

    /// Starts the users of a server, and returns the token in the first operator's link.
    fn start(links: &LinkMaker, vault: &Vault, is_local: bool, now: Timestamp) -> Option<String> {
        let identity = links.identity();
        end_first_operator(identity.users(), false, is_local, now).expect("written");
        let link = is_local.then(|| first_operator(links, vault, now).expect("made")).flatten()?;
        link.rsplit_once('=').map(|(_, token)| token.to_owned())
    }

    fn set_password(links: &LinkMaker, token: &str, now: Timestamp) -> Option<(User, String)> {
        let (sender, answer) = channel();
        let then = move |told| sender.send(told).expect("a receiver");
        match links.identity().set_password(token, "correct horse".to_owned(), now, then) {
            Err(Refused::NoLink) => return None,
            asked => assert!(asked.is_ok()),
        }
        let told = answer.recv().expect("an answer").ok()?;
        Some((told.user, told.token))
    }

    #[test]
    fn what_local_mode_gave_to_its_operator_ends_at_the_next_start() {
        let vault = Arc::new(Vault::in_memory().expect("a vault"));
        let users = Users::open(Place::Memory).expect("users");
        let signer = Signer::new("shop/test", &[("k1".into(), vec![7; 32])]).expect("a signer");
        let partition = Partition { business: "shop".into(), livemode: false };
        let hasher = Hasher::start(1, 8).expect("a thread");
        let identity = Identity::new(partition, Arc::new(users), hasher, signer);
        let links = LinkMaker::new(identity, vault.clone(), "https://shop.example".into());
        let buyer = Address::parse("buyer@example.com").expect("an address");
        let mailed = Link::new(LinkKind::Claim, false, &buyer, Account::User("usr_made".into()));
        let mailed = links.make(&mailed, 0).expect("made");
        let first = start(&links, &vault, true, DAY_MS).expect("a link");
        let second = start(&links, &vault, true, 2 * DAY_MS).expect("a link");
        assert_eq!(set_password(&links, &first, 3 * DAY_MS), None, "another start has made another link");
        let (operator, session) = set_password(&links, &second, 3 * DAY_MS).expect("an operator");
        assert!(operator.is_operator);
        assert_eq!(start(&links, &vault, true, 4 * DAY_MS), None, "there is one");
        let found = |now| links.identity().user(&session, now).expect("read");
        assert!(found(4 * DAY_MS).is_some());
        start(&links, &vault, false, 5 * DAY_MS);
        assert_eq!(found(5 * DAY_MS), None, "outside of local mode the operator is gone");
        let unused = start(&links, &vault, true, 6 * DAY_MS).expect("a link");
        start(&links, &vault, false, 7 * DAY_MS);
        assert_eq!(set_password(&links, &unused, 7 * DAY_MS), None);
        let scope = "shop/test/user:usr_made";
        let mailed = vault.resolve(scope, &mailed).expect("no start ends the links of others").expose().to_owned();
        let token = mailed.rsplit_once('=').expect("a token").1;
        assert!(links.identity().link(token, &[LinkKind::Claim], 8 * DAY_MS).is_ok());
    }
}
