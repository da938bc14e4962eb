//! Who gets the mails of an account, and in which language.

use crate::address::Address;
use crate::links::LinkKind;
use crate::organizations::OWNER;
use crate::users::{Users, UsersError};
use extension_contract::Account;
use host_store_postgres::small::{Row, SmallError, Statements, values};

/// A person who gets the mails of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailed {
    /// Address.
    pub email: String,
    /// Language tag; none if it is not known.
    pub language: Option<String>,
}

fn mailed(row: &Row) -> Result<Mailed, SmallError> {
    Ok(Mailed { email: row.get(0)?, language: row.get(1)? })
}

impl Users {
    /// Records the language of a user.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn speaks(&self, id: &str, language: &str) -> Result<(), UsersError> {
        let set = "UPDATE users SET language = ?2 WHERE id = ?1 AND coalesce(language, '') <> ?2";
        self.0.execute(set, values![id, language])?;
        Ok(())
    }

    /// Returns the language of the user with an address; none if it is not known.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn language_of(&self, livemode: bool, address: &Address) -> Result<Option<String>, UsersError> {
        let one = "SELECT email, language FROM users WHERE livemode = ?1 AND email = ?2";
        let found = self.0.query_one(one, values![livemode, address.as_str()], mailed)?;
        Ok(found.and_then(|user| user.language))
    }

    /// Returns true for an account whose mails go to an address that nobody has verified yet: that of a new user, or of a buyer without
    /// a user.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn is_unproved(&self, livemode: bool, account: &Account) -> Result<bool, UsersError> {
        let Account::User(id) = account else { return Ok(false) };
        let unproved = "SELECT 1 FROM users WHERE livemode = ?1 AND id = ?2 AND confirmed_at IS NULL \
            UNION ALL SELECT 1 FROM links WHERE livemode = ?1 AND account = ?3 AND kind = ?4 \
            AND NOT EXISTS (SELECT 1 FROM users WHERE livemode = ?1 AND id = ?2) \
            AND NOT EXISTS (SELECT 1 FROM further_accounts WHERE livemode = ?1 AND account = ?3) LIMIT 1";
        let parameters = values![livemode, id, account.to_string(), LinkKind::Claim.name()];
        Ok(self.0.query_one(unproved, parameters, |_| Ok(()))?.is_some())
    }

    /// Returns who gets the mails of an account: its user, or whoever has taken it over, or the address to which its claim link was
    /// sent, even after that link has expired; or the owners of an organization.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn mailed(&self, livemode: bool, account: &Account) -> Result<Vec<Mailed>, UsersError> {
        match account {
            Account::User(id) => {
                let of_user = "SELECT email, language FROM users WHERE livemode = ?1 AND id = ?2";
                if let Some(user) = self.0.query_one(of_user, values![livemode, id], mailed)? {
                    return Ok(vec![user]);
                }
                let account = account.to_string();
                let of_further = "SELECT email, language FROM users \
                    JOIN further_accounts ON further_accounts.\"user\" = users.id \
                    WHERE further_accounts.livemode = ?1 AND account = ?2";
                if let Some(user) = self.0.query_one(of_further, values![livemode, &account], mailed)? {
                    return Ok(vec![user]);
                }
                let of_link = "SELECT email, CAST(NULL AS TEXT) FROM links WHERE livemode = ?1 AND account = ?2 AND kind = ?3 \
                    AND email <> '' ORDER BY expires_at DESC LIMIT 1";
                let parameters = values![livemode, &account, LinkKind::Claim.name()];
                Ok(self.0.query_one(of_link, parameters, mailed)?.into_iter().collect())
            }
            Account::Organization(id) => {
                let owners = "SELECT email, language, roles FROM members \
                    JOIN users ON users.id = members.\"user\" \
                    WHERE organization = ?1 AND livemode = ?2 ORDER BY joined_at, users.id";
                let rows =
                    self.0.query(owners, values![id, livemode], |row| Ok((mailed(row)?, row.get::<String>(2)?)))?;
                let owns = |roles: &str| {
                    // The program itself writes the string.
                    serde_json::from_str::<Vec<String>>(roles).is_ok_and(|roles| roles.iter().any(|role| role == OWNER))
                };
                Ok(rows.into_iter().filter(|(_, roles)| owns(roles)).map(|(user, _)| user).collect())
            }
            Account::Platform => Ok(Vec::new()),
        }
    }
}
