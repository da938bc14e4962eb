//! Users who leave, and accounts that are closed. What they had does not come back: none of their sessions, links and keys is valid
//! any longer, and nobody takes over their accounts.

use crate::links;
use crate::users::{self, User, Users, UsersError};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};

/// Returns true for a user who has left.
pub(crate) fn has_left(rows: &impl Statements, livemode: bool, id: &str) -> Result<bool, SmallError> {
    let any = "SELECT EXISTS (SELECT 1 FROM former_users WHERE livemode = ?1 AND id = ?2)";
    Ok(rows.query_one(any, values![livemode, id], |row| row.get(0))?.unwrap_or(false))
}

/// Records that somebody has left: a user of this server (`was_user`), or of another one.
fn leaves(rows: &impl Statements, livemode: bool, id: &str, was_user: bool, now: Timestamp) -> Result<(), SmallError> {
    let note =
        "INSERT INTO former_users (id, livemode, was_user, left_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    rows.execute(note, values![id, livemode, was_user, now])?;
    Ok(())
}

fn delete(rows: &impl Statements, user: &User, now: Timestamp) -> Result<(), SmallError> {
    links::end_with_address(rows, user.livemode, "email", &user.email)?;
    let end = "UPDATE links SET expires_at = 0 WHERE sender = ?1 OR cause = ?1";
    rows.execute(end, values![&user.id])?;
    rows.execute("DELETE FROM users WHERE id = ?1", values![&user.id])?;
    leaves(rows, user.livemode, &user.id, true, now)
}

impl Users {
    /// Deletes a user with the sessions, the memberships, the links to the address, and the invitations that the user sent or caused.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn delete(&self, user: &User, now: Timestamp) -> Result<(), UsersError> {
        self.0.write(|rows| Ok(delete(rows, user, now)?))
    }

    /// Ends what the server stores for a closed account: its user, or the organization with its members, or a user's additional
    /// account, and the links to it with their addresses.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn close(&self, livemode: bool, account: &Account, now: Timestamp) -> Result<(), UsersError> {
        self.0.write(|rows| {
            links::end_with_address(rows, livemode, "account", &account.to_string())?;
            match account {
                Account::User(id) => {
                    if let Some((user, _)) = users::by_id(rows, livemode, id)? {
                        delete(rows, &user, now)?;
                    }
                    let end = "DELETE FROM further_accounts WHERE livemode = ?1 AND account = ?2";
                    rows.execute(end, values![livemode, account.to_string()])?;
                    leaves(rows, livemode, id, false, now)?;
                }
                Account::Organization(id) => {
                    rows.execute("DELETE FROM organizations WHERE livemode = ?1 AND id = ?2", values![livemode, id])?;
                }
                Account::Platform => {}
            }
            Ok(())
        })
    }

    /// Revokes a user's operator rights, and ends the sessions.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn demote(&self, user: &User, now: Timestamp) -> Result<(), UsersError> {
        self.0.write(|rows| {
            rows.execute("UPDATE users SET is_operator = 0 WHERE id = ?1", values![&user.id])?;
            Ok(users::end_sessions(rows, &user.id, None, now)?)
        })
    }

    /// Returns true for a user who has left, or whose account is closed.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn has_left(&self, livemode: bool, id: &str) -> Result<bool, UsersError> {
        Ok(has_left(&self.0, livemode, id)?)
    }

    /// Returns true for a former user of this server.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn was_user(&self, livemode: bool, id: &str) -> Result<bool, UsersError> {
        let any = "SELECT EXISTS (SELECT 1 FROM former_users WHERE livemode = ?1 AND id = ?2 AND was_user = 1)";
        Ok(self.0.query_one(any, values![livemode, id], |row| row.get(0))?.unwrap_or(false))
    }
}
