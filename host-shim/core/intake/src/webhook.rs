//! Webhooks of services other than Stripe. The business configures these webhooks. This module verifies their
//! signatures and turns their bodies into facts of the business.

mod scheme;
mod template;

pub use scheme::{Encoding, Key, KeyError, Scheme};
pub use template::{BodyPath, TEMPLATE_BYTES_MAX, Template, TemplateError, split_place};

use crate::Refused;
use crate::body::{self, Quarantined, sha256};
use crate::envelope::Decoded;
use crate::headers::Headers;
use crate::json::Document;
use extension_contract::{
    Account, Actor, ActorKind, Event, FACT_SOURCE, ID_BYTES_MAX, JSON_BYTES_MAX, Payload, Refusal, Timestamp,
};
use scheme::SignedData;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The configuration of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Name of the webhook and of its endpoint.
    pub name: String,
    /// Signature scheme of its deliveries.
    pub scheme: Scheme,
    /// Template of a delivery's id, for a scheme that does not sign an id. Without a template, the id is the hash of
    /// the body.
    pub id: Option<Template>,
    /// Facts. A delivery becomes the first fact whose conditions match its body.
    pub facts: Vec<FactOf>,
}

/// A rule that turns a body into a fact if the body matches the conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactOf {
    /// Conditions: paths to values in the body, and the expected values as text.
    pub when: Vec<(BodyPath, String)>,
    /// Name of the fact, for example `user.registered`.
    pub event: String,
    /// Account of the fact, for example `user:{user.id}`.
    pub account: Template,
    /// Fields of the fact, by name.
    pub fields: Vec<(String, Template)>,
}

/// The result of an authentic delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A fact, with a refusal if a value is missing, and the received bytes.
    Fact(Box<Decoded>, Vec<u8>),
    /// No fact of the webhook matches.
    Ignored,
}

/// Turns a delivery into a fact. Checks length, signature and JSON, in this order.
///
/// # Errors
/// Fails with [`Refused`] if a check fails.
pub fn receive(
    webhook: &Webhook,
    key: &Key,
    business: &str,
    headers: Headers<'_>,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Received, Refused> {
    body::check_length(body.len() as u64)?;
    let signed = webhook.scheme.verify(key, headers, &body, now)?;
    let decoded = match body::parse_object(&body) {
        Ok(document) => webhook.decode(&document, &body, signed, business, now),
        Err(cause) => return Err(Refused::Quarantined(Box::new(Quarantined::new(body, cause)))),
    };
    Ok(decoded.map_or(Received::Ignored, |decoded| Received::Fact(Box::new(decoded), body)))
}

impl Webhook {
    fn decode(
        &self,
        document: &Document<'_>,
        body: &[u8],
        signed: SignedData,
        business: &str,
        now: Timestamp,
    ) -> Option<Decoded> {
        let root = document.root();
        let matches = |(path, value): &(BodyPath, String)| {
            path.find(root).and_then(|found| found.text).is_some_and(|text| text == *value)
        };
        let fact = self.facts.iter().find(|fact| fact.when.iter().all(matches))?;
        // The first problem becomes the refusal; a duplicate member name precedes all other problems.
        let mut problem = document.duplicate().map(str::to_owned);
        let mut note = |pointer: String| {
            problem.get_or_insert(pointer);
        };
        let id = match (&self.id, signed.id) {
            (Some(id), _) => id.text(root).map_err(&mut note).ok(),
            (None, id) => id,
        };
        let account = fact.account.text(root).map_err(&mut note).ok();
        let account = account.filter(|text| is_id(text)).and_then(|text| text.parse::<Account>().ok());
        let mut payload = String::from("{");
        for (name, template) in &fact.fields {
            if let Ok(json) = template.json(root).map_err(&mut note) {
                let comma = if payload.len() > 1 { "," } else { "" };
                payload.push_str(&format!("{comma}{}:{json}", json!(name)));
            }
        }
        payload.push('}');
        if account.is_none() {
            note("/account".to_owned());
        }
        if payload.len() > JSON_BYTES_MAX {
            note("/fields".to_owned());
            payload = "{}".to_owned();
        }
        let event = Event {
            id: self.event_id(id, body),
            source: FACT_SOURCE.to_owned(),
            kind: fact.event.clone(),
            business: business.to_owned(),
            account,
            livemode: None,
            received_at: now,
            attempt: 1,
            actor: Actor { kind: ActorKind::Service, subject: self.name.clone(), roles: Vec::new() },
            reply_to: None,
            payment: None,
            payload: Payload::Command(payload),
        };
        Some(Decoded { refusal: problem.map(Refusal::Malformed), time: signed.time, ..event.into() })
    }

    /// Returns the webhook's name, a colon and the delivery's id, so that the ids of two services differ. The hash of
    /// the body replaces a missing id. The hash of the id replaces an id that is too long or has control characters.
    fn event_id(&self, id: Option<String>, body: &[u8]) -> String {
        let id = match id {
            Some(id) if is_id(&format!("{}:{id}", self.name)) => id,
            Some(id) => format!("sha256:{}", sha256(id.as_bytes())),
            None => format!("sha256:{}", sha256(body)),
        };
        format!("{}:{id}", self.name)
    }
}

fn is_id(text: &str) -> bool {
    text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control)
}
