//! Looks up the checkout session of a subscription that our checkout did not make. The session may name an organization
//! that the subscription does not name, and then everything about the subscription belongs to the organization.
//!
//! Until Stripe answers, the payer's account claims nothing. If the session names an organization, the session is
//! injected as an event, and the waiting events follow it to the organization.

use super::retrieve;
use crate::catalog::LOOK_UP_SESSIONS;
use crate::catalog::desk::Desk;
use crate::input::placement::named_account;
use crate::input::stripe::{self, Metadata};
use crate::model::concern::Concern;
use crate::model::halt::Ruled;
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::*;
use serde_json::json;

/// Kind of the event that a session is injected as. A subscription exists only after its session was completed.
const COMPLETED: &str = "checkout.session.completed";

/// Returns the outcome of an event that must wait until it is known whose subscription this is.
pub(super) fn wait_for_owner(desk: &mut Desk<'_>, id: &str, metadata: Option<&Metadata<'_>>) -> Ruled<Option<Outcome>> {
    let made_by_us = metadata.is_some_and(|m| m.purchase_id.is_some() || m.organization_id.is_some());
    let is_user = matches!(desk.account.owner(), Some(Account::User(_)));
    if made_by_us || !is_user || desk.catalog.setting(LOOK_UP_SESSIONS)? != Some(ConfigValue::Boolean(true)) {
        return Ok(None);
    }
    let is_placed = desk.account.get::<SubscriptionRow>(id)?.is_some()
        || desk.account.get::<BillingHistory>(id)?.is_some_and(|billing| billing.purchase.is_some())
        || desk.account.is_known(&FactKey::OwnSubscription(id).to_string())?;
    if is_placed {
        return Ok(None);
    }
    ask(desk, id)?;
    Ok(Some(Outcome::Deferred(DeferReason::Claim(vec![ClaimKey::Subscription(id).into()]))))
}

fn ask(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let key = EffectKey::Retrieve { object: format!("session-of-{id}"), because: 0, views: 0 };
    let payload = json!({"object": "checkout.session", "id": id, "by": "subscription"});
    retrieve::fetch_for(desk, &key, &payload, &Concern::SessionOf { subscription: id.to_owned() })
}

/// Handles the session that was found; null if the subscription has none. Whoever then claims the subscription receives
/// the events that wait for the claim.
pub(super) fn found(desk: &mut Desk<'_>, subscription: &str, report: &EffectReport) -> Ruled<Outcome> {
    let Some(answer) = retrieve::read_answer(desk, report)? else {
        ask(desk, subscription)?;
        return Ok(Outcome::Applied);
    };
    let object = answer.object.get();
    let session = match object {
        "null" => None,
        object => Some(stripe::read_fetched::<stripe::Session<'_>>(object)?),
    };
    let metadata = session.as_ref().and_then(|session| session.ours());
    let named = metadata.and_then(|m| named_account(m.user_id.as_deref(), m.organization_id.as_deref()));
    let Some(session) = session.filter(|_| matches!(named, Some(Account::Organization(_)))) else {
        desk.account.record_fact(&FactKey::OwnSubscription(subscription).to_string())?;
        // The claim is no longer free if an event about the session arrived in the meantime.
        desk.account.claim_free(&[ClaimKey::Subscription(subscription).into()])?;
        return Ok(Outcome::Applied);
    };
    super::thin::inject(desk, &format!("{}:object", session.id), COMPLETED, report, &answer)?;
    Ok(Outcome::Applied)
}
