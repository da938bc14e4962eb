//! Registers users, logs them in and out, and finds the user behind a token.

use crate::access::{Caller, Reach};
use crate::address::Address;
use crate::credentials;
use crate::hasher::{Busy, Hasher};
use crate::links::{self, Link, LinkKind};
use crate::organizations;
use crate::password::weakness;
use crate::signer::Signer;
use crate::users::{self, User, Users, UsersError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use extension_contract::{Account, Actor, ActorKind, FieldError, FieldErrorCode, Timestamp};
use host_engine::turns::Turn;
use host_store::Partition;
use host_store_postgres::small::{SmallError, Statements};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;

/// How long a session is valid, in milliseconds: 14 days.
const SESSION_MS: i64 = 14 * 24 * 3_600_000;
/// How long a login through an issuer takes the place of a password, in milliseconds: 10 minutes.
const FRESH_MS: i64 = 10 * 60_000;
/// Maximum length of a name in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The role in a claim that makes its owner an operator of the business.
pub const OPERATOR: &str = "operator";
/// Length of an id in random bytes.
const ID_BYTES: usize = 12;
/// Length of a link's token in random bytes.
const LINK_BYTES: usize = 32;

/// The reason why users cannot be served now.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The user database cannot be read or written.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// Too many passwords are waiting.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The system has no random bytes.
    #[error("no random bytes")]
    NoRandom,
}

impl From<SmallError> for IdentityError {
    fn from(error: SmallError) -> Self {
        IdentityError::Users(error.into())
    }
}

/// The reason why a user is not registered or logged in.
#[derive(Debug)]
pub enum Refused {
    /// Some values are wrong.
    Invalid(Vec<FieldError>),
    /// Another user has the address.
    Taken,
    /// The address or the password is wrong; the error does not say which.
    Wrong,
    /// The link is unknown, was used or has expired.
    NoLink,
    /// The link was sent to another user.
    OfAnother,
    /// All seats of the organization are used.
    NoSeat,
    /// The issuer of a login has not verified an address.
    Unproved,
    /// Nobody can be registered or logged in now.
    Failed(IdentityError),
}

impl<E: Into<IdentityError>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused::Failed(error.into())
    }
}

/// A user to be registered.
#[derive(Clone)]
pub struct NewUser {
    /// Address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Display name.
    pub name: Option<String>,
    /// True for an operator.
    pub is_operator: bool,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The user.
    pub user: User,
    /// The token of the session.
    pub token: String,
    /// When the session expires, in milliseconds since the epoch.
    pub expires_at: Timestamp,
    /// What the login has verified.
    pub proof: Proof,
}

/// What a login has verified for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The account of whoever had registered with the address without verifying it. Keys that were created in it before must be revoked.
    pub taken_over: Option<Account>,
    /// True if the user's address has changed.
    pub has_moved: bool,
}

/// The users of one business in one mode.
#[derive(Clone)]
pub struct Identity {
    partition: Partition,
    users: Arc<Users>,
    hasher: Hasher,
    signer: Arc<Signer>,
}

impl Identity {
    /// Combines the parts.
    pub fn new(partition: Partition, users: Arc<Users>, hasher: Hasher, signer: Signer) -> Identity {
        Identity { partition, users, hasher, signer: Arc::new(signer) }
    }

    /// Returns the business and the mode.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Returns the users.
    pub fn users(&self) -> &Users {
        &self.users
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Returns the public keys as a JSON Web Key Set.
    pub fn key_set(&self) -> Value {
        self.signer.key_set()
    }

    /// Returns the mark for a browser in which the owner of an address has logged in; none if it cannot be signed.
    pub fn mark_browser(&self, whose: &str, browser: &str, now: Timestamp, until: Timestamp) -> Option<String> {
        self.signer.mark(whose, browser, now, until)
    }

    /// Returns the owner of a mark, and the browser; none if the mark is not valid.
    pub fn marked_browser(&self, mark: &str, now: Timestamp) -> Option<(String, String)> {
        self.signer.verify_mark(mark, now)
    }

    /// Encrypts a text that a browser keeps for the server, see [`Signer::seal`].
    pub fn seal(&self, context: &str, text: &[u8]) -> Option<String> {
        self.signer.seal(context, text)
    }

    /// Returns a sealed text; none if it is not valid.
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        self.signer.open(context, sealed)
    }

    /// Returns a handle to the same users, for requests in a turn: whoever sends many passwords waits only for their own.
    #[must_use]
    pub fn in_turn(&self, turn: Turn) -> Identity {
        Identity { hasher: self.hasher.in_turn(turn), ..self.clone() }
    }

