//! Users who log in at an issuer instead of with a password.

use crate::address::Address;
use crate::identity::{Identity, LoggedIn, NAME_CHARS_MAX, Refused, random};
use crate::users::{self, COLUMNS, User, user};
use extension_contract::Timestamp;
use host_small_store::{SmallError, Statements, values};

/// Table of the users' ids at issuers.
pub(crate) const TABLE: &str = "
    CREATE TABLE issued (
        livemode INTEGER NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        \"user\" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (livemode, issuer, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX issued_of_user ON issued (\"user\");";

/// Whom an issuer has logged in.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Id at the issuer.
    pub subject: &'a str,
    /// Address that the issuer has proved; none if it has proved none.
    pub email: Option<&'a str>,
    /// Name for people.
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
    /// Begins a session of whom an issuer has logged in. The first time, the proved address decides who that is: a user who has it, or
    /// a new one.
    ///
    /// # Errors
    /// Fails if the issuer has proved no address of somebody new, or if the users cannot be used.
    pub fn log_in_issued(&self, issued: Issued<'_>, now: Timestamp) -> Result<LoggedIn, Refused> {
        let livemode = self.partition().livemode;
        let known = of_issuer(&self.users().0, livemode, issued)?;
        let user = match known {
            Some(known) => known,
            None => self.users().0.write(|rows| known_from_now_on(rows, livemode, issued, now))?,
        };
        self.begin(user, now)
    }
}

/// Returns the user of whom an issuer has logged in for the first time.
fn known_from_now_on(
    rows: &impl Statements,
    livemode: bool,
    issued: Issued<'_>,
    now: Timestamp,
) -> Result<User, Refused> {
    // Another host may have been faster.
    if let Some(known) = of_issuer(rows, livemode, issued)? {
        return Ok(known);
    }
    let address = issued.email.and_then(Address::parse).ok_or(Refused::Unproved)?;
    let user = match users::by_address(rows, livemode, &address)? {
        Some((user, _)) if user.confirmed_at.is_some() => user,
        Some((user, _)) => {
            // Whoever registered with the address has not proved it, and may be somebody else.
            users::set_password(rows, &user.id, "", now)?;
            User { confirmed_at: Some(now), ..user }
        }
        None => new_user(rows, livemode, &address, issued.name, now)?,
    };
    add_issued(rows, livemode, issued, &user.id)?;
    Ok(user)
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
    match users::add(rows, &user, "")? {
        true => Ok(user),
        false => Err(Refused::Taken),
    }
}
