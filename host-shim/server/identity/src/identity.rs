//! Registers users, logs them in and out, and finds the user behind a token.

use crate::address::Address;
use crate::hasher::{Busy, Hasher};
use crate::password::weakness;
use crate::signer::Signer;
use crate::users::{User, Users, UsersError};
use extension_contract::{Account, Actor, ActorKind, FieldError, FieldErrorCode, Timestamp};
use host_access::{Caller, Reach};
use host_store::Partition;
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc::channel;

/// Time for which a session counts, in milliseconds: 14 days.
const SESSION_MS: i64 = 14 * 24 * 3_600_000;
/// Maximum length of a name in characters.
const NAME_CHARS_MAX: usize = 200;
/// Number of random bytes of an id.
const ID_BYTES: usize = 12;

/// The reason why users cannot be served now.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file of users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// Too many passwords wait.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The system has no random bytes.
    #[error("no random bytes")]
    NoRandom,
}

/// The reason why a user is not registered or logged in.
#[derive(Debug)]
pub enum Refused {
    /// Some values are wrong.
    Invalid(Vec<FieldError>),
    /// A user has the address.
    Taken,
    /// The address or the password is wrong; which one is not told.
    Wrong,
    /// Nobody can be registered or logged in now.
    Failed(IdentityError),
}

impl<E: Into<IdentityError>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused::Failed(error.into())
    }
}

/// A user who wants to be registered.
#[derive(Clone)]
pub struct NewUser {
    /// Address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Name for people.
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
    /// Puts the parts together.
    pub fn new(partition: Partition, users: Arc<Users>, hasher: Hasher, signer: Signer) -> Identity {
        Identity { partition, users, hasher, signer: Arc::new(signer) }
    }

    /// Returns the file of users.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Returns the public keys as a JSON Web Key Set.
    pub fn key_set(&self) -> Value {
        self.signer.key_set()
    }