    /// Creates a user and logs the user in. The function receives the answer on another thread, which also checks the password.
    ///
    /// # Errors
    /// Fails if too many passwords are waiting; the function is then not called.
    pub fn register(
        &self,
        new: NewUser,
        now: Timestamp,
        then: impl FnOnce(Result<LoggedIn, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let identity = self.clone();
        self.hasher.make(new, self.partition.business.clone(), move |made| {
            let added = made.and_then(|made| made.add(&identity.users, identity.partition.livemode, now));
            then(added.and_then(|user| identity.begin(user, Proof::default(), now)));
        })?;
        Ok(())
    }

    /// Logs a user in. The function receives the answer on another thread.
    ///
    /// # Errors
    /// Fails if the user database cannot be read, or if too many passwords are waiting; the function is then not called.
    pub fn log_in(
        &self,
        email: &str,
        password: String,
        now: Timestamp,
        then: impl FnOnce(Result<LoggedIn, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let found = Address::parse(email).map(|address| self.users.by_address(self.partition.livemode, &address));
        let (user, hash) = found.transpose()?.flatten().unzip();
        let hash = hash.filter(|hash: &String| !hash.is_empty());
        let identity = self.clone();
        self.hasher.verify(password, hash, move |is_right| {
            let user = user.filter(|_| is_right).ok_or(Refused::Wrong);
            then(user.and_then(|user| identity.begin(user, Proof::default(), now)));
        })?;
        Ok(())
    }

    pub(crate) fn begin(&self, user: User, proof: Proof, now: Timestamp) -> Result<LoggedIn, Refused> {
        let (session, expires_at) = (random("ses_")?, now.saturating_add(SESSION_MS));
        self.users.begin(&session, &user.id, now, expires_at)?;
        let token = self.signer.sign(&user.id, &session, now, expires_at).ok_or(IdentityError::NoRandom)?;
        Ok(LoggedIn { user, token, expires_at, proof })
    }

    /// Returns the user of a token and the id of the session; none if the token is not valid or the session has ended.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn user(&self, token: &str, now: Timestamp) -> Result<Option<(User, String)>, UsersError> {
        let Some((user, session)) = self.signer.verify(token, now) else { return Ok(None) };
        let found = self.users.of_session(self.partition.livemode, &session, now)?;
        Ok(found.filter(|found| found.id == user).map(|user| (user, session)))
    }

    /// Returns the caller of a token: a user in the user's own accounts and organizations, or an operator.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn caller(&self, token: &str, now: Timestamp) -> Result<Option<Caller>, UsersError> {
        let Some((user, _)) = self.user(token, now)? else { return Ok(None) };
        let as_user = |id: &str, roles| Actor { kind: ActorKind::User, subject: id.to_owned(), roles };
        let (actor, reach, in_accounts) = match user.is_operator {
            true => {
                let actor = Actor { kind: ActorKind::Admin, subject: user.id.clone(), roles: Vec::new() };
                (actor, Reach::All, BTreeMap::new())
            }
            false => {
                let further = self.users.further_accounts(&user.id)?.into_iter();
                let further = further.filter_map(|account| {
                    let Account::User(id) = &account else { return None };
                    Some((account.clone(), as_user(id, Vec::new())))
                });
                let joined = self.users.organizations_of(&user.id)?.into_iter();
                let joined = joined.map(|(of, roles)| (Account::Organization(of.id), as_user(&user.id, roles)));
                let in_accounts: BTreeMap<Account, Actor> = further.chain(joined).collect();
                let own = Account::User(user.id.clone());
                let accounts = std::iter::once(own).chain(in_accounts.keys().cloned()).collect();
                (as_user(&user.id, Vec::new()), Reach::Accounts(accounts), in_accounts)
            }
        };
        // Requests of a user are counted together, whichever session they use. The same holds for the ids of idempotent requests.
        let (key, partition) = (format!("user:{}", user.id), self.partition.clone());
        Ok(Some(Caller { key, partition, actor, reach, in_accounts }))
    }

