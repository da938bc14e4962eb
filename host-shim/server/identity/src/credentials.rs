//! Makes users, notes that they have proved their addresses, and sets their passwords. Each of these ends the sessions and links by which
//! somebody else could undo it.

use crate::links;
use crate::users::{User, Users, UsersError, end_sessions};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};

/// Adds a user, who has the account from now on: the claim links to it end. Returns false if a user has the address.
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

/// Notes that a user has proved the address. The first proof ends the user's other sessions and links: nobody had to prove anything to
/// begin them. Without a session it may be somebody else who had registered, and given a name.
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

/// Sets a user's password, and ends all sessions and links by which somebody could set another one.
pub(crate) fn set_password(
    rows: &impl Statements,
    user: &User,
    password: &str,
    now: Timestamp,
) -> Result<(), SmallError> {
    rows.execute("UPDATE users SET password = ?2 WHERE id = ?1", values![&user.id, password])?;
    links::end_of_user(rows, user)?;
    end_sessions(rows, &user.id, None, now)
}

impl Users {
    /// Adds a user. Returns false if a user has the address.
    ///
    /// # Errors
    /// Fails if the users cannot be written.
    pub fn add(&self, user: &User, password: &str) -> Result<bool, UsersError> {
        self.0.write(|rows| Ok(add(rows, user, password)?))
    }
}
