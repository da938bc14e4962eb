//! Requests that change a subscription at Stripe. Only the newest request of a subscription counts: a later one waits for an earlier
//! one that has begun, so that the earlier one, which may be tried again, never comes last.

use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::ids::SubscriptionId;
use crate::model::json::Object;
use crate::model::keys::{EffectKey, word_of};
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use extension_contract::{DeferReason, Effect, Outcome};
use serde_json::Value;

/// The first word of the keys of requests that move the end of a trial.
const TRIAL: &str = "trial";

/// Returns the outcome of a command that must wait until the provider has answered an earlier request for the subscription. A request
/// that has not begun can still be called off, unless it moves the end of a trial.
pub(crate) fn wait_for_change(desk: &mut Desk<'_>, subscription: &str) -> Ruled<Option<Outcome>> {
    wait_for(desk, subscription, |word| word != TRIAL)
}

/// Like [`wait_for_change`], for a command that moves the end of a trial: only a request to do so can be called off.
pub(crate) fn wait_for_trial(desk: &mut Desk<'_>, subscription: &str) -> Ruled<Option<Outcome>> {
    wait_for(desk, subscription, |word| word == TRIAL)
}

fn wait_for(desk: &mut Desk<'_>, subscription: &str, can_replace: impl FnOnce(&str) -> bool) -> Ruled<Option<Outcome>> {
    let billing = desk.account.get::<BillingHistory>(subscription)?;
    let Some(key) = billing.and_then(|billing| billing.changing.clone()) else { return Ok(None) };
    let waits = !can_replace(word_of(&key)) || desk.account.has_begun(&key)?;
    Ok(waits.then_some(Outcome::Deferred(DeferReason::Effect(key))))
}

/// Requests a change, and remembers it in the subscription's billing history as the newest one. `reply_to` is the caller of the
/// command, if the change is the one that it names.
pub(crate) fn request_change(
    desk: &mut Desk<'_>,
    subscription: &SubscriptionId,
    billing: BillingHistory,
    key: &EffectKey,
    payload: &Value,
    reply_to: Option<String>,
) -> Ruled<()> {
    desk.account.put(subscription, BillingHistory { changing: Some(key.to_string()), ..billing });
    let about = Correlation::PlanChange { subscription: subscription.clone() };
    desk.account.ask(Effect { reply_to, ..request(key, payload, Some(&about))? });
    Ok(())
}

/// Like [`request_change`], but calls an earlier request off if it has not begun: this change takes its place.
pub(crate) fn replace_change(
    desk: &mut Desk<'_>,
    subscription: &SubscriptionId,
    billing: BillingHistory,
    key: &EffectKey,
    payload: &Value,
    reply_to: Option<String>,
) -> Ruled<()> {
    let billing = match billing.changing.clone() {
        Some(earlier) => call_off(desk, billing, earlier),
        None => billing,
    };
    request_change(desk, subscription, billing, key, payload, reply_to)
}

/// Calls off an earlier request that has not begun, and the coupon that it would have given or the end of a trial that it
/// would have moved.
pub(crate) fn call_off(desk: &mut Desk<'_>, mut billing: BillingHistory, earlier: String) -> BillingHistory {
    let offer = billing.offer.filter(|(key, _)| *key != earlier);
    if word_of(&earlier) == TRIAL {
        billing.trial_changes.pop();
    }
    desk.account.call_off(vec![earlier]);
    BillingHistory { offer, ..billing }
}

/// Requests the figures of a change, which the caller gets together with what is known of it.
pub(crate) fn request_preview(desk: &mut Desk<'_>, payload: &Value, change: Object) -> Ruled<()> {
    let key = EffectKey::Preview { asked_by: desk.event_hash() };
    let effect = request(&key, payload, Some(&Correlation::Preview { change }))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    Ok(())
}

/// Forgets that a command has cancelled the subscription, since a later one takes the cancellation back.
pub(crate) fn forget_cancellation(desk: &mut Desk<'_>, subscription: &str) -> Ruled<()> {
    if let Some(row) = desk.account.row::<SubscriptionRow>(subscription)?.filter(|row| row.asked.is_some()) {
        desk.account.put(subscription, SubscriptionRow { asked: None, ..row });
    }
    Ok(())
}

/// Forgets a cancellation or a pause that the provider has refused. `word` is the first one of the request's key.
pub(crate) fn forget_refused(desk: &mut Desk<'_>, subscription: &str, word: &str) -> Ruled<()> {
    let Some(row) = desk.account.row::<SubscriptionRow>(subscription)? else { return Ok(()) };
    match word {
        "cancel" if row.asked.is_some() => desk.account.put(subscription, SubscriptionRow { asked: None, ..row }),
        "pause" if row.paused.is_some() => desk.account.put(subscription, SubscriptionRow { paused: None, ..row }),
        _ => {}
    }
    Ok(())
}
