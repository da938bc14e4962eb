//! Mails: a template, a recipient and a reference, each triple once. Those of a later time are in `schedule`.

use crate::context::{Context, Step, encode, request};
use products_contract::*;
use serde_json::Value;

/// Who is told. The host knows the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The account's owner, or the administrators of the organization.
    Account,
    /// The operators' queue.
    Admin,
}

impl To {
    /// Name in payloads and keys.
    pub fn name(self) -> &'static str {
        match self {
            To::Account => "account",
            To::Admin => "admin",
        }
    }
}

/// Effect kind of a mail.
pub(crate) const KIND: &str = "mail.send";

/// Key of a mail.
pub(crate) fn key(template: &str, to: To, reference: &str) -> String {
    format!("mail:{template}:{}:{reference}", to.name())
}

/// Send a mail now, unless it went before.
pub(crate) fn now(context: &mut Context<'_, '_>, template: &str, to: To, reference: &str, values: &Value) -> Step<()> {
    let fact = key(template, to, reference);
    if context.note(&fact)? {
        context.host.effects_enqueue(&[mail(fact, template, to, values)?]);
    }
    Ok(())
}

fn mail(key: String, template: &str, to: To, values: &Value) -> Step<Effect> {
    Ok(request(KIND, key, encode(&serde_json::json!({"template": template, "to": to.name(), "values": values}))?))
}
