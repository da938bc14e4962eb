//! Delivers the webhooks that a business declares: signs them as their sender would, and passes them through the usual
//! endpoint.

use extension_contract::Timestamp;
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, PATH, Request, WebhookReply};
use host_intake::webhook::{Key, Scheme};
use host_scenario::business::BusinessFolder;
use host_scenario::error::{BadInput, Place};
use host_scenario::model::Signature;
use host_scenario::prepare::WebhookDelivery;

/// One hour, in milliseconds: older than any accepted delivery.
const OLD_MS: i64 = 3_600_000;

/// Returns the headers of a delivery, signed with the key or with a wrong one, according to the delivery.
pub fn signed(
    scheme: &Scheme,
    delivery: &WebhookDelivery,
    key: &Key,
    now: Timestamp,
    body: &[u8],
) -> Vec<(String, String)> {
    match delivery.signature {
        Signature::Good => scheme.sign(key, &delivery.delivery, now, body),
        Signature::Old => scheme.sign(key, &delivery.delivery, now.saturating_sub(OLD_MS), body),
        Signature::Bad => scheme.sign(&Key::of_bytes(b"another key"), &delivery.delivery, now, body),
        Signature::None => Vec::new(),
    }
}

/// Sends a body to the endpoint of a webhook at `now`, and returns the reply of the endpoint.
pub(super) fn deliver(
    business: &BusinessFolder,
    place: Place,
    delivery: &WebhookDelivery,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<WebhookReply, BadInput> {
    let own = &business.own;
    let Some(declared) = own.webhooks.iter().find(|own| own.webhook.name == delivery.name) else {
        let names = own.webhooks.iter().map(|own| own.webhook.name.as_str());
        let expected = names.clone().collect::<Vec<_>>().join(", ");
        let expected = if expected.is_empty() { "a name of `webhooks` in business.yml".to_owned() } else { expected };
        let bad = BadInput::new(place, format!("`{}` is not a webhook of the business", delivery.name), expected);
        return Err(bad.guessing(&delivery.name, names));
    };
    // Any key works, because this function creates both the signature and the endpoint.
    let key = |whose: &str| Key::of_bytes(format!("{whose} of {}", delivery.name).as_bytes());
    let headers = signed(&declared.webhook.scheme, delivery, &key("the key"), now, &body);
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let endpoints = Endpoints {
        business: business.name.clone(),
        stripe: None,
        webhooks: vec![(declared.webhook.clone(), key("the key"))],
    };
    let path = format!("{PATH}{}", delivery.name);
    Ok(endpoints.answer(Request { method: "POST", path: &path, headers: Headers(&headers), body }, now))
}
