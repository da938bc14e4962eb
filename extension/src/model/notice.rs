//! Mails. Each combination of template, recipient and reference is sent once. The schedule contains the delayed mails.

use super::account::Account;
use super::effect::request;
use super::halt::Ruled;
use super::json::Object;
use super::keys::EffectKey;
use super::mail::{To, key, mail};
use super::mails::Mail;
use serde_json::{Value, json};

/// Sends a mail of the extension now, unless it was sent before.
pub(crate) fn send_once(account: &mut Account<'_>, mail: &Mail, reference: &str, values: &Value) -> Ruled<()> {
    let key = mail.key(reference);
    if account.record_fact(&key.to_string())? {
        account.ask(mail.effect(&key, values)?);
    }
    Ok(())
}

/// Sends a mail of the business now, unless it was sent before.
pub(crate) fn send_template(
    account: &mut Account<'_>,
    template: &str,
    to: To,
    reference: &str,
    values: &Value,
) -> Ruled<()> {
    let key = key(template, to, reference);
    if account.record_fact(&key.to_string())? {
        account.ask(mail(&key, template, to, values)?);
    }
    Ok(())
}

/// Sends a mail to an address that a fact contains, unless the mail was sent before.
pub(crate) fn send_to(
    account: &mut Account<'_>,
    template: &str,
    address: &str,
    reference: &str,
    values: &Object,
) -> Ruled<()> {
    let to = "address".to_owned();
    let key = EffectKey::Mail { template: template.to_owned(), to, reference: reference.to_owned() };
    if account.record_fact(&key.to_string())? {
        let payload = json!({"template": template, "to": address, "values": values});
        account.ask(request(&key, &payload, None)?);
    }
    Ok(())
}