    /// Generates the random token of a link.
    ///
    /// # Errors
    /// Fails if the system has no random bytes.
    pub fn link_token(&self) -> Result<String, IdentityError> {
        let mut bytes = [0; LINK_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| IdentityError::NoRandom)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns the link with a token, if it is of one of these kinds.
    ///
    /// # Errors
    /// Fails if the link is unknown, was used or has expired, or if the user database cannot be read.
    pub fn link(&self, token: &str, kinds: &[LinkKind], now: Timestamp) -> Result<Link, Refused> {
        let link = self.users.link(self.partition.livemode, token, now)?;
        link.filter(|link| kinds.contains(&link.kind)).ok_or(Refused::NoLink)
    }

    /// Sets the password of the user whose address a link verifies, ends all sessions and logs the user in. So the owner of an address
    /// gets the account even if somebody else has registered with it. The owner of an account that a checkout has created becomes a user.
    /// The function receives the answer on another thread.
    ///
    /// # Errors
    /// Fails if the link cannot be used, or if too many passwords are waiting; the function is then not called.
    pub fn set_password(
        &self,
        token: &str,
        password: String,
        now: Timestamp,
        then: impl FnOnce(Result<LoggedIn, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let link = self.link(token, &[LinkKind::Claim, LinkKind::Confirm, LinkKind::Reset], now)?;
        let address = Address::parse(&link.email).ok_or(Refused::NoLink)?;
        let (identity, token) = (self.clone(), token.to_owned());
        let (of, business) = (address.clone(), self.partition.business.clone());
        let judge = move |password: &str| match weak(password, &of, &business) {
            Some(error) => Err(Refused::Invalid(vec![error])),
            None => Ok(()),
        };
        self.hasher.judge_and_hash(password, judge, move |hash| {
            let hash = hash.and_then(|((), hash)| hash.ok_or(Refused::Failed(IdentityError::NoRandom)));
            let user = hash.and_then(|hash| identity.owner_of(&link, &address, &token, &hash, now));
            then(user.and_then(|(user, proof)| identity.begin(user, proof, now)));
        })?;
        Ok(())
    }

    /// Gives the password, and the account of the link, to the user with the address, who is created if there is none. An account that
    /// somebody already has is given to nobody. On failure, the link is not used up.
    fn owner_of(
        &self,
        link: &Link,
        address: &Address,
        token: &str,
        hash: &str,
        now: Timestamp,
    ) -> Result<(User, Proof), Refused> {
        let livemode = self.partition.livemode;
        self.users.0.write(|rows| {
            used_up(rows, livemode, token)?;
            if link.kind == LinkKind::Claim && links::is_taken(rows, livemode, &link.account)? {
                return Err(Refused::NoLink);
            }
            match (users::by_address(rows, livemode, address)?, &link.account) {
                (Some((user, _)), account) => {
                    let own = Account::User(user.id.clone());
                    // Only a claim takes over an account. The other links are for the user's own.
                    let is_given = match link.kind {
                        LinkKind::Claim => organizations::add_account(rows, livemode, account, &user.id)?,
                        LinkKind::Address | LinkKind::Confirm | LinkKind::Invitation | LinkKind::Reset => {
                            *account == own
                        }
                    };
                    if !is_given {
                        return Err(Refused::NoLink);
                    }
                    credentials::set_password(rows, &user, hash, now)?;
                    let taken_over = user.confirmed_at.is_none().then_some(own);
                    let user = credentials::prove(rows, user, None, now)?;
                    Ok((user, Proof { taken_over, has_moved: false }))
                }
                (None, Account::User(id)) if link.kind == LinkKind::Claim => {
                    let user = User {
                        id: id.clone(),
                        livemode,
                        email: address.as_str().to_owned(),
                        name: None,
                        is_operator: link.roles.iter().any(|role| role == OPERATOR),
                        created_at: now,
                        announced_at: None,
                        confirmed_at: Some(now),
                    };
                    if !credentials::add(rows, &user, hash)? {
                        return Err(Refused::Taken);
                    }
                    links::end_of_user(rows, &user)?;
                    Ok((user, Proof::default()))
                }
                (None, _) => Err(Refused::NoLink),
            }
        })
    }

    /// Records, in a session, that its user has verified the address with a link. A link alone says nothing about who registered with the
    /// address: without a session, it sets a new password ([`Identity::set_password`]). The first verification ends the user's other
    /// sessions.
    ///
    /// # Errors
    /// Fails if the link cannot be used or was sent to another user, or if the user database cannot be written.
    pub fn confirm(&self, token: &str, (user, session): (&User, &str), now: Timestamp) -> Result<User, Refused> {
        let livemode = self.partition.livemode;
        let link = self.link(token, &[LinkKind::Confirm], now)?;
        if link.account != Account::User(user.id.clone()) {
            return Err(Refused::OfAnother);
        }
        self.users.0.write(|rows| {
            let user = users::by_id(rows, livemode, &user.id)?.map(|(user, _)| user);
            // The link verifies the address to which it was sent, not a later one.
            let user = user.filter(|user| user.email == link.email).ok_or(Refused::NoLink)?;
            used_up(rows, livemode, token)?;
            Ok(credentials::prove(rows, user, Some(session), now)?)
        })
    }

    /// Returns true if a user without a password has recently logged in through an issuer in this session, which takes the place of a
    /// password.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn is_fresh(&self, session: &str, now: Timestamp) -> Result<bool, UsersError> {
        let begun_at = self.users.begun_at(session)?;
        Ok(begun_at.is_some_and(|begun_at| now.saturating_sub(begun_at) <= FRESH_MS))
    }

    /// Returns true if a user has a password.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn has_password(&self, user: &str) -> Result<bool, UsersError> {
        Ok(self.users.by_id(self.partition.livemode, user)?.is_some_and(|(_, hash)| !hash.is_empty()))
    }

