//! Constructors of effects.

use super::concern::Concern;
use super::json::encode;
use super::keys::{EffectKey, TimerKey};
use super::time::HOUR_MS;
use extension_contract::{Effect, Fallible, Timestamp};
use serde::Serialize;
use serde_json::json;

/// Returns an effect without delay, reply, ordering or deadline. Callers set these fields if they need them.
pub(crate) fn request(
    kind: &str,
    key: &EffectKey,
    payload: &impl Serialize,
    about: Option<&Concern>,
) -> Fallible<Effect> {
    Ok(Effect {
        kind: kind.to_owned(),
        to: None,
        key: key.to_string(),
        generation: 1,
        payload: encode(payload)?,
        context: about.map_or_else(|| Ok("{}".to_owned()), Concern::to_context)?,
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    })
}

/// Returns the effect that sets a timer.
pub(crate) fn timer(key: TimerKey, due: Timestamp) -> Fallible<Effect> {
    Ok(Effect { not_before: Some(due), ..request("timer.at", &EffectKey::Timer(key), &json!({}), None)? })
}

/// Milliseconds after which the result of an effect that moves money counts as unknown.
pub(crate) const ANSWERED_WITHIN_MS: i64 = HOUR_MS;

/// Returns the effect that pays out the nth transfer of a currency to a connected account.
pub(crate) fn transfer(connected: &str, currency: &str, number: i64, amount_minor: i64) -> Fallible<Effect> {
    let key = EffectKey::Transfer { currency: currency.to_owned(), number };
    let payload = json!({
        "destination": connected, "amount_minor": amount_minor, "currency": currency,
        "transfer_group": format!("{connected}:{number}"),
    });
    request("stripe.transfer.create", &key, &payload, Some(&Concern::Transfer { currency: currency.to_owned() }))
}

/// Returns the effect that cancels a subscription immediately. The key does not contain the reason, so the cancellation
/// is requested only once.
pub(crate) fn cancel_now(subscription: &str) -> Fallible<Effect> {
    let key = EffectKey::CancelBeaten { subscription: subscription.to_owned() };
    let payload = json!({"subscription": subscription, "at_period_end": false});
    request("stripe.subscription.cancel", &key, &payload, None)
}
