//! What a user changes about itself, in a session: the name, the password, the address, and the other sessions.

use crate::address::Address;
use crate::credentials;
use crate::identity::{Identity, IdentityError, Proof, Refused, used_up, wrong_name};
use crate::issued::moved;
use crate::links::{self, LinkKind};
use crate::password::weakness;
use crate::users::{self, User, Users, UsersError};
use extension_contract::{Account, FieldError, FieldErrorCode, Timestamp};
use host_store_postgres::small::{Statements, values};

/// A session in which a user is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Id; it is no secret, because tokens are signed.
    pub id: String,
    /// When it began, in milliseconds since the epoch.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Users {
    /// Returns a user's open sessions, the newest first.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn sessions_of(&self, user: &str, now: Timestamp) -> Result<Vec<OpenSession>, UsersError> {
        let open = "SELECT id, created_at, expires_at FROM sessions WHERE \"user\" = ?1 AND ended_at IS NULL \
                    AND expires_at > ?2 ORDER BY created_at DESC, id";
        Ok(self.0.query(open, values![user, now], |row| {
            Ok(OpenSession { id: row.get(0)?, created_at: row.get(1)?, expires_at: row.get(2)? })
        })?)
    }

    /// Ends a session of a user. Returns false if the user has no such open session.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn end_of(&self, user: &str, session: &str, now: Timestamp) -> Result<bool, UsersError> {
        let end = "UPDATE sessions SET ended_at = ?3 WHERE \"user\" = ?1 AND id = ?2 AND ended_at IS NULL \
                   AND expires_at > ?3";
        Ok(self.0.execute(end, values![user, session, now])? == 1)
    }

    /// Ends a user's sessions, except for one.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn end_others(&self, user: &str, kept: &str, now: Timestamp) -> Result<(), UsersError> {
        Ok(users::end_sessions(&self.0, user, Some(kept), now)?)
    }

    /// Changes a user's name; none removes it.
    ///
    /// # Errors
    /// Fails if the name is too long or the user database cannot be written.
    pub fn rename(&self, user: &User, name: Option<&str>) -> Result<User, Refused> {
        if let Some(error) = name.and_then(wrong_name) {
            return Err(Refused::Invalid(vec![error]));
        }
        let rename = "UPDATE users SET name = ?2 WHERE id = ?1";
        self.0.execute(rename, values![&user.id, name]).map_err(UsersError::from)?;
        Ok(User { name: name.map(str::to_owned), ..user.clone() })
    }
}

impl Identity {
    /// Sets the password of a user who has proved who it is, and ends the user's other sessions and links. The function receives the
    /// answer on another thread.
    ///
    /// # Errors
    /// Fails if the user has no valid address, or if too many passwords are waiting; the function is then not called.
    pub fn change_password(
        &self,
        (user, session): (&User, &str),
        password: String,
        now: Timestamp,
        then: impl FnOnce(Result<(), Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        let address = Address::parse(&user.email).ok_or(Refused::Wrong)?;
        let business = self.partition().business.clone();
        let judge = move |password: &str| match weakness(password, &address, &business) {
            Some(found) => {
                Err(Refused::Invalid(vec![FieldError::new("/new_password", FieldErrorCode::NotAllowed, found)]))
            }
            None => Ok(()),
        };
        let (identity, user, session) = (self.clone(), user.clone(), session.to_owned());
        self.hasher().judge_and_hash(password, judge, move |judged| {
            let hash = judged.and_then(|((), hash)| hash.ok_or(Refused::Failed(IdentityError::NoRandom)));
            then(hash.and_then(|hash| {
                let set = identity
                    .users()
                    .0
                    .write(|rows| credentials::replace_password(rows, &user, &hash, Some(&session), now));
                Ok(set.map_err(UsersError::from)?)
            }));
        })?;
        Ok(())
    }

    /// Gives a user the address to which a link went, in a session of this user. The link says only that the address can be read there:
    /// without a session, it does nothing. Ends the user's other sessions and links.
    ///
    /// # Errors
    /// Fails if the link cannot be used, went out for another user, or if somebody else has verified the address.
    pub fn move_address(
        &self,
        token: &str,
        (user, session): (&User, &str),
        now: Timestamp,
    ) -> Result<(User, Proof), Refused> {
        let livemode = self.partition().livemode;
        let link = self.link(token, &[LinkKind::Address], now)?;
        if link.account != Account::User(user.id.clone()) {
            return Err(Refused::OfAnother);
        }
        let address = Address::parse(&link.email).ok_or(Refused::NoLink)?;
        self.users().0.write(|rows| {
            let (known, _) = users::by_id(rows, livemode, &user.id)?.ok_or(Refused::NoLink)?;
            used_up(rows, livemode, token)?;
            links::end_of_user(rows, &known)?;
            let (moved, proof) = moved(rows, known, &address)?;
            if !proof.has_moved {
                return Err(Refused::Taken);
            }
            rows.execute("UPDATE users SET confirmed_at = ?2 WHERE id = ?1", values![&moved.id, now])?;
            users::end_sessions(rows, &moved.id, Some(session), now)?;
            Ok((User { confirmed_at: Some(now), ..moved }, proof))
        })
    }
}