    /// Verifies a user's password. The function receives the answer on another thread.
    ///
    /// # Errors
    /// Fails if the user database cannot be read, or if too many passwords are waiting; the function is then not called.
    pub fn prove(&self, user: &str, password: String, then: impl FnOnce(bool) + Send + 'static) -> Result<(), Refused> {
        let found = self.users.by_id(self.partition.livemode, user)?;
        let hash = found.map(|(_, hash)| hash).filter(|hash| !hash.is_empty());
        Ok(self.hasher.verify(password, hash, then)?)
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn log_out(&self, token: &str, now: Timestamp) -> Result<(), UsersError> {
        match self.signer.verify(token, now) {
            Some((_, session)) => self.users.end(&session, now),
            None => Ok(()),
        }
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn log_out_everywhere(&self, user: &User, now: Timestamp) -> Result<(), UsersError> {
        Ok(users::end_sessions(&self.users.0, &user.id, None, now)?)
    }
}

/// Uses up a link, which must be unused.
pub(crate) fn used_up(rows: &impl Statements, livemode: bool, token: &str) -> Result<(), Refused> {
    match links::use_link(rows, livemode, token)? {
        true => Ok(()),
        false => Err(Refused::NoLink),
    }
}

/// Adds a user without a session, and waits until the password is hashed: for operators' commands.
///
/// # Errors
/// Fails like a registration.
pub fn add_user(users: &Users, hasher: &Hasher, livemode: bool, new: NewUser, now: Timestamp) -> Result<User, Refused> {
    let (sender, made) = channel();
    // The receiver is waiting below.
    hasher.make(new, String::new(), move |made| drop(sender.send(made)))?;
    made.recv().map_err(|_| IdentityError::NoRandom)??.add(users, livemode, now)
}

/// A new user with valid values, and the hash of the password.
struct Made {
    address: Address,
    name: Option<String>,
    is_operator: bool,
    hash: String,
}

impl Made {
    fn add(self, users: &Users, livemode: bool, now: Timestamp) -> Result<User, Refused> {
        let user = User {
            id: random("usr_")?,
            livemode,
            email: self.address.as_str().to_owned(),
            name: self.name,
            is_operator: self.is_operator,
            created_at: now,
            announced_at: None,
            confirmed_at: None,
        };
        match users.add(&user, &self.hash)? {
            true => Ok(user),
            false => Err(Refused::Taken),
        }
    }
}

impl Hasher {
    /// Checks a new user of a business and hashes the password, entirely on a thread of the hasher, because checking a password takes
    /// long.
    fn make(
        &self,
        mut new: NewUser,
        business: String,
        then: impl FnOnce(Result<Made, Refused>) + Send + 'static,
    ) -> Result<(), Busy> {
        let password = std::mem::take(&mut new.password);
        let (name, is_operator) = (new.name.clone(), new.is_operator);
        let judge = move |password: &str| checked(&new, password, &business).map_err(Refused::Invalid);
        self.judge_and_hash(password, judge, move |judged| {
            let hashed = judged.and_then(|(address, hash)| Ok((address, hash.ok_or(IdentityError::NoRandom)?)));
            then(hashed.map(|(address, hash)| Made { address, name, is_operator, hash }));
        })
    }
}

/// Returns what is wrong with a weak password.
fn weak(password: &str, address: &Address, business: &str) -> Option<FieldError> {
    let error = |found: String| FieldError::new("/password", FieldErrorCode::NotAllowed, found);
    weakness(password, address, business).map(error)
}

/// Returns what is wrong with a user's name.
pub(crate) fn wrong_name(name: &str) -> Option<FieldError> {
    let is_wrong = name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control);
    let expected = format!("at most {NAME_CHARS_MAX} characters in one line");
    is_wrong.then(|| FieldError::new("/name", FieldErrorCode::OutOfRange, "").expecting(expected))
}

/// Returns the address of a new user of a business, or the invalid values.
fn checked(new: &NewUser, password: &str, business: &str) -> Result<Address, Vec<FieldError>> {
    let wrong = |path: &str, code, expected: &str| FieldError::new(path, code, "").expecting(expected);
    let address = Address::parse(&new.email);
    let mut errors = Vec::new();
    match &address {
        None => errors.push(wrong("/email", FieldErrorCode::BadFormat, "an e-mail address")),
        Some(address) => errors.extend(weak(password, address, business)),
    }
    errors.extend(new.name.as_deref().and_then(wrong_name));
    match address {
        Some(address) if errors.is_empty() => Ok(address),
        _ => Err(errors),
    }
}

/// Generates a random id.
///
/// # Errors
/// Fails if the system has no random bytes.
pub fn random(prefix: &str) -> Result<String, IdentityError> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| IdentityError::NoRandom)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}
