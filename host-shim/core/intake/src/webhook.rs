//! Webhooks of other providers, as a business describes them: how one is signed, and which body is which fact of the
//! business's own.

mod scheme;
mod template;

pub use scheme::{Encoding, Key, KeyError, Scheme};
pub use template::{Place, TEMPLATE_BYTES_MAX, Template, TemplateError, split_place};

use crate::Refused;
use crate::body::{self, Quarantined, sha256};
use crate::envelope::Decoded;
use crate::headers::Headers;
use crate::json::Document;
use extension_contract::{
    Account, Actor, ActorKind, Event, FACT_SOURCE, ID_BYTES_MAX, JSON_BYTES_MAX, Payload, Refusal, Timestamp,
};
use scheme::Signed;
use template::quoted;

/// A webhook of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name, which is also that of its endpoint.
    pub name: String,
    /// How its deliveries are signed.
    pub scheme: Scheme,
    /// What identifies a delivery where the scheme doesn't; none is the hash of its body.
    pub id: Option<Template>,
    /// What its bodies tell; the first that fits counts.
    pub facts: Vec<FactOf>,
}

/// The fact that a body tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactOf {
    /// What must stand at places of the body, as text.
    pub when: Vec<(Place, String)>,
    /// The fact's name, as `user.registered`.
    pub event: String,
    /// Whose it is: `user:{user.id}`.
    pub account: Template,
    /// What it tells, by name.
    pub fields: Vec<(String, Template)>,
}

/// What came of an authentic delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A fact, or the refusal of one that lacks a place, with the bytes as they came.
    Fact(Box<Decoded>, Vec<u8>),
    /// None of the webhook's facts fits.
    Ignored,
}

/// Turn one delivery into a fact: length, signature, then JSON, in this order.
///
/// # Errors
/// [`Refused`], which says how to answer.
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
        signed: Signed,
        business: &str,
        now: Timestamp,
    ) -> Option<Decoded> {
        let root = document.root();
        let fits = |(place, value): &(Place, String)| {
            place.find(root).and_then(|found| found.text).is_some_and(|text| text == *value)
        };
        let fact = self.facts.iter().find(|fact| fact.when.iter().all(fits))?;
        // The first thing that is wrong becomes the refusal; a name that stands twice in one object is wrong first.
        let mut lacking = document.duplicate().map(str::to_owned);
        let mut note = |place: String| {
            lacking.get_or_insert(place);
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
                payload.push_str(&format!("{comma}{}:{json}", quoted(name)));
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
            provider: None,
            payload: Payload::Command(payload),
        };
        Some(Decoded { event, refusal: lacking.map(Refusal::Malformed), time: signed.time })
    }

    /// The delivery's id behind the webhook's name, so that two providers don't share one; the hash of the body where
    /// there is none, and of the id where that is too long.
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
