//! Mails. Each combination of template, recipient and reference is sent once. The schedule contains the delayed mails.

use super::account::Account;
use super::effect::request;
use super::halt::Ruled;
use super::json::Object;
use super::keys::EffectKey;
use super::mail::{To, key, mail};
use super::mail_kinds::Mail;
use extension_contract::{Effect, Fallible};
use serde_json::{Value, json};

/// Sends a mail of the extension now, unless it was sent before.
pub(crate) fn send_once(account: &mut Account<'_>, mail: &Mail, reference: &str, values: &Value) -> Ruled<()> {
    once(account, &mail.key(reference), |key| mail.effect(key, values))
}

/// Sends a mail of the business now, unless it was sent before.
pub(crate) fn send_template(
    account: &mut Account<'_>,
    template: &str,
    to: To,
    reference: &str,
    values: &Value,
) -> Ruled<()> {
    once(account, &key(template, to, reference), |key| mail(key, template, to, values))
}

/// Sends a mail to an address that a fact contains, unless the mail was sent before.
pub(crate) fn send_to(
    account: &mut Account<'_>,
    template: &str,
    address: &str,
    reference: &str,
    values: &Object,
) -> Ruled<()> {
    send_with_secrets(account, template, address, reference, values, &Object::new())
}

/// Like [`send_to`], with values that are references to secrets. The provider fills them in.
pub(crate) fn send_with_secrets(
    account: &mut Account<'_>,
    template: &str,
    address: &str,
    reference: &str,
    values: &Object,
    secrets: &Object,
) -> Ruled<()> {
    let to = "address".to_owned();
    let key = EffectKey::Mail { template: template.to_owned(), to, reference: reference.to_owned() };
    let mut payload = json!({"template": template, "to": address, "values": values});
    if !secrets.is_empty() {
        payload["secrets"] = json!(secrets);
    }
    once(account, &key, |key| request(key, &payload, None))
}

/// Asks for the effect of a key, unless it was asked for before.
fn once(account: &mut Account<'_>, key: &EffectKey, effect: impl FnOnce(&EffectKey) -> Fallible<Effect>) -> Ruled<()> {
    if account.record_fact(&key.to_string())? {
        account.ask(effect(key)?);
    }
    Ok(())
}
