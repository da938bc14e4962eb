//! Creates links for mails. A link's address contains its token, so it is stored in the vault as a secret, and mails contain a reference to
//! it.

use crate::identity::{Identity, IdentityError};
use crate::invitations;
use crate::links::{self, Link, LinkKind, is_taken};
use crate::users::{Users, UsersError};
use extension_contract::{Account, Timestamp, short_sha256};
use host_provider_api::{SecretError, Secrets};
use std::fmt;
use std::sync::Arc;

/// Length of the hash in a secret's name, in bytes.
const NAME_BYTES: usize = 8;

/// The reason why a link was not created.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The user database cannot be read or written, or the system has no random bytes.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is an invitation whose sender may send no more of them, or a claim to an account that somebody already has.
    #[error(
        "the account has a user, or whoever invites may do so no more, or the organization has too many open invitations"
    )]
    NotAllowed,
    /// The vault cannot be used.
    #[error("the vault: {0}")]
    Vault(#[from] SecretError),
}

/// Creates links to the pages of a business.
#[derive(Clone)]
pub struct LinkMaker {
    identity: Identity,
    secrets: Arc<dyn Secrets>,
    base: String,
}

impl fmt::Debug for LinkMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkMaker").field("base", &self.base).finish_non_exhaustive()
    }
}

impl LinkMaker {
    /// Links lead to `BASE/auth/KIND?token=TOKEN`, with a `base` that has no trailing slash.
    pub fn new(identity: Identity, secrets: Arc<dyn Secrets>, base: String) -> LinkMaker {
        LinkMaker { identity, secrets, base }
    }

    /// Returns the users.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the name of the scope of an account's secrets.
    fn scope(&self, account: &Account) -> String {
        self.identity.partition().scope(account.clone()).name()
    }

    /// Creates a link and returns the reference to its address. Deletes what is left of links that no longer work.
    ///
    /// # Errors
    /// Fails if the vault or the user database cannot be written.
    pub fn make(&self, link: &Link, now: Timestamp) -> Result<String, LinkError> {
        let users = self.identity.users();
        for forgotten in users.forget_links(link.livemode, now).map_err(IdentityError::from)? {
            self.secrets.forget(&self.scope(&forgotten.account), &forgotten.secret)?;
        }
        let token = self.identity.link_token()?;
        let address = format!("{}/auth/{}?token={token}", self.base, link.kind.name());
        let reference = self.keep(&link.account, &short_sha256(&token, NAME_BYTES), &address)?;
        if !users.add_link(&token, link, Some(&reference), now).map_err(IdentityError::from)? {
            self.secrets.forget(&self.scope(&link.account), &reference)?;
            return Err(LinkError::NotAllowed);
        }
        Ok(reference)
    }

    /// Returns the reference to the login page, for mails to users who need no link.
    ///
    /// # Errors
    /// Fails if the vault cannot be written.
    pub fn log_in_page(&self, account: &Account) -> Result<String, LinkError> {
        self.keep(account, "login", &format!("{}/login", self.base))
    }

    fn keep(&self, account: &Account, name: &str, address: &str) -> Result<String, LinkError> {
        Ok(self.secrets.put(&self.scope(account), &format!("link-{name}"), address)?.reference)
    }
}

impl Users {
    /// Adds a link. An invitation replaces an earlier one to the same address and organization. Several other links work at the same time
    /// until one is used. Returns false, and adds nothing, for an invitation that may not be sent, or a claim to an account that somebody
    /// already has.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn add_link(&self, token: &str, link: &Link, secret: Option<&str>, now: Timestamp) -> Result<bool, UsersError> {
        self.0.write(|rows| {
            let may_be_sent = match link.kind {
                LinkKind::Claim => !is_taken(rows, link.livemode, &link.account)?,
                LinkKind::Invitation => invitations::may_be_sent(rows, link, now)?,
                LinkKind::Address | LinkKind::Confirm | LinkKind::Reset => true,
            };
            if may_be_sent {
                links::add(rows, token, link, secret, now)?;
            }
            Ok(may_be_sent)
        })
    }
}
