//! The effect of a mail: its key, recipient and payload.

use super::effect::request;
use super::effect_kinds::MAIL_SEND;
use super::keys::{EffectKey, recipient_of};
use extension_contract::{Effect, Fallible};
use serde_json::{Value, json};

/// Recipient of a mail. The host knows the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The account's owner, or the administrators of the organization.
    Account,
    /// The operators' queue.
    Admin,
}

impl To {
    /// Returns the name in payloads and keys.
    pub fn name(self) -> &'static str {
        match self {
            To::Account => "account",
            To::Admin => "admin",
        }
    }
}

/// Returns the effect key of a mail, which is also the key of its fact.
pub(crate) fn key(template: &str, to: To, reference: &str) -> EffectKey {
    EffectKey::Mail { template: template.to_owned(), to: to.name().to_owned(), reference: reference.to_owned() }
}

/// Returns the effect that sends a mail.
pub(crate) fn mail(key: &EffectKey, template: &str, to: To, values: &Value) -> Fallible<Effect> {
    request(key, &json!({"template": template, "to": to.name(), "values": values}), None)
}

/// Returns whether a mail is for the operators.
pub(crate) fn is_for_operators(mail: &Effect) -> bool {
    recipient_of(&mail.key) == Some(To::Admin.name())
}

/// Returns whether an effect is a mail that is sent at once. Delayed mails belong to the schedule.
pub(crate) fn is_immediate(effect: &Effect) -> bool {
    effect.kind == MAIL_SEND && effect.not_before.is_none()
}
