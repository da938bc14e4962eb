//! Constructors of effects.

use super::correlation::Correlation;
use super::effect_kinds::built_in;
use super::ids::SubscriptionId;
use super::json::encode;
use super::keys::{EffectKey, TimerKey};
use extension_contract::{Effect, Fallible, Timestamp};
use serde::Serialize;
use serde_json::json;

/// Returns the effect of a key, without delay, reply, ordering or deadline. Callers set these fields if they need them.
pub(crate) fn request(key: &EffectKey, payload: &impl Serialize, about: Option<&Correlation>) -> Fallible<Effect> {
    let payload = encode(payload)?;
    debug_assert!(
        built_in(key.kind()).is_none_or(|of| of.payload.iter().all(|name| payload.contains(&format!("\"{name}\":")))),
        "{} lacks a member: {payload}",
        key.kind(),
    );
    Ok(Effect {
        kind: key.kind().to_owned(),
        to: None,
        key: key.to_string(),
        generation: 1,
        payload,
        context: about.map_or_else(|| Ok("{}".to_owned()), Correlation::to_context)?,
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    })
}

/// Returns the effect that sets a timer.
pub(crate) fn timer(key: TimerKey, due: Timestamp) -> Fallible<Effect> {
    Ok(Effect { not_before: Some(due), ..request(&EffectKey::Timer(key), &json!({}), None)? })
}

/// Returns the effect that cancels a subscription immediately. The key does not contain the reason, so the cancellation
/// is requested only once.
pub(crate) fn cancel_now(subscription: &SubscriptionId) -> Fallible<Effect> {
    let key = EffectKey::CancelRefused { subscription: subscription.clone() };
    let payload = json!({"subscription": subscription, "at_period_end": false});
    request(&key, &payload, None)
}
