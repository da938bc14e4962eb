//! Organizations, the roles of their members, and the additional accounts of users.

use crate::links::{self, LinkKind};
use crate::users::{self, COLUMNS, User, Users, UsersError, user};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{Row, SmallError, Statements, values};

/// The role of the user who creates an organization. Owners invite and remove members.
pub const OWNER: &str = "owner";

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Id; the account is `organization:ID`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_at: Timestamp,
}

/// The result of removing a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The member was removed.
    Done,
    /// There is no such member.
    Unknown,
    /// The member is the last owner, whom the organization must keep.
    LastOwner,
}

fn roles(text: &str) -> Vec<String> {
    // The program itself writes the string.
    serde_json::from_str(text).unwrap_or_default()
}

fn texts(roles: &[String]) -> String {
    serde_json::Value::from(roles.to_vec()).to_string()
}

fn organization(row: &Row) -> Result<Organization, SmallError> {
    Ok(Organization { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })
}

/// Returns an organization.
pub(crate) fn organization_of(
    rows: &impl Statements,
    livemode: bool,
    id: &str,
) -> Result<Option<Organization>, SmallError> {
    let one = "SELECT id, name, created_at FROM organizations WHERE livemode = ?1 AND id = ?2";
    rows.query_one(one, values![livemode, id], organization)
}

/// Returns the roles of a member, or none if the user is not a member.
pub(crate) fn roles_in(
    rows: &impl Statements,
    organization: &str,
    user: &str,
) -> Result<Option<Vec<String>>, SmallError> {
    let one = "SELECT roles FROM members WHERE organization = ?1 AND \"user\" = ?2";
    rows.query_one(one, values![organization, user], |row| Ok(roles(&row.get::<String>(0)?)))
}

/// Returns how many members an organization has.
pub(crate) fn count_of_members(rows: &impl Statements, organization: &str) -> Result<u32, SmallError> {
    let count = "SELECT count(*) FROM members WHERE organization = ?1";
    Ok(rows.query_one(count, values![organization], |row| row.get(0))?.unwrap_or(0))
}

/// Returns true if a user owns an organization.
pub(crate) fn owns(rows: &impl Statements, organization: &str, user: &str) -> Result<bool, SmallError> {
    Ok(roles_in(rows, organization, user)?.is_some_and(|roles| roles.iter().any(|role| role == OWNER)))
}

/// Adds a member to an organization, or gives a member additional roles.
pub(crate) fn join(
    rows: &impl Statements,
    organization: &str,
    user: &str,
    new_roles: &[String],
    now: Timestamp,
) -> Result<(), SmallError> {
    let mut all = roles_in(rows, organization, user)?.unwrap_or_default();
    all.extend(new_roles.iter().filter(|role| !all.contains(role)).cloned().collect::<Vec<_>>());
    rows.execute(
        "INSERT INTO members (organization, \"user\", roles, joined_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (organization, \"user\") DO UPDATE SET roles = excluded.roles",
        values![organization, user, texts(&all), now],
    )?;
    Ok(())
}

/// Gives a user another account and invalidates its claim links. Returns false if somebody else has or had it.
pub(crate) fn add_account(
    rows: &impl Statements,
    livemode: bool,
    account: &Account,
    user: &str,
) -> Result<bool, SmallError> {
    if matches!(account, Account::User(id) if id == user) {
        return Ok(true);
    }
    let text = account.to_string();
    if !links::is_taken(rows, livemode, account)? {
        let add =
            "INSERT INTO further_accounts (account, livemode, \"user\") VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        rows.execute(add, values![&text, livemode, user])?;
        links::end_claims(rows, livemode, account)?;
    }
    let holder = "SELECT \"user\" FROM further_accounts WHERE account = ?1 AND livemode = ?2";
    let holder: Option<String> = rows.query_one(holder, values![&text, livemode], |row| row.get(0))?;
    Ok(holder.as_deref() == Some(user))
}

