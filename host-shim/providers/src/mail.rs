//! Mail provider: sends mails by SMTP or writes them into a folder.
//!
//! A mail's `Message-ID` is derived from the effect's scope and key. If the response of an SMTP server is lost, the
//! mail is sent again, and the recipient can recognize the duplicate by the same `Message-ID`. In a folder, a mail is
//! written once.

mod config;
mod deliver;
mod drafts;
mod open;
mod settings;
mod smtp;
mod template;
mod write;

pub use config::{AddressBook, AddressUnavailable, BadConfig, Config, MailTransport, Recipient};
pub use config::{Password, Security, Smtp};
pub use host_business::template::{MailSite, MailText};
pub use settings::{MailSettings, SmtpSettings};
pub use template::{BadTemplate, MailTemplates, Wanted, built_in_mails};

use deliver::Delivery;
use host_provider_api::scripted::SIMULATED_SECRET;
use host_provider_api::{Call, CallOutcome, Provider};
use lettre::Address;
use lettre::message::Mailbox;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Prefix of references to secrets in the server's vault.
const OF_THE_VAULT: &str = "secret:vault/";
/// Code for a mail that the server may accept later: the failure concerns the mailbox, not the server.
const DEFERRED: &str = "mail-deferred";
/// Recipient name that stands for the operators.
const OPERATORS: &str = "admin";
/// Maximum number of instances whose names are looked up for one mail.
const INSTANCES_MAX: usize = 20;
/// Maximum number of recipients of one mail.
const RECIPIENTS_MAX: usize = 50;

/// The provider of `mail.send`.
///
/// Payload: `template` (a name of a-z, 0-9 and `_`), `to` (an address, or `account` or `admin`, whose addresses the
/// [`AddressBook`] returns), `values` (an object with the values of the template's placeholders), `secrets` (further
/// values: references to secrets of the account). Output: `message_id`,
/// without angle brackets.
pub struct Mail {
    from: Mailbox,
    domain: String,
    templates: MailTemplates,
    addresses: Arc<dyn AddressBook>,
    delivery: Delivery,
}

impl Mail {
    /// Creates the provider without connecting to a server.
    ///
    /// # Errors
    ///
    /// Fails if the sender or the transport's host is invalid.
    pub fn new(config: Config) -> Result<Mail, BadConfig> {
        let from: Mailbox = config.from.parse().map_err(|_| BadConfig {
            field: "from",
            found: config.from.clone(),
            expected: "an address, optionally with a name: `Shop <shop@example.com>`",
        })?;
        Ok(Mail {
            domain: from.email.domain().to_owned(),
            from,
            templates: config.templates,
            addresses: config.addresses,
            delivery: Delivery::new(config.transport)?,
        })
    }

    fn send(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let bad_template = |error: BadTemplate| CallOutcome::refused("bad-template", error.to_string());
        if self.templates.is_switched_off(call.text("template").unwrap_or_default()).map_err(bad_template)? {
            return Ok(CallOutcome::Done(json!({})));
        }
        let recipients = self.recipients(call)?;
        let values = values(call)?;
        let instances = self.instances(&call.scope, &values);
        let wanted = Wanted {
            template: call.text("template").unwrap_or_default(),
            is_for_operators: call.text("to") == Some(OPERATORS),
            account: call.scope.splitn(3, '/').nth(2).unwrap_or_default(),
            instances: &instances,
            language: recipients.iter().find_map(|(_, language)| language.as_deref()),
        };
        let recipients: Vec<Address> = recipients.iter().map(|(address, _)| address.clone()).collect();
        let text = self.templates.fill(&wanted, &values).map_err(bad_template)?;
        let id = write::id(call);
        let message_id = format!("{id}@{}", self.domain);
        let mail = write::Mail { from: &self.from, to: &recipients, message_id: &message_id, text: &text };
        let mail = mail.message().map_err(|error| CallOutcome::refused("bad-mail", error.to_string()))?;
        self.delivery.deliver(call, &id, &mail)?;
        Ok(CallOutcome::Done(json!({"message_id": message_id})))
    }

    /// Returns the names of the instances that a mail is about.
    fn instances(&self, scope: &str, values: &Value) -> BTreeMap<String, String> {
        let beyond = values["beyond"].as_array().into_iter().flatten().take(INSTANCES_MAX);
        let ids = values.get("instance").into_iter().chain(beyond).filter_map(Value::as_str);
        ids.filter_map(|id| Some((id.to_owned(), self.addresses.instance_name(scope, id)?))).collect()
    }

    /// Returns the addresses, each with its language.
    fn recipients(&self, call: &Call) -> Result<Vec<(Address, Option<String>)>, CallOutcome> {
        let to = call.text("to").unwrap_or_default();
        let found = self.addresses.recipients(&call.scope, to);
        let found = found.map_err(|error| CallOutcome::retry("address-unavailable", error.to_string()))?;
        if found.is_empty() {
            return Err(CallOutcome::refused("no-address", format!("`to` is `{to}`, but no address is known for it")));
        }
        if found.len() > RECIPIENTS_MAX {
            let problem = format!("`to` is {} addresses: expected {RECIPIENTS_MAX} at most", found.len());
            return Err(CallOutcome::refused("bad-address", problem));
        }
        let parsed = |found: &Recipient| match parsed(&found.address) {
            Some(address) => Ok((address, found.language.clone())),
            None => Err(bad_address(&found.address)),
        };
        found.iter().map(parsed).collect()
    }
}

/// Returns the values of the template's placeholders, with the secrets filled in.
fn values(call: &Call) -> Result<Value, CallOutcome> {
    let mut values = call.payload.get("values").cloned().unwrap_or_default();
    let Some(Value::Object(secrets)) = call.payload.get("secrets") else { return Ok(values) };
    let members = values.as_object_mut().ok_or_else(|| {
        CallOutcome::refused("bad-template", "`secrets` come beside `values`: expected an object".to_owned())
    })?;
    for (name, reference) in secrets {
        let reference = reference.as_str().unwrap_or_default();
        // A simulated step has made up the reference; it stands for itself.
        if reference.starts_with(SIMULATED_SECRET) {
            members.insert(name.clone(), json!(reference));
            continue;
        }
        // A mail may show what the server has created for its account, but never secrets of the machine.
        if !reference.starts_with(OF_THE_VAULT) {
            return Err(CallOutcome::refused(
                "bad-secret",
                format!("`secrets/{name}`: expected a secret of the account"),
            ));
        }
        let secret = call.secret(reference).map_err(CallOutcome::from)?;
        members.insert(name.clone(), json!(secret.expose()));
    }
    Ok(values)
}

/// Returns an address with its domain in ASCII, which every mail server accepts.
fn parsed(address: &str) -> Option<Address> {
    let address: Address = address.parse().ok()?;
    Address::new(address.user(), idna::domain_to_ascii(address.domain()).ok()?).ok()
}

/// Refuses an address without repeating it: failures are stored, and addresses are personal data.
fn bad_address(address: &str) -> CallOutcome {
    let length = address.chars().count();
    CallOutcome::refused(
        "bad-address",
        format!("`to` has {length} characters and is not an address: expected `name@example.com`"),
    )
}

impl Provider for Mail {
    fn call(&self, call: &Call) -> CallOutcome {
        match call.kind.as_str() {
            "mail.send" => self.send(call).unwrap_or_else(|failed| failed),
            _ => CallOutcome::unsupported(call),
        }
    }

    fn is_of_call(&self, code: &str) -> bool {
        code == DEFERRED
    }
}
