//! Invitations to organizations: who may send them, which are open, and what a user accepts.
//!
//! An invitation is valid while its sender owns the organization. One without a sender comes from a step in the business's catalog, and is
//! valid while the user whose command led to the step is a member. It is sent to an address, so accepting it verifies that address.

use crate::credentials;
use crate::identity::{Identity, Refused, used_up};
use crate::leaving::has_left;
use crate::links::{Link, LinkKind, by_token};
use crate::organizations::{Organization, count_of_members, join, organization_of, owns, roles_in};
use crate::users::{self, User, Users, UsersError};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};

/// Maximum number of open invitations of an organization.
pub const INVITATIONS_MAX: u32 = 50;
/// Number of hexadecimal digits of an invitation's id, which is the beginning of its hash.
const ID_DIGITS: usize = 24;

/// An open invitation, as owners see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Id.
    pub id: String,
    /// The invited address.
    pub email: String,
    /// The roles of the new member.
    pub roles: Vec<String>,
    /// The user who sent it, or whose command led to the step that sent it.
    pub sender: Option<String>,
    /// When it expires, in milliseconds since the epoch.
    pub expires_at: Timestamp,
}

/// Returns true while an invitation to an organization is valid: its sender owns the organization, and the user who caused its step is a
/// member with a verified address. A user of another server is known only by the key that the business has created.
fn counts(rows: &impl Statements, link: &Link, organization: &str) -> Result<bool, SmallError> {
    if let Some(sender) = &link.sender
        && !owns(rows, organization, sender)?
    {
        return Ok(false);
    }
    let Some(cause) = &link.cause else { return Ok(true) };
    match users::by_id(rows, link.livemode, cause)? {
        Some((user, _)) => Ok(user.confirmed_at.is_some() && roles_in(rows, organization, cause)?.is_some()),
        None => Ok(!has_left(rows, link.livemode, cause)?),
    }
}

/// Returns true if the invitation is valid, its sender, if any, has verified an address, and the organization does not have too many open
/// invitations.
pub(crate) fn may_be_sent(rows: &impl Statements, link: &Link, now: Timestamp) -> Result<bool, SmallError> {
    let Account::Organization(organization) = &link.account else { return Ok(false) };
    if let Some(sender) = &link.sender {
        let known = users::by_id(rows, link.livemode, sender)?;
        if known.is_none_or(|(user, _)| user.confirmed_at.is_none()) {
            return Ok(false);
        }
    }
    if !counts(rows, link, organization)? {
        return Ok(false);
    }
    // An earlier invitation to the same address is replaced.
    let open = "SELECT count(*) FROM links \
                WHERE livemode = ?1 AND account = ?2 AND kind = ?3 AND expires_at > ?4 AND email <> ?5";
    let parameters = values![link.livemode, link.account.to_string(), LinkKind::Invitation.name(), now, &link.email];
    let open: Option<u32> = rows.query_one(open, parameters, |row| row.get(0))?;
    Ok(open.unwrap_or(0) < INVITATIONS_MAX)
}

/// Returns the invitation with a token, if it is for this user, and its organization.
fn invitation_for(
    rows: &impl Statements,
    token: &str,
    user: &User,
    now: Timestamp,
) -> Result<(Link, Organization), Refused> {
    let (link, organization) = open_invitation(rows, token, user.livemode, now)?;
    match link.email == user.email {
        true => Ok((link, organization)),
        false => Err(Refused::OfAnother),
    }
}

/// Returns the invitation with a token, and its organization.
fn open_invitation(
    rows: &impl Statements,
    token: &str,
    livemode: bool,
    now: Timestamp,
) -> Result<(Link, Organization), Refused> {
    let link = by_token(rows, livemode, token, now)?.filter(|link| link.kind == LinkKind::Invitation);
    let link = link.ok_or(Refused::NoLink)?;
    let Account::Organization(id) = &link.account else { return Err(Refused::NoLink) };
    if !counts(rows, &link, id)? {
        return Err(Refused::NoLink);
    }
    let organization = organization_of(rows, livemode, id)?.ok_or(Refused::NoLink)?;
    Ok((link, organization))
}

impl Identity {
    /// Returns what an invitation is for.
    ///
    /// # Errors
    /// Fails if the invitation is no longer valid or was sent to another address, or if the user database cannot be read.
    pub fn invitation(&self, token: &str, user: &User, now: Timestamp) -> Result<(Link, Organization), Refused> {
        invitation_for(&self.users().0, token, user, now)
    }

    /// Returns what an invitation is for, to somebody who has not logged in and has its token.
    ///
    /// # Errors
    /// Fails if the invitation is no longer valid, or if the user database cannot be read.
    pub fn open_invitation(&self, token: &str, now: Timestamp) -> Result<(Link, Organization), Refused> {
        open_invitation(&self.users().0, token, self.partition().livemode, now)
    }

    /// Makes a user a member of an organization by means of an invitation, which verifies the user's address. If that is the first
    /// verification, the other sessions end. `seats` is the maximum number of members. Returns the user and the organization.
    ///
    /// # Errors
    /// Fails like [`Identity::invitation`], if all seats are used, or if the user database cannot be written.
    pub fn join(
        &self,
        token: &str,
        (user, session): (&User, &str),
        seats: Option<u32>,
        now: Timestamp,
    ) -> Result<(User, Organization), Refused> {
        self.users().0.write(|rows| {
            let (link, organization) = invitation_for(rows, token, user, now)?;
            let is_new = roles_in(rows, &organization.id, &user.id)?.is_none();
            if let Some(seats) = seats.filter(|_| is_new)
                && count_of_members(rows, &organization.id)? >= seats
            {
                return Err(Refused::NoSeat);
            }
            used_up(rows, user.livemode, token)?;
            join(rows, &organization.id, &user.id, &link.roles, now)?;
            Ok((credentials::prove(rows, user.clone(), Some(session), now)?, organization))
        })
    }
}

impl Users {
    /// Returns the open invitations of an organization, sorted by address.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn invitations(
        &self,
        livemode: bool,
        organization: &str,
        now: Timestamp,
    ) -> Result<Vec<Invitation>, UsersError> {
        let all = format!(
            "SELECT substr(hash, 1, {ID_DIGITS}), email, roles, COALESCE(sender, cause), expires_at FROM links \
             WHERE livemode = ?1 AND account = ?2 AND kind = ?3 AND expires_at > ?4 ORDER BY email, hash"
        );
        let account = Account::Organization(organization.to_owned()).to_string();
        let parameters = values![livemode, account, LinkKind::Invitation.name(), now];
        Ok(self.0.query(&all, parameters, |row| {
            Ok(Invitation {
                id: row.get(0)?,
                email: row.get(1)?,
                // The program itself writes the string.
                roles: serde_json::from_str(&row.get::<String>(2)?).unwrap_or_default(),
                sender: row.get(3)?,
                expires_at: row.get(4)?,
            })
        })?)
    }

    /// Withdraws an invitation of an organization. Returns false if there is no open one with this id.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn withdraw(&self, livemode: bool, organization: &str, id: &str, now: Timestamp) -> Result<bool, UsersError> {
        let end = format!(
            "UPDATE links SET expires_at = 0 \
             WHERE livemode = ?1 AND account = ?2 AND kind = ?3 AND substr(hash, 1, {ID_DIGITS}) = ?4 AND expires_at > ?5"
        );
        let account = Account::Organization(organization.to_owned()).to_string();
        Ok(self.0.execute(&end, values![livemode, account, LinkKind::Invitation.name(), id, now])? > 0)
    }
}
