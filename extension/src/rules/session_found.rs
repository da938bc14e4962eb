//! The result of looking up a subscription's checkout session. If the session names an organization, it is injected as
//! an event, and the waiting events follow it to the organization.

use crate::actions::inject::inject;
use crate::actions::retrieve::read_answer;
use crate::actions::session_lookup::ask;
use crate::desk::Desk;
use crate::input::placement::named_account;
use crate::input::stripe;
use crate::model::halt::Ruled;
use crate::model::keys::{ClaimKey, FactKey};
use extension_contract::*;

/// Kind of the event that a session is injected as. A subscription exists only after its session was completed.
const COMPLETED: &str = "checkout.session.completed";

/// Handles the session that was found; null if the subscription has none. The account that then claims the subscription
/// receives the events that wait for the claim.
pub(super) fn decide(desk: &mut Desk<'_>, subscription: &str, report: &EffectReport) -> Ruled<Outcome> {
    let Some(answer) = read_answer(desk, report)? else {
        ask(desk, subscription)?;
        return Ok(Outcome::Applied);
    };
    let object = answer.object.get();
    let session = match object {
        "null" => None,
        object => Some(stripe::read_retrieved::<stripe::Session<'_>>(object)?),
    };
    let metadata = session.as_ref().and_then(|session| session.ours());
    let named = metadata.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    let Some(session) = session.filter(|_| matches!(named, Some(Account::Organization(_)))) else {
        desk.account.record_fact(&FactKey::OwnSubscription(subscription).to_string())?;
        // The claim is no longer free if an event about the session arrived in the meantime.
        desk.account.claim_free(&[ClaimKey::Subscription(subscription).into()])?;
        return Ok(Outcome::Applied);
    };
    inject(desk, &format!("{}:object", session.id), COMPLETED, report, &answer)?;
    Ok(Outcome::Applied)
}
