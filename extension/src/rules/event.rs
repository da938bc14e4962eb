//! A business's own facts, for example `user.registered`: services send them, and the catalog declares the reactions.

use crate::actions::permission::{not_closed, not_the_platform, operators_only};
use crate::catalog::schema::check_told;
use crate::desk::Desk;
use crate::desk::react::react;
use crate::model::halt::{Ruled, Verdict};
use crate::model::json::Object;
use crate::model::records::campaign::Membership;
use extension_contract::{Outcome, Refusal};

/// Decides a fact. Fails if the catalog does not declare the fact.
pub(super) fn decide(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let kind = desk.kind;
    let settings = desk.catalog.settings()?;
    let Some(decl) = settings.events.get(kind) else {
        return Err(Refusal::NotFound(format!("event {kind}")).into());
    };
    operators_only(desk)?;
    not_the_platform(desk)?;
    not_closed(desk)?;
    record_event(desk, kind)?;
    let fields = check_told("", kind, &decl.fields, desk.actor.kind, body)?;
    react(desk, kind, &desk.event_hash(), &fields)?;
    Ok(Outcome::Applied.into())
}

/// Records a business fact in the account's membership, for campaigns that select by it.
fn record_event(desk: &mut Desk<'_>, event: &str) -> Ruled<()> {
    if desk.catalog.settings()?.campaigns.is_none() {
        return Ok(());
    }
    let mut known = desk.account.row::<Membership>(Membership::ID)?.unwrap_or_default();
    if !known.events.iter().any(|known| known == event) {
        known.events.push(event.to_owned());
        desk.account.put(Membership::ID, known);
    }
    Ok(())
}
