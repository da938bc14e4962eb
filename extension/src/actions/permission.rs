//! Checks of an event's actor and account that several rules need.

use crate::desk::Desk;
use crate::input::placement::named_account;
use crate::input::stripe::Metadata;
use crate::model::halt::Ruled;
use crate::model::records::closed::Closed;
use extension_contract::{Account, ActorKind, Refusal};

/// Fails if the actor is a user.
pub(crate) fn operators_only(desk: &Desk<'_>) -> Ruled<()> {
    match desk.actor.kind {
        ActorKind::User => Err(Refusal::Forbidden("only operators do it".to_owned()).into()),
        _ => Ok(()),
    }
}

/// Fails if the account is the platform.
pub(crate) fn not_the_platform(desk: &Desk<'_>) -> Ruled<()> {
    match desk.account.is_platform() {
        true => Err(Refusal::RequirementUnmet("a user or an organization".to_owned()).into()),
        false => Ok(()),
    }
}

/// Fails if the account was closed.
pub(crate) fn not_closed(desk: &mut Desk<'_>) -> Ruled<()> {
    match desk.account.get_here::<Closed>(Closed::ID)? {
        Some(_) => Err(Refusal::RequirementUnmet("account_closed".to_owned()).into()),
        None => Ok(()),
    }
}

/// Fails unless the actor is an operator or service and the account is the platform.
pub(crate) fn admin_of_platform(desk: &Desk<'_>) -> Ruled<()> {
    if !desk.account.is_platform() {
        return Err(Refusal::Forbidden("the catalog belongs to the platform".to_owned()).into());
    }
    match desk.actor.kind {
        ActorKind::Admin | ActorKind::Service | ActorKind::System => Ok(()),
        ActorKind::User | ActorKind::Extension => Err(Refusal::Forbidden("admin".to_owned()).into()),
    }
}

/// Fails if metadata names another account than the account that holds the claim.
pub(crate) fn check_owner(desk: &Desk<'_>, metadata: Option<&Metadata<'_>>) -> Ruled<()> {
    let account = desk.account.owned()?;
    let named = metadata.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    match (named, account) {
        // A member of the organization may have paid.
        (Some(Account::User(_)), Account::Organization(_)) | (None, _) => Ok(()),
        (Some(named), account) if named == account => Ok(()),
        (Some(_), _) => Err(Refusal::Inconsistent("/data/object/metadata".to_owned()).into()),
    }
}
