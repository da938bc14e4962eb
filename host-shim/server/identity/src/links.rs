//! Links sent by mail. Each has a random token, of which only the hash is stored, and works once. Whoever has the token has read the
//! mail.

use crate::address::Address;
use crate::users::{User, Users, UsersError};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};
use sha2::{Digest, Sha256};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How long the link of the first operator works: longer than anybody advances the clock in local mode.
const OPERATOR_MS: i64 = 100 * 366 * DAY_MS;

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// To change a user's address to the one that reads the mail.
    Address,
    /// To take over an account created by a checkout.
    Claim,
    /// To verify an address.
    Confirm,
    /// To join an organization.
    Invitation,
    /// To set a new password.
    Reset,
}

impl LinkKind {
    /// All kinds.
    pub const ALL: [LinkKind; 5] =
        [LinkKind::Address, LinkKind::Claim, LinkKind::Confirm, LinkKind::Invitation, LinkKind::Reset];

    /// Returns the name, which is also the last part of the link's page.
    pub fn name(self) -> &'static str {
        match self {
            LinkKind::Address => "address",
            LinkKind::Claim => "claim",
            LinkKind::Confirm => "confirm",
            LinkKind::Invitation => "invitation",
            LinkKind::Reset => "reset",
        }
    }

    /// Returns the template of the mail.
    pub fn template(self) -> &'static str {
        match self {
            LinkKind::Claim => "account_claim",
            LinkKind::Address | LinkKind::Confirm => "address_confirmation",
            LinkKind::Invitation => "organization_invitation",
            LinkKind::Reset => "password_reset",
        }
    }

    /// Returns how long a link of this kind works, in milliseconds.
    fn works_ms(self) -> i64 {
        match self {
            LinkKind::Claim => 30 * DAY_MS,
            LinkKind::Confirm | LinkKind::Invitation => 7 * DAY_MS,
            LinkKind::Address => DAY_MS,
            LinkKind::Reset => HOUR_MS,
        }
    }
}

/// Returns the SQL condition that somebody has or had an account: a user, be it as an additional account, or one who has left.
fn taken(account: &str, livemode: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM users WHERE 'user:' || users.id = {account}) \
         OR EXISTS (SELECT 1 FROM former_users AS former \
         WHERE 'user:' || former.id = {account} AND former.livemode = {livemode}) \
         OR EXISTS (SELECT 1 FROM further_accounts AS further \
         WHERE further.account = {account} AND further.livemode = {livemode}))"
    )
}

/// Returns true if somebody has or had an account. Such an account is given to nobody else.
pub(crate) fn is_taken(rows: &impl Statements, livemode: bool, account: &Account) -> Result<bool, SmallError> {
    let query = format!("SELECT {}", taken("?1", "?2"));
    Ok(rows.query_one(&query, values![account.to_string(), livemode], |row| row.get(0))?.unwrap_or(false))
}

/// A link, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The purpose.
    pub kind: LinkKind,
    /// True for a link of live mode.
    pub livemode: bool,
    /// The address to which it is sent.
    pub email: String,
    /// The user's account, or the organization to join.
    pub account: Account,
    /// The roles of the new member.
    pub roles: Vec<String>,
    /// The user who sent an invitation.
    pub sender: Option<String>,
    /// The user whose command led to the step that sends an invitation.
    pub cause: Option<String>,
}

impl Link {
    /// Returns a link without roles or a sender.
    pub fn new(kind: LinkKind, livemode: bool, address: &Address, account: Account) -> Link {
        Link {
            kind,
            livemode,
            email: address.as_str().to_owned(),
            account,
            roles: Vec::new(),
            sender: None,
            cause: None,
        }
    }

    /// Returns how long the link works, in milliseconds.
    fn works_ms(&self) -> i64 {
        match self.kind {
            LinkKind::Claim if !self.roles.is_empty() => OPERATOR_MS,
            kind => kind.works_ms(),
        }
    }
}

/// A deleted link, whose secret in the vault still has to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenLink {
    /// The account whose scope contains the secret.
    pub account: Account,
    /// True for a link of live mode.
    pub livemode: bool,
    /// Reference to the secret.
    pub secret: String,
}

/// Returns the hash of a token as stored in the table.
fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Returns the link with a token; none if it has expired, was used or does not exist.
pub(crate) fn by_token(
    rows: &impl Statements,
    livemode: bool,
    token: &str,
    now: Timestamp,
) -> Result<Option<Link>, SmallError> {
    let one = "SELECT kind, email, account, roles, sender, cause FROM links \
               WHERE hash = ?1 AND livemode = ?2 AND expires_at > ?3";
    let found = rows.query_one(one, values![hash(token), livemode, now], |row| {
        let (kind, account, roles) = (row.get::<String>(0)?, row.get::<String>(2)?, row.get::<String>(3)?);
        Ok((kind, row.get(1)?, account, roles, (row.get(4)?, row.get(5)?)))
    })?;
    Ok(found.and_then(|(kind, email, account, roles, (sender, cause))| {
        let kind = LinkKind::ALL.into_iter().find(|known| known.name() == kind)?;
        let (account, roles) = (account.parse().ok()?, serde_json::from_str(&roles).ok()?);
        Some(Link { kind, livemode, email, account, roles, sender, cause })
    }))
}

/// Invalidates the links to an address or of an account (`column`), and deletes their addresses.
pub(crate) fn end_with_address(
    rows: &impl Statements,
    livemode: bool,
    column: &str,
    value: &str,
) -> Result<(), SmallError> {
    let end = format!("UPDATE links SET expires_at = 0, email = '' WHERE livemode = ?1 AND {column} = ?2");
    rows.execute(&end, values![livemode, value])?;
    Ok(())
}