    /// Makes a user and logs the user in. The function receives the answer on another thread.
    ///
    /// # Errors
    /// Fails if values are wrong, or if too many passwords wait; the function is then not called.
    pub fn register(
        &self,
        new: NewUser,
        now: Timestamp,
        then: impl FnOnce(Result<LoggedIn, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let address = checked(&new).map_err(Refused::Invalid)?;
        let identity = self.clone();
        let NewUser { password, name, is_operator, .. } = new;
        self.hasher.hash(password, move |hash| {
            let livemode = identity.partition.livemode;
            let added = add(&identity.users, livemode, &address, (name, is_operator), hash, now);
            then(added.and_then(|user| identity.begin(user, now)));
        })?;
        Ok(())
    }

    /// Logs a user in. The function receives the answer on another thread.
    ///
    /// # Errors
    /// Fails if the users cannot be read, or if too many passwords wait; the function is then not called.
    pub fn log_in(
        &self,
        email: &str,
        password: String,
        now: Timestamp,
        then: impl FnOnce(Result<LoggedIn, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let found = Address::parse(email).map(|address| self.users.by_address(self.partition.livemode, &address));
        let (user, hash) = found.transpose()?.flatten().unzip();
        let identity = self.clone();
        self.hasher.verify(password, hash, move |is_right| {
            let user = user.filter(|_| is_right).ok_or(Refused::Wrong);
            then(user.and_then(|user| identity.begin(user, now)));
        })?;
        Ok(())
    }

    fn begin(&self, user: User, now: Timestamp) -> Result<LoggedIn, Refused> {
        let (session, expires_at) = (random("ses_")?, now.saturating_add(SESSION_MS));
        self.users.begin(&session, &user.id, now, expires_at)?;
        let token = self.signer.sign(&user.id, &session, now, expires_at).ok_or(IdentityError::NoRandom)?;
        Ok(LoggedIn { user, token, expires_at })
    }

    /// Returns the user of a token and the id of the session; none if the token is not valid or the session has ended.
    ///
    /// # Errors
    /// Fails if the file of users cannot be read.
    pub fn user(&self, token: &str, now: Timestamp) -> Result<Option<(User, String)>, UsersError> {
        let Some((user, session)) = self.signer.verify(token, now) else { return Ok(None) };
        let found = self.users.of_session(self.partition.livemode, &session, now)?;
        Ok(found.filter(|found| found.id == user).map(|user| (user, session)))
    }

    /// Returns the caller of a token: a user in the own account, or an operator.
    ///
    /// # Errors
    /// Fails if the file of users cannot be read.
    pub fn caller(&self, token: &str, now: Timestamp) -> Result<Option<Caller>, UsersError> {
        let Some((user, _)) = self.user(token, now)? else { return Ok(None) };
        let (kind, reach) = match user.is_operator {
            true => (ActorKind::Admin, Reach::All),
            false => (ActorKind::User, Reach::Accounts(vec![Account::User(user.id.clone())])),
        };
        let actor = Actor { kind, subject: user.id.clone(), roles: Vec::new() };
        // Requests of a user count together, whatever the session is: also the ids of idempotent requests.
        Ok(Some(Caller { key: format!("user:{}", user.id), partition: self.partition.clone(), actor, reach }))
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    /// Fails if the file of users cannot be written.
    pub fn log_out(&self, token: &str, now: Timestamp) -> Result<(), UsersError> {
        match self.signer.verify(token, now) {
            Some((_, session)) => self.users.end(&session, now),
            None => Ok(()),
        }
    }
}

/// Adds a user without a session, and waits until the password is hashed: for commands of operators.
///
/// # Errors
/// Fails as a registration.
pub fn add_user(users: &Users, hasher: &Hasher, livemode: bool, new: NewUser, now: Timestamp) -> Result<User, Refused> {
    let address = checked(&new).map_err(Refused::Invalid)?;
    let (sender, hashed) = channel();
    // The receiver waits below.
    hasher.hash(new.password, move |hash| drop(sender.send(hash)))?;
    let hash = hashed.recv().map_err(|_| IdentityError::NoRandom)?;
    add(users, livemode, &address, (new.name, new.is_operator), hash, now)
}

fn add(
    users: &Users,
    livemode: bool,
    address: &Address,
    (name, is_operator): (Option<String>, bool),
    hash: Option<String>,
    now: Timestamp,
) -> Result<User, Refused> {
    let hash = hash.ok_or(IdentityError::NoRandom)?;
    let email = address.as_str().to_owned();
    let user = User { id: random("usr_")?, livemode, email, name, is_operator, created_at: now, announced_at: None };
    match users.add(&user, &hash)? {
        true => Ok(user),
        false => Err(Refused::Taken),
    }
}

/// Returns the address of a new user, or the wrong values.
fn checked(new: &NewUser) -> Result<Address, Vec<FieldError>> {
    let wrong = |path: &str, code, message: String| FieldError { path: path.to_owned(), code, message };
    let address = Address::parse(&new.email);
    let mut errors = Vec::new();
    match &address {
        None => errors.push(wrong("/email", FieldErrorCode::BadFormat, "expected an e-mail address".to_owned())),
        Some(address) => {
            let weak = weakness(&new.password, address);
            errors.extend(weak.map(|why| wrong("/password", FieldErrorCode::NotAllowed, why)));
        }
    }
    if new.name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control))
    {
        let message = format!("expected at most {NAME_CHARS_MAX} characters in one line");
        errors.push(wrong("/name", FieldErrorCode::OutOfRange, message));
    }
    match address {
        Some(address) if errors.is_empty() => Ok(address),
        _ => Err(errors),
    }
}

fn random(prefix: &str) -> Result<String, IdentityError> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| IdentityError::NoRandom)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    fn identity() -> Identity {
        let partition = Partition { business: "shop".into(), livemode: false };
        let signer = Signer::new("shop/test", &[("k1".into(), vec![7; 32])]).expect("a signer");
        let users = Arc::new(Users::in_memory().expect("a file"));
        Identity::new(partition, users, Hasher::start(1, 8).expect("a thread"), signer)
    }

    fn register(identity: &Identity, email: &str, password: &str) -> Result<LoggedIn, Refused> {
        let (sender, answer) = channel();
        let new = NewUser { email: email.into(), password: password.into(), name: None, is_operator: false };
        identity.register(new, 0, move |told| sender.send(told).expect("a receiver"))?;
        answer.recv().expect("an answer")
    }

    fn log_in(identity: &Identity, email: &str, password: &str) -> Result<LoggedIn, Refused> {
        let (sender, answer) = channel();
        identity.log_in(email, password.into(), DAY, move |told| sender.send(told).expect("a receiver"))?;
        answer.recv().expect("an answer")
    }

    #[test]
    fn a_user_registers_logs_in_and_out() {
        let identity = identity();
        let first = register(&identity, "Ada@Example.com", "correct horse").expect("registered");
        assert_eq!((first.user.email.as_str(), first.expires_at), ("ada@example.com", 14 * DAY));
        assert!(matches!(register(&identity, "ada@example.com", "another horse"), Err(Refused::Taken)));
        for (email, password) in
            [("ada@example.com", "wrong horse 1"), ("bob@example.com", "correct horse"), ("ada", "correct horse")]
        {
            assert!(matches!(log_in(&identity, email, password), Err(Refused::Wrong)), "{email}");
        }
        let second = log_in(&identity, "ADA@example.com", "correct horse").expect("logged in");
        assert_ne!(first.token, second.token);
        let caller = identity.caller(&second.token, DAY).expect("read").expect("a caller");
        assert_eq!(caller.reach, Reach::Accounts(vec![Account::User(first.user.id.clone())]));
        assert_eq!((caller.actor.kind, caller.is_operator()), (ActorKind::User, false));
        identity.log_out(&second.token, DAY).expect("written");
        assert_eq!(identity.caller(&second.token, DAY).expect("read"), None);
        assert!(identity.caller(&first.token, DAY).expect("read").is_some(), "another session goes on");
        assert_eq!(identity.caller(&first.token, 14 * DAY).expect("read"), None, "it has expired");
    }

    #[test]
    fn wrong_values_are_told_by_field() {
        let identity = identity();
        let paths = |email: &str, password: &str| match register(&identity, email, password) {
            Err(Refused::Invalid(errors)) => errors.into_iter().map(|error| error.path).collect::<Vec<_>>(),
            other => panic!("{:?}", other.err()),
        };
        assert_eq!(paths("ada", "correct horse"), ["/email"]);
        assert_eq!(paths("ada@example.com", "short"), ["/password"]);
    }
}
