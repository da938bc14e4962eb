//! Sends mails, by SMTP or into a folder.
//!
//! A mail's `Message-ID` derives from who asked for it and under which key: the same mail that goes out twice, since an answer
//! was lost, is seen to be one. Into a folder it goes once.

mod config;
mod deliver;
#[cfg(feature = "smtp")]
mod smtp;
mod template;
mod write;

pub use config::{AddressBook, BadConfig, Config, NobodyKnown, Way};
#[cfg(feature = "smtp")]
pub use config::{Password, Security, Smtp};

use deliver::Delivery;
use host_provider_api::{Call, CallOutcome, Provider};
use lettre::Address;
use lettre::message::Mailbox;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Receivers of one mail at most.
const RECEIVERS_MAX: usize = 50;

/// The provider of `mail.send`.
///
/// Payload: `template` (a name of a-z, 0-9 and `_`), `to` (an address; `account` or `admin` is looked up in the
/// [`AddressBook`]), `values` (an object, what the template's places are filled with). CallOutcome: `{"message_id"}`, without angle
/// brackets.
pub struct Mail {
    from: Mailbox,
    domain: String,
    templates: Option<PathBuf>,
    addresses: Arc<dyn AddressBook>,
    delivery: Delivery,
}

impl Mail {
    /// A provider that sends as the configuration says. Nothing is connected to yet.
    pub fn new(config: Config) -> Result<Mail, BadConfig> {
        let from: Mailbox = config.from.parse().map_err(|_| BadConfig {
            field: "from",
            found: config.from.clone(),
            expected: "an address, with a name before it or none: `Shop <shop@example.com>`",
        })?;
        Ok(Mail {
            domain: from.email.domain().to_owned(),
            from,
            templates: config.templates,
            addresses: config.addresses,
            delivery: Delivery::new(config.way)?,
        })
    }

    fn send(&self, call: &Call) -> Result<CallOutcome, CallOutcome> {
        let receivers = self.receivers(call)?;
        let template = call.text("template").unwrap_or_default();
        let nothing = Value::Null;
        let values = call.payload.get("values").unwrap_or(&nothing);
        let text = template::fill(self.templates.as_deref(), template, values)
            .map_err(|error| CallOutcome::refused("bad-template", error.to_string()))?;
        let id = write::id(call);
        let message_id = format!("{id}@{}", self.domain);
        let mail = write::Mail { from: &self.from, to: &receivers, id: &id, message_id: &message_id, text: &text };
        let mail = mail.message().map_err(|error| CallOutcome::refused("bad-mail", error.to_string()))?;
        self.delivery.deliver(call, &id, &mail)?;
        Ok(CallOutcome::Done(json!({"message_id": message_id})))
    }

    fn receivers(&self, call: &Call) -> Result<Vec<Address>, CallOutcome> {
        let to = call.text("to").unwrap_or_default();
        let found = match to {
            "account" | "admin" => {
                let told = self.addresses.addresses(&call.scope, to);
                told.map_err(|error| CallOutcome::retry("address-unavailable", error.to_string()))?
            }
            address => vec![address.to_owned()],
        };
        if found.is_empty() {
            return Err(CallOutcome::refused(
                "no-address",
                format!("`to` is `{to}`, and nobody's address is known for it"),
            ));
        }
        if found.len() > RECEIVERS_MAX {
            let problem = format!("`to` is {} addresses: expected {RECEIVERS_MAX} at most", found.len());
            return Err(CallOutcome::refused("bad-address", problem));
        }
        found.iter().map(|address| address.parse::<Address>().map_err(|_| bad_address(address))).collect()
    }
}

/// The address is not repeated, since failures are kept and addresses are personal.
fn bad_address(address: &str) -> CallOutcome {
    let length = address.chars().count();
    CallOutcome::refused(
        "bad-address",
        format!("`to` is {length} characters that are no address: expected `name@example.com`"),
    )
}

impl Provider for Mail {
    fn call(&self, call: &Call) -> CallOutcome {
        match call.kind.as_str() {
            "mail.send" => self.send(call).unwrap_or_else(|failed| failed),
            _ => CallOutcome::unsupported(call),
        }
    }
}
