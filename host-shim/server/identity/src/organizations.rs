//! Organizations, the roles of their members, and the further accounts of users.

use crate::users::{COLUMNS, User, Users, UsersError, user};
use extension_contract::{Account, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

/// The role of who makes an organization. Owners invite and remove members.
pub const OWNER: &str = "owner";

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Id; the account is `organization:ID`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_at: Timestamp,
}

/// The result of removing a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The member is removed.
    Done,
    /// There is no such member.
    Unknown,
    /// An organization keeps an owner.
    LastOwner,
}

fn roles(text: &str) -> Vec<String> {
    // The program itself writes the text.
    serde_json::from_str(text).unwrap_or_default()
}

fn texts(roles: &[String]) -> String {
    serde_json::Value::from(roles.to_vec()).to_string()
}

fn organization(row: &Row<'_>) -> rusqlite::Result<Organization> {
    Ok(Organization { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })
}

impl Users {
    /// Makes an organization whose owner is a user.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn found(&self, livemode: bool, organization: &Organization, owner: &str) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        both.execute(
            "INSERT INTO organizations (id, livemode, name, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![organization.id, livemode, organization.name, organization.created_at],
        )?;
        both.execute(
            "INSERT INTO members (organization, user, roles, joined_at) VALUES (?1, ?2, ?3, ?4)",
            params![organization.id, owner, texts(&[OWNER.to_owned()]), organization.created_at],
        )?;
        both.commit()?;
        Ok(())
    }

    /// Returns an organization.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn organization(&self, livemode: bool, id: &str) -> Result<Option<Organization>, UsersError> {
        let connection = self.lock();
        let mut one = connection
            .prepare_cached("SELECT id, name, created_at FROM organizations WHERE livemode = ?1 AND id = ?2")?;
        Ok(one.query_row(params![livemode, id], organization).optional()?)
    }

    /// Returns the organizations of a user, each with the roles.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn organizations_of(&self, user: &str) -> Result<Vec<(Organization, Vec<String>)>, UsersError> {
        let connection = self.lock();
        let mut all = connection.prepare_cached(
            "SELECT organizations.id, name, created_at, roles FROM members \
             JOIN organizations ON organizations.id = members.organization WHERE user = ?1 ORDER BY organizations.id",
        )?;
        let read = |row: &Row<'_>| Ok((organization(row)?, roles(&row.get::<_, String>(3)?)));
        let rows = all.query_map([user], read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Returns the members of an organization, each with the roles.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn members(&self, organization: &str) -> Result<Vec<(User, Vec<String>)>, UsersError> {
        let connection = self.lock();
        let query = format!(
            "SELECT {COLUMNS}, roles FROM members JOIN users ON users.id = members.user \
             WHERE organization = ?1 ORDER BY joined_at, users.id"
        );
        let mut all = connection.prepare_cached(&query)?;
        let read = |row: &Row<'_>| Ok((user(row)?, roles(&row.get::<_, String>(8)?)));
        let rows = all.query_map([organization], read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Adds a member to an organization, or gives a member further roles.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn join(&self, organization: &str, user: &str, new_roles: &[String], now: Timestamp) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        let known = "SELECT roles FROM members WHERE organization = ?1 AND user = ?2";
        let known: Option<String> = both.query_row(known, params![organization, user], |row| row.get(0)).optional()?;
        let mut all = known.as_deref().map(roles).unwrap_or_default();
        all.extend(new_roles.iter().filter(|role| !all.contains(role)).cloned().collect::<Vec<_>>());
        both.execute(
            "INSERT INTO members (organization, user, roles, joined_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (organization, user) DO UPDATE SET roles = excluded.roles",
            params![organization, user, texts(&all), now],
        )?;
        both.commit()?;
        Ok(())
    }

    /// Removes a member, but not the last owner.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn remove(&self, organization: &str, user: &str) -> Result<Removed, UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        let all: Vec<(String, Vec<String>)> = {
            let mut all = both.prepare_cached("SELECT user, roles FROM members WHERE organization = ?1")?;
            let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, roles(&row.get::<_, String>(1)?)));
            all.query_map([organization], read)?.collect::<Result<_, _>>()?
        };
        let owns = |(_, roles): &&(String, Vec<String>)| roles.iter().any(|role| role == OWNER);
        let Some(member) = all.iter().find(|(id, _)| id == user) else { return Ok(Removed::Unknown) };
        if owns(&member) && all.iter().filter(owns).count() == 1 {
            return Ok(Removed::LastOwner);
        }
        both.execute("DELETE FROM members WHERE organization = ?1 AND user = ?2", params![organization, user])?;
        both.commit()?;
        Ok(Removed::Done)
    }

    /// Deletes an organization with its members and invitations.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn dissolve(&self, livemode: bool, id: &str) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        let account = Account::Organization(id.to_owned()).to_string();
        both.execute(
            "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND account = ?2",
            params![livemode, account],
        )?;
        both.execute("DELETE FROM organizations WHERE livemode = ?1 AND id = ?2", params![livemode, id])?;
        both.commit()?;
        Ok(())
    }

    /// Gives a user a further account, such as one that a checkout has made. Returns false if another user has it.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn add_account(&self, livemode: bool, account: &Account, user: &str) -> Result<bool, UsersError> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO further_accounts (account, livemode, user) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![account.to_string(), livemode, user],
        )?;
        let holder = "SELECT user FROM further_accounts WHERE account = ?1 AND livemode = ?2";
        let holder: String = connection.query_row(holder, params![account.to_string(), livemode], |row| row.get(0))?;
        Ok(holder == user)
    }

    /// Returns the further accounts of a user.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn further_accounts(&self, user: &str) -> Result<Vec<Account>, UsersError> {
        let connection = self.lock();
        let mut all =
            connection.prepare_cached("SELECT account FROM further_accounts WHERE user = ?1 ORDER BY account")?;
        let rows = all.query_map([user], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(rows.iter().filter_map(|account| account.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(users: &Users, id: &str) {
        let person = User {
            id: id.into(),
            livemode: false,
            email: format!("{id}@example.com"),
            name: None,
            is_operator: false,
            created_at: 0,
            announced_at: None,
            confirmed_at: None,
        };
        assert!(users.add(&person, "").expect("written"));
    }

    #[test]
    fn an_organization_keeps_an_owner_and_a_member_gets_further_roles() {
        let users = Users::in_memory().expect("a file");
        person(&users, "ada");
        person(&users, "bob");
        let choir = Organization { id: "org_1".into(), name: "Choir".into(), created_at: 5 };
        users.found(false, &choir, "ada").expect("written");
        users.join("org_1", "bob", &["member".into()], 6).expect("written");
        users.join("org_1", "bob", &["billing".into(), "member".into()], 7).expect("written");
        let roles = |of: &str| {
            let all = users.organizations_of(of).expect("read");
            all.into_iter().map(|(organization, roles)| (organization.name, roles)).collect::<Vec<_>>()
        };
        assert_eq!(roles("ada"), [("Choir".into(), vec!["owner".into()])]);
        assert_eq!(roles("bob"), [("Choir".into(), vec!["member".into(), "billing".into()])]);
        let members: Vec<String> = users.members("org_1").expect("read").into_iter().map(|(user, _)| user.id).collect();
        assert_eq!(members, ["ada", "bob"]);
        assert_eq!(users.remove("org_1", "ada").expect("written"), Removed::LastOwner);
        assert_eq!(users.remove("org_1", "eve").expect("written"), Removed::Unknown);
        assert_eq!(users.remove("org_1", "bob").expect("written"), Removed::Done);
        assert_eq!(roles("bob"), []);
    }

    #[test]
    fn an_account_has_one_user() {
        let users = Users::in_memory().expect("a file");
        person(&users, "ada");
        person(&users, "bob");
        let account = Account::User("usr_x".into());
        assert!(users.add_account(false, &account, "ada").expect("written"));
        assert!(users.add_account(false, &account, "ada").expect("written"));
        assert!(!users.add_account(false, &account, "bob").expect("written"));
        assert_eq!(users.further_accounts("ada").expect("read"), [account]);
        assert_eq!(users.further_accounts("bob").expect("read"), []);
    }
}
