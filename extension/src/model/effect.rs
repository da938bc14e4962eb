//! What the world is asked to do.

use super::concern::Concern;
use super::json::encode;
use super::keys::EffectKey;
use products_contract::{Effect, Fallible};
use serde::Serialize;

/// An effect that may begin at once and that nobody waits for, as most are; the others change what differs.
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
