//! Finds accounts by a part of the name or the address of whom they belong to, for operators.

use crate::users::{Users, UsersError};
use extension_contract::Account;
use host_store_postgres::small::{Statements, values};

/// Escapes the characters with a meaning in a pattern of LIKE.
const ESCAPE: char = '!';

/// Whose account it is, as far as the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Name of the user or the organization.
    pub name: Option<String>,
    /// Address that gets the mails of the account.
    pub email: Option<String>,
}

/// Returns the pattern of texts that contain a part.
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
    /// Returns up to `limit` users, and up to `limit` organizations, whose name or address contains a part, whatever its case. They
    /// come after the account `after`, in the order of accounts.
    ///
    /// # Errors
    /// Fails if the users cannot be read.
    pub fn search(
        &self,
        livemode: bool,
        part: &str,
        after: Option<&Account>,
        limit: usize,
    ) -> Result<Vec<Account>, UsersError> {
        // SQLite changes the case of ASCII only, so another letter is also looked for as it was typed.
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

    /// Returns whose an account is: its user or organization, or who gets its mails.
    ///
    /// # Errors
    /// Fails if the users cannot be read.
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