/// Invalidates the claim links to an account, which has a user from now on.
pub(crate) fn end_claims(rows: &impl Statements, livemode: bool, account: &Account) -> Result<(), SmallError> {
    let end = "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND account = ?2 AND kind = ?3";
    rows.execute(end, values![livemode, account.to_string(), LinkKind::Claim.name()])?;
    Ok(())
}

/// Invalidates the links with which a user, or whoever reads the user's mail, could set a password or verify the address.
pub(crate) fn end_of_user(rows: &impl Statements, user: &User) -> Result<(), SmallError> {
    let end = "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND kind <> ?4 AND (email = ?2 OR account = ?3)";
    let account = Account::User(user.id.clone()).to_string();
    rows.execute(end, values![user.livemode, &user.email, account, LinkKind::Invitation.name()])?;
    Ok(())
}

/// Adds a link. An invitation replaces an earlier one to the same address and organization. Several other links work at the same time
/// until one is used, since mails arrive in any order and a stranger may request the newest.
pub(crate) fn add(
    rows: &impl Statements,
    token: &str,
    link: &Link,
    secret: Option<&str>,
    now: Timestamp,
) -> Result<(), SmallError> {
    let account = link.account.to_string();
    if link.kind == LinkKind::Invitation {
        rows.execute(
            "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND account = ?4",
            values![link.livemode, &link.email, link.kind.name(), &account],
        )?;
    }
    rows.execute(
        "INSERT INTO links (hash, kind, livemode, email, account, roles, sender, secret, expires_at, cause) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        values![
            hash(token),
            link.kind.name(),
            link.livemode,
            &link.email,
            &account,
            serde_json::Value::from(link.roles.clone()).to_string(),
            link.sender.as_deref(),
            secret,
            now.saturating_add(link.works_ms()),
            link.cause.as_deref()
        ],
    )?;
    Ok(())
}

/// Uses up a link. Returns false if it was used before.
pub(crate) fn use_link(rows: &impl Statements, livemode: bool, token: &str) -> Result<bool, SmallError> {
    let end = "UPDATE links SET expires_at = 0 WHERE hash = ?1 AND livemode = ?2 AND expires_at > 0";
    Ok(rows.execute(end, values![hash(token), livemode])? == 1)
}

impl Users {
    /// Returns the link with a token; none if it has expired, was used or does not exist.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn link(&self, livemode: bool, token: &str, now: Timestamp) -> Result<Option<Link>, UsersError> {
        Ok(by_token(&self.0, livemode, token, now)?)
    }

    /// Uses up a link. Returns false if it was used before: if two callers try at the same time, only one gets true.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn use_link(&self, livemode: bool, token: &str) -> Result<bool, UsersError> {
        Ok(use_link(&self.0, livemode, token)?)
    }

    /// Deletes the links of a mode that no longer work, and returns those that have a secret. The newest claim link of an account is
    /// kept, without its secret, until a user has the account, because the account's mails go to the address of that link.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn forget_links(&self, livemode: bool, now: Timestamp) -> Result<Vec<ForgottenLink>, UsersError> {
        let ended = "livemode = ?1 AND expires_at <= ?2";
        let secrets = format!("SELECT account, secret FROM links WHERE {ended} AND secret IS NOT NULL");
        let forget = format!("UPDATE links SET secret = NULL WHERE {ended} AND secret IS NOT NULL");
        let delete = format!(
            "DELETE FROM links WHERE {ended} AND (kind <> ?3 OR email = '' OR roles <> '[]' OR {} \
             OR EXISTS (SELECT 1 FROM links AS newer \
             WHERE newer.livemode = links.livemode AND newer.account = links.account AND newer.kind = links.kind \
             AND newer.expires_at > links.expires_at))",
            taken("links.account", "links.livemode")
        );
        let deleted = self.0.write(|rows| {
            let found =
                rows.query(&secrets, values![livemode, now], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
            rows.execute(&forget, values![livemode, now])?;
            rows.execute(&delete, values![livemode, now, LinkKind::Claim.name()])?;
            Ok::<_, SmallError>(found)
        })?;
        let forgotten = deleted
            .into_iter()
            .filter_map(|(account, secret)| Some(ForgottenLink { account: account.parse().ok()?, livemode, secret }));
        Ok(forgotten.collect())
    }

    /// Returns true if somebody has or had an account: a user, be it as an additional account, or one who has left.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn is_taken(&self, livemode: bool, account: &Account) -> Result<bool, UsersError> {
        Ok(is_taken(&self.0, livemode, account)?)
    }

    /// Invalidates the links with which somebody becomes the first operator in local mode.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn end_operator_links(&self, livemode: bool) -> Result<(), UsersError> {
        let end = "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND kind = ?2 AND roles <> '[]'";
        self.0.execute(end, values![livemode, LinkKind::Claim.name()])?;
        Ok(())
    }

    /// Returns the accounts that checkouts have created for an address and that no user has yet. Their links may have expired.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn claimable(&self, livemode: bool, address: &Address) -> Result<Vec<Account>, UsersError> {
        let all = format!(
            "SELECT DISTINCT account FROM links \
             WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND roles = '[]' AND NOT {} ORDER BY account",
            taken("links.account", "links.livemode")
        );
        let parameters = values![livemode, address.as_str(), LinkKind::Claim.name()];
        let rows = self.0.query(&all, parameters, |row| row.get::<String>(0))?;
        Ok(rows.iter().filter_map(|account| account.parse().ok()).collect())
    }
}
