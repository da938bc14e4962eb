//! Looks up the checkout session of a subscription that our checkout did not make. The session may name an organization
//! that the subscription does not name, and then everything about the subscription belongs to the organization.
//!
//! Until Stripe answers, the payer's account claims nothing.

use super::retrieve::retrieve_for;
use crate::catalog::names::LOOK_UP_SESSIONS;
use crate::desk::Desk;
use crate::input::stripe::Metadata;
use crate::model::correlation::Correlation;
use crate::model::halt::Ruled;
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::*;
use serde_json::json;

/// Returns the outcome of an event that must wait until the owner of its subscription is known.
pub(crate) fn wait_for_owner(desk: &mut Desk<'_>, id: &str, metadata: Option<&Metadata<'_>>) -> Ruled<Option<Outcome>> {
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

pub(crate) fn ask(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let key = EffectKey::Retrieve { object: format!("session-of-{id}"), because: 0, views: 0 };
    let payload = json!({"object": "checkout.session", "id": id, "by": "subscription"});
    retrieve_for(desk, &key, &payload, &Correlation::SessionOf { subscription: id.into() })
}
