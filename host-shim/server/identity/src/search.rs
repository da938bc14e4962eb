//! Finds accounts by a part of their owner's name or address, for operators.

use crate::users::{Users, UsersError};
use extension_contract::Account;
use host_store_postgres::small::{Statements, values};

/// Escapes the special characters in a LIKE pattern.
const ESCAPE: char = '!';

/// The owner of an account, as far as the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Name of the user or the organization.
    pub name: Option<String>,
    /// Address to which the mails of the account are sent.
    pub email: Option<String>,
}

/// Returns the pattern of strings that contain a part.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(letter);
    }
    pattern + "%"
}

impl Users {
    /// Returns up to `limit` users and up to `limit` organizations whose name or address contains a part, ignoring case. They come
    /// after the account `after`, in account order.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn search(
        &self,
        livemode: bool,
        part: &str,
        after: Option<&Account>,
        limit: usize,
    ) -> Result<Vec<Account>, UsersError> {
        // SQLite ignores the case of ASCII letters only, so other letters are also searched for as they were typed.
        let (lower, typed) = (containing(&part.to_lowercase()), containing(part));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        let after_organization = match after {
            None => Some(""),
            Some(Account::Organization(id)) => Some(id.as_str()),
            Some(Account::Platform | Account::User(_)) => None,
        };
        if let Some(after) = after_organization {
            let named = "SELECT id FROM organizations WHERE livemode = ?1 AND id > ?2 \
                AND (lower(name) LIKE ?3 ESCAPE '!' OR name LIKE ?4 ESCAPE '!') ORDER BY id LIMIT ?5";
            let ids = self.0.query(named, values![livemode, after, &lower, &typed, limit], |row| row.get(0))?;
            found.extend(ids.into_iter().map(Account::Organization));
        }
        let after_user = match after {
            Some(Account::User(id)) => id,
            _ => "",
        };
        let named = "SELECT id FROM users WHERE livemode = ?1 AND id > ?2 \
            AND (email LIKE ?3 ESCAPE '!' OR lower(name) LIKE ?3 ESCAPE '!' OR name LIKE ?4 ESCAPE '!') ORDER BY id LIMIT ?5";
        let ids = self.0.query(named, values![livemode, after_user, &lower, &typed, limit], |row| row.get(0))?;
        found.extend(ids.into_iter().map(Account::User));
        Ok(found)
    }

    /// Returns the owner of an account: its user or organization, or whoever gets its mails.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn holder(&self, livemode: bool, account: &Account) -> Result<Holder, UsersError> {
        let name = match account {
            Account::User(id) => self.by_id(livemode, id)?.and_then(|(user, _)| user.name),
            Account::Organization(id) => self.organization(livemode, id)?.map(|organization| organization.name),
            Account::Platform => None,
        };
        let email = self.mailed(livemode, account)?.into_iter().next().map(|mailed| mailed.email);
        Ok(Holder { name, email })
    }
}
