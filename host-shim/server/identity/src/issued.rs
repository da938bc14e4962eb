//! Logs in users through an issuer (an external identity provider) instead of with a password.

use crate::address::Address;
use crate::credentials;
use crate::identity::{Identity, LoggedIn, NAME_CHARS_MAX, Proof, Refused, random};
use crate::organizations;
use crate::users::{self, COLUMNS, User, user};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};

/// A user whom an issuer has authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Id at the issuer.
    pub subject: &'a str,
    /// The address that the issuer has verified, if any.
    pub email: Option<&'a str>,
    /// Display name.
    pub name: Option<&'a str>,
}

fn of_issuer(rows: &impl Statements, livemode: bool, issued: Issued<'_>) -> Result<Option<User>, SmallError> {
    let query = format!(
        "SELECT {COLUMNS} FROM users \
         WHERE id = (SELECT \"user\" FROM issued WHERE livemode = ?1 AND issuer = ?2 AND subject = ?3)"
    );
    rows.query_one(&query, values![livemode, issued.issuer, issued.subject], user)
}

fn add_issued(rows: &impl Statements, livemode: bool, issued: Issued<'_>, user: &str) -> Result<(), SmallError> {
    let add = "INSERT INTO issued (livemode, issuer, subject, \"user\") VALUES (?1, ?2, ?3, ?4)";
    rows.execute(add, values![livemode, issued.issuer, issued.subject, user])?;
    Ok(())
}

impl Identity {
    /// Begins a session for a user whom an issuer has authenticated. At the first login, the verified address selects the user: the
    /// existing user with that address, or else a new one. At later logins, the user's address is updated to the one that the issuer
    /// verified, unless another user has verified it.
    ///
    /// # Errors
    /// Fails if the user is new and the issuer has verified no address, or if the user database is unavailable.
    pub fn log_in_issued(&self, issued: Issued<'_>, now: Timestamp) -> Result<LoggedIn, Refused> {
        let livemode = self.partition().livemode;
        let address = issued.email.and_then(Address::parse);
        let is_same = |known: &User| address.as_ref().is_none_or(|address| address.as_str() == known.email);
        let known = of_issuer(&self.users().0, livemode, issued)?.filter(is_same);
        let (user, proof) = match known {
            Some(known) => (known, Proof::default()),
            None => self.users().0.write(|rows| known_from_now_on(rows, (livemode, now), issued, address.as_ref()))?,
        };
        self.begin(user, proof, now)
    }
}

/// Returns the user for a first login through the issuer, or for a login with a changed address.
fn known_from_now_on(
    rows: &impl Statements,
    (livemode, now): (bool, Timestamp),
    issued: Issued<'_>,
    address: Option<&Address>,
) -> Result<(User, Proof), Refused> {
    // Another host may have been faster.
    if let Some(known) = of_issuer(rows, livemode, issued)? {
        return match address {
            Some(address) if address.as_str() != known.email => Ok(moved(rows, known, address)?),
            _ => Ok((known, Proof::default())),
        };
    }
    let address = address.ok_or(Refused::Unproved)?;
    let (user, proof) = match users::by_address(rows, livemode, address)? {
        Some((user, _)) if user.confirmed_at.is_some() => (user, Proof::default()),
        Some((user, _)) => {
            // Whoever registered with the address has not verified it, and may be somebody else.
            credentials::set_password(rows, &user, "", now)?;
            let taken_over = Some(Account::User(user.id.clone()));
            (credentials::prove(rows, user, None, now)?, Proof { taken_over, has_moved: false })
        }
        None => (new_user(rows, livemode, address, issued.name, now)?, Proof::default()),
    };
    add_issued(rows, livemode, issued, &user.id)?;
    Ok((user, proof))
}

/// Changes a user's address. If somebody else has registered with the address without verifying it, that account is added to the
/// user's accounts. If another user has verified it, nothing changes.
pub(crate) fn moved(rows: &impl Statements, known: User, address: &Address) -> Result<(User, Proof), SmallError> {
    let other = users::by_address(rows, known.livemode, address)?.map(|(other, _)| other);
    if other.as_ref().is_some_and(|other| other.confirmed_at.is_some()) {
        return Ok((known, Proof::default()));
    }
    let taken_over = other.map(|other| Account::User(other.id));
    if let Some(account @ Account::User(id)) = &taken_over {
        rows.execute("DELETE FROM users WHERE id = ?1", values![id])?;
        organizations::add_account(rows, known.livemode, account, &known.id)?;
    }
    rows.execute("UPDATE users SET email = ?2 WHERE id = ?1", values![&known.id, address.as_str()])?;
    Ok((User { email: address.as_str().to_owned(), ..known }, Proof { taken_over, has_moved: true }))
}

fn new_user(
    rows: &impl Statements,
    livemode: bool,
    address: &Address,
    name: Option<&str>,
    now: Timestamp,
) -> Result<User, Refused> {
    let user = User {
        id: random("usr_")?,
        livemode,
        email: address.as_str().to_owned(),
        name: name.map(|name| name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()),
        is_operator: false,
        created_at: now,
        announced_at: None,
        confirmed_at: Some(now),
    };
    match credentials::add(rows, &user, "")? {
        true => Ok(user),
        false => Err(Refused::Taken),
    }
}