impl Users {
    /// Creates an organization owned by a user. Returns false, and creates nothing, if the user has not verified an address.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn found(&self, livemode: bool, organization: &Organization, owner: &str) -> Result<bool, UsersError> {
        let Organization { id, name, created_at } = organization;
        self.0.write(|rows| {
            let owner_found = users::by_id(rows, livemode, owner)?;
            if owner_found.is_none_or(|(user, _)| user.confirmed_at.is_none()) {
                return Ok(false);
            }
            rows.execute(
                "INSERT INTO organizations (id, livemode, name, created_at) VALUES (?1, ?2, ?3, ?4)",
                values![id, livemode, name, *created_at],
            )?;
            rows.execute(
                "INSERT INTO members (organization, \"user\", roles, joined_at) VALUES (?1, ?2, ?3, ?4)",
                values![id, owner, texts(&[OWNER.to_owned()]), *created_at],
            )?;
            Ok(true)
        })
    }

    /// Returns an organization.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn organization(&self, livemode: bool, id: &str) -> Result<Option<Organization>, UsersError> {
        Ok(organization_of(&self.0, livemode, id)?)
    }

    /// Returns a user's organizations, each with the user's roles in it.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn organizations_of(&self, user: &str) -> Result<Vec<(Organization, Vec<String>)>, UsersError> {
        let all = "SELECT organizations.id, name, created_at, roles FROM members \
                   JOIN organizations ON organizations.id = members.organization \
                   WHERE \"user\" = ?1 ORDER BY organizations.id";
        Ok(self.0.query(all, values![user], |row| Ok((organization(row)?, roles(&row.get::<String>(3)?))))?)
    }

    /// Returns the members of an organization, each with their roles.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn members(&self, organization: &str) -> Result<Vec<(User, Vec<String>)>, UsersError> {
        let all = format!(
            "SELECT {COLUMNS}, roles FROM members JOIN users ON users.id = members.\"user\" \
             WHERE organization = ?1 ORDER BY joined_at, users.id"
        );
        Ok(self.0.query(&all, values![organization], |row| Ok((user(row)?, roles(&row.get::<String>(8)?))))?)
    }

    /// Adds a member to an organization, or gives a member additional roles.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn join(&self, organization: &str, user: &str, new_roles: &[String], now: Timestamp) -> Result<(), UsersError> {
        self.0.write(|rows| Ok(join(rows, organization, user, new_roles, now)?))
    }

    /// Removes a member, unless they are the last owner. Invalidates the invitations to the member's address and the ones
    /// that the member sent or caused.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn remove(&self, organization: &str, user: &str) -> Result<Removed, UsersError> {
        self.0.write(|rows| {
            let all = "SELECT \"user\", roles FROM members WHERE organization = ?1";
            let all: Vec<(String, Vec<String>)> = rows
                .query(all, values![organization], |row| Ok((row.get::<String>(0)?, roles(&row.get::<String>(1)?))))?;
            let owns = |(_, roles): &&(String, Vec<String>)| roles.iter().any(|role| role == OWNER);
            let Some(member) = all.iter().find(|(id, _)| id == user) else { return Ok(Removed::Unknown) };
            if owns(&member) && all.iter().filter(owns).count() == 1 {
                return Ok(Removed::LastOwner);
            }
            let remove = "DELETE FROM members WHERE organization = ?1 AND \"user\" = ?2";
            rows.execute(remove, values![organization, user])?;
            let account = Account::Organization(organization.to_owned()).to_string();
            rows.execute(
                "UPDATE links SET expires_at = 0 WHERE account = ?1 AND kind = ?2 \
                 AND (sender = ?3 OR cause = ?3 OR email = (SELECT email FROM users WHERE id = ?3))",
                values![account, LinkKind::Invitation.name(), user],
            )?;
            Ok(Removed::Done)
        })
    }

    /// Deletes an organization with its members and invitations.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn dissolve(&self, livemode: bool, id: &str) -> Result<(), UsersError> {
        self.0.write(|rows| {
            let account = Account::Organization(id.to_owned()).to_string();
            let end = "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND account = ?2";
            rows.execute(end, values![livemode, account])?;
            rows.execute("DELETE FROM organizations WHERE livemode = ?1 AND id = ?2", values![livemode, id])?;
            Ok(())
        })
    }

    /// Gives a user another account, such as one created by a checkout. Returns false if somebody else has it.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn add_account(&self, livemode: bool, account: &Account, user: &str) -> Result<bool, UsersError> {
        self.0.write(|rows| Ok(add_account(rows, livemode, account, user)?))
    }

    /// Returns the additional accounts of a user.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn further_accounts(&self, user: &str) -> Result<Vec<Account>, UsersError> {
        let all = "SELECT account FROM further_accounts WHERE \"user\" = ?1 ORDER BY account";
        let rows = self.0.query(all, values![user], |row| row.get::<String>(0))?;
        Ok(rows.iter().filter_map(|account| account.parse().ok()).collect())
    }
}
