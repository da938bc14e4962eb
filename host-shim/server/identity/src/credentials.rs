//! Creates users, records that they have verified their addresses, and sets their passwords. Each of these ends the sessions and links
//! with which somebody else could undo it.

use crate::links;
use crate::users::{User, Users, UsersError, end_sessions};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};

/// Adds a user, who owns the account from now on: its claim links are invalidated. Returns false if another user already has the address.
pub(crate) fn add(rows: &impl Statements, user: &User, password: &str) -> Result<bool, SmallError> {
    let added = rows.execute(
        "INSERT INTO users (id, livemode, email, name, password, is_operator, created_at, announced_at, confirmed_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        values![
            &user.id,
            user.livemode,
            &user.email,
            user.name.as_deref(),
            password,
            user.is_operator,
            user.created_at,
            user.announced_at,
            user.confirmed_at
        ],
    )?;
    if added == 1 {
        links::end_claims(rows, user.livemode, &Account::User(user.id.clone()))?;
    }
    Ok(added == 1)
}

/// Records that a user has verified the address. The first verification ends the user's other sessions and links, because these could be
/// started without verifying anything. Without a session, it may be somebody else who registered, and who gave the name.
pub(crate) fn prove(
    rows: &impl Statements,
    user: User,
    session: Option<&str>,
    now: Timestamp,
) -> Result<User, SmallError> {
    if user.confirmed_at.is_some() {
        return Ok(user);
    }
    let name = user.name.clone().filter(|_| session.is_some());
    let prove = "UPDATE users SET confirmed_at = ?2, name = ?3 WHERE id = ?1";
    rows.execute(prove, values![&user.id, now, name.as_deref()])?;
    end_sessions(rows, &user.id, session, now)?;
    links::end_of_user(rows, &user)?;
    Ok(User { confirmed_at: Some(now), name, ..user })
}

/// Sets a user's password, and ends all sessions and links with which somebody could set a different one.
pub(crate) fn set_password(
    rows: &impl Statements,
    user: &User,
    password: &str,
    now: Timestamp,
) -> Result<(), SmallError> {
    replace_password(rows, user, password, None, now)
}

/// Sets a user's password, and ends all links and all sessions but the one in which the user has proved the former password.
pub(crate) fn replace_password(
    rows: &impl Statements,
    user: &User,
    password: &str,
    session: Option<&str>,
    now: Timestamp,
) -> Result<(), SmallError> {
    rows.execute("UPDATE users SET password = ?2 WHERE id = ?1", values![&user.id, password])?;
    links::end_of_user(rows, user)?;
    end_sessions(rows, &user.id, session, now)
}

impl Users {
    /// Adds a user. Returns false if another user already has the address.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn add(&self, user: &User, password: &str) -> Result<bool, UsersError> {
        self.0.write(|rows| Ok(add(rows, user, password)?))
    }
}
