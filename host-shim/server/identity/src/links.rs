//! Links by mail: each has a random token, of which only the hash is kept, and works once. Whoever has it has read the mail.

use crate::address::Address;
use crate::users::{Users, UsersError};
use extension_contract::{Account, Timestamp};
use host_small_store::{SmallError, Statements, values};
use sha2::{Digest, Sha256};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// To take over an account that a checkout has made.
    Claim,
    /// To prove an address.
    Confirm,
    /// To join an organization.
    Invitation,
    /// To set a new password.
    Reset,
}

impl LinkKind {
    /// All kinds.
    pub const ALL: [LinkKind; 4] = [LinkKind::Claim, LinkKind::Confirm, LinkKind::Invitation, LinkKind::Reset];

    /// Returns the name, which is also the last part of the link's page.
    pub fn name(self) -> &'static str {
        match self {
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
            LinkKind::Confirm => "address_confirmation",
            LinkKind::Invitation => "organization_invitation",
            LinkKind::Reset => "password_reset",
        }
    }

    /// Returns the time for which a link of this kind works, in milliseconds.
    fn works_ms(self) -> i64 {
        match self {
            LinkKind::Claim => 30 * DAY_MS,
            LinkKind::Confirm | LinkKind::Invitation => 7 * DAY_MS,
            LinkKind::Reset => HOUR_MS,
        }
    }
}

/// A link, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The purpose.
    pub kind: LinkKind,
    /// True for a link of live mode.
    pub livemode: bool,
    /// The address to which it goes.
    pub email: String,
    /// The user's account, or the organization to join.
    pub account: Account,
    /// The roles of the new member.
    pub roles: Vec<String>,
}

/// A link that was forgotten, whose secret in the vault is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenLink {
    /// The account in whose scope the secret is.
    pub account: Account,
    /// True for a link of live mode.
    pub livemode: bool,
    /// Reference of the secret.
    pub secret: String,
}

/// Returns the hash of a token in the table.
fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Uses a link up. Returns false if it was used before.
pub(crate) fn use_link(rows: &impl Statements, livemode: bool, token: &str) -> Result<bool, SmallError> {
    let end = "UPDATE links SET expires_at = 0 WHERE hash = ?1 AND livemode = ?2 AND expires_at > 0";
    Ok(rows.execute(end, values![hash(token), livemode])? == 1)
}

impl Users {
    /// Adds a link. It takes the place of earlier links of its kind to the same address and account.
    ///
    /// # Errors
    /// Fails if the users cannot be written.
    pub fn add_link(&self, token: &str, link: &Link, secret: Option<&str>, now: Timestamp) -> Result<(), UsersError> {
        let account = link.account.to_string();
        self.0.write(|rows| {
            rows.execute(
                "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND account = ?4",
                values![link.livemode, &link.email, link.kind.name(), &account],
            )?;
            rows.execute(
                "INSERT INTO links (hash, kind, livemode, email, account, roles, secret, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                values![
                    hash(token),
                    link.kind.name(),
                    link.livemode,
                    &link.email,
                    &account,
                    serde_json::Value::from(link.roles.clone()).to_string(),
                    secret,
                    now.saturating_add(link.kind.works_ms())
                ],
            )?;
            Ok(())
        })
    }

    /// Returns the link of a token; none if it has expired, was used or does not exist.
    ///
    /// # Errors
    /// Fails if the users cannot be read.
    pub fn link(&self, livemode: bool, token: &str, now: Timestamp) -> Result<Option<Link>, UsersError> {
        let one = "SELECT kind, email, account, roles FROM links WHERE hash = ?1 AND livemode = ?2 AND expires_at > ?3";
        let found = self.0.query_one(one, values![hash(token), livemode, now], |row| {
            Ok((row.get::<String>(0)?, row.get(1)?, row.get::<String>(2)?, row.get::<String>(3)?))
        })?;
        Ok(found.and_then(|(kind, email, account, roles)| {
            let kind = LinkKind::ALL.into_iter().find(|known| known.name() == kind)?;
            let (account, roles) = (account.parse().ok()?, serde_json::from_str(&roles).ok()?);
            Some(Link { kind, livemode, email, account, roles })
        }))
    }

    /// Uses a link up. Returns false if it was used before: of two at once, one gets true.
    ///
    /// # Errors
    /// Fails if the users cannot be written.
    pub fn use_link(&self, livemode: bool, token: &str) -> Result<bool, UsersError> {
        Ok(use_link(&self.0, livemode, token)?)
    }

    /// Deletes the links of a mode that work no more, and returns those that have a secret.
    ///
    /// # Errors
    /// Fails if the users cannot be written.
    pub fn forget_links(&self, livemode: bool, now: Timestamp) -> Result<Vec<ForgottenLink>, UsersError> {
        let forget = "DELETE FROM links WHERE livemode = ?1 AND expires_at <= ?2 RETURNING account, secret";
        let deleted = self.0.write(|rows| {
            rows.query(forget, values![livemode, now], |row| Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?)))
        })?;
        let forgotten = deleted.into_iter().filter_map(|(account, secret)| {
            Some(ForgottenLink { account: account.parse().ok()?, livemode, secret: secret? })
        });
        Ok(forgotten.collect())
    }

    /// Returns the account that a link for an address leads to, if the address has a claim link that still works.
    ///
    /// # Errors
    /// Fails if the users cannot be read.
    pub fn claimable(&self, livemode: bool, address: &Address, now: Timestamp) -> Result<Vec<Account>, UsersError> {
        let all = "SELECT account FROM links WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND expires_at > ?4";
        let parameters = values![livemode, address.as_str(), LinkKind::Claim.name(), now];
        let rows = self.0.query(all, parameters, |row| row.get::<String>(0))?;
        Ok(rows.iter().filter_map(|account| account.parse().ok()).collect())
    }
}
