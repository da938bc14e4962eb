//! Links by mail: each has a random token, of which the file keeps the hash, and works once. Whoever has it has read the mail.

use crate::address::Address;
use crate::users::{Users, UsersError};
use extension_contract::{Account, Timestamp};
use rusqlite::{OptionalExtension, params};
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

/// Returns the hash of a token in the file.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

impl Users {
    /// Adds a link. It takes the place of earlier links of its kind to the same address and account.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn add_link(&self, token: &str, link: &Link, secret: Option<&str>, now: Timestamp) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        let account = link.account.to_string();
        both.execute(
            "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND account = ?4",
            params![link.livemode, link.email, link.kind.name(), account],
        )?;
        both.execute(
            "INSERT INTO links (hash, kind, livemode, email, account, roles, secret, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                hash(token),
                link.kind.name(),
                link.livemode,
                link.email,
                account,
                serde_json::Value::from(link.roles.clone()).to_string(),
                secret,
                now.saturating_add(link.kind.works_ms())
            ],
        )?;
        both.commit()?;
        Ok(())
    }

    /// Returns the link of a token; none if it has expired, was used or does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn link(&self, livemode: bool, token: &str, now: Timestamp) -> Result<Option<Link>, UsersError> {
        let connection = self.lock();
        let mut one = connection.prepare_cached(
            "SELECT kind, email, account, roles FROM links WHERE hash = ?1 AND livemode = ?2 AND expires_at > ?3",
        )?;
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(String, String, String, String)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let found = one.query_row(params![hash(token), livemode, now], read).optional()?;
        Ok(found.and_then(|(kind, email, account, roles)| {
            let kind = LinkKind::ALL.into_iter().find(|known| known.name() == kind)?;
            let (account, roles) = (account.parse().ok()?, serde_json::from_str(&roles).ok()?);
            Some(Link { kind, livemode, email, account, roles })
        }))
    }

    /// Uses a link up. Returns false if it was used before: of two at once, one gets true.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn use_link(&self, livemode: bool, token: &str) -> Result<bool, UsersError> {
        let end = "UPDATE links SET expires_at = 0 WHERE hash = ?1 AND livemode = ?2 AND expires_at > 0";
        Ok(self.lock().execute(end, params![hash(token), livemode])? == 1)
    }

    /// Deletes the links of a mode that work no more, and returns those that have a secret.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn forget_links(&self, livemode: bool, now: Timestamp) -> Result<Vec<ForgottenLink>, UsersError> {
        let connection = self.lock();
        let mut all = connection
            .prepare_cached("DELETE FROM links WHERE livemode = ?1 AND expires_at <= ?2 RETURNING account, secret")?;
        let read =
            |row: &rusqlite::Row<'_>| -> rusqlite::Result<(String, Option<String>)> { Ok((row.get(0)?, row.get(1)?)) };
        let rows = all.query_map(params![livemode, now], read)?.collect::<Result<Vec<_>, _>>()?;
        let forgotten = rows.into_iter().filter_map(|(account, secret)| {
            Some(ForgottenLink { account: account.parse().ok()?, livemode, secret: secret? })
        });
        Ok(forgotten.collect())
    }

    /// Returns the account that a link for an address leads to, if the address has a claim link that still works.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn claimable(&self, livemode: bool, address: &Address, now: Timestamp) -> Result<Vec<Account>, UsersError> {
        let connection = self.lock();
        let mut all = connection.prepare_cached(
            "SELECT account FROM links WHERE livemode = ?1 AND email = ?2 AND kind = ?3 AND expires_at > ?4",
        )?;
        let parameters = params![livemode, address.as_str(), LinkKind::Claim.name(), now];
        let rows = all.query_map(parameters, |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(rows.iter().filter_map(|account| account.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_until_it_expires_and_a_newer_one_replaces_it() {
        let users = Users::in_memory().expect("a file");
        let link = Link {
            kind: LinkKind::Reset,
            livemode: false,
            email: "ada@example.com".into(),
            account: Account::User("usr_1".into()),
            roles: Vec::new(),
        };
        users.add_link("t1", &link, Some("secret:1"), 0).expect("written");
        assert_eq!(users.link(false, "t1", HOUR_MS - 1).expect("read"), Some(link.clone()));
        assert_eq!(users.link(false, "t1", HOUR_MS).expect("read"), None, "it has expired");
        assert_eq!(users.link(true, "t1", 0).expect("read"), None, "another mode");
        users.add_link("t2", &link, Some("secret:2"), 0).expect("written");
        assert_eq!(users.link(false, "t1", 0).expect("read"), None, "a newer link replaces it");
        assert!(users.use_link(false, "t2").expect("written"));
        assert!(!users.use_link(false, "t2").expect("written"), "it was used");
        users.add_link("t3", &link, Some("secret:3"), 0).expect("written");
        let forgotten = |now| -> Vec<String> {
            let all = users.forget_links(false, now).expect("written");
            all.into_iter().map(|forgotten| forgotten.secret).collect()
        };
        let mut used = forgotten(HOUR_MS - 1);
        used.sort();
        assert_eq!(used, ["secret:1", "secret:2"], "the replaced one and the used one");
        assert_eq!(forgotten(HOUR_MS), ["secret:3"], "the expired one");
    }
}
