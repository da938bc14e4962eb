//! Webhooks of a business's own providers, the whole way of a request: signed here in the provider's place, then verified and
//! read as any other.

use extension_contract::Timestamp;
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, PATH, Request, WebhookReply};
use host_intake::webhook::Key;
use host_scenario::business::BusinessFolder;
use host_scenario::error::{BadInput, Place};
use host_scenario::model::Signature;
use host_scenario::prepare::Signed;

/// An hour: no provider's delivery is as old.
const OLD_MS: i64 = 3_600_000;

/// Sends a body to the endpoint of a webhook at `now`.
pub(super) fn deliver(
    business: &BusinessFolder,
    place: Place,
    signed: &Signed,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<WebhookReply, BadInput> {
    let own = &business.own;
    let Some(declared) = own.webhooks.iter().find(|own| own.webhook.name == signed.name) else {
        let names = own.webhooks.iter().map(|own| own.webhook.name.as_str());
        let expected = names.clone().collect::<Vec<_>>().join(", ");
        let expected = if expected.is_empty() { "a name of `webhooks` in business.yml".to_owned() } else { expected };
        let bad = BadInput::new(place, format!("`{}` is no webhook of the business", signed.name), expected);
        return Err(bad.guessing(&signed.name, names));
    };
    // Nobody else is to know it, since nobody else sends anything here.
    let key = |whose: &str| Key::of_bytes(format!("{whose} of {}", signed.name).as_bytes());
    let scheme = &declared.webhook.scheme;
    let headers = match signed.signature {
        Signature::Good => scheme.sign(&key("the key"), &signed.delivery, now, &body),
        Signature::Old => scheme.sign(&key("the key"), &signed.delivery, now.saturating_sub(OLD_MS), &body),
        Signature::Bad => scheme.sign(&key("another key"), &signed.delivery, now, &body),
        Signature::None => Vec::new(),
    };
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let endpoints = Endpoints {
        business: business.name.clone(),
        stripe: None,
        webhooks: vec![(declared.webhook.clone(), key("the key"))],
    };
    let path = format!("{PATH}{}", signed.name);
    Ok(endpoints.answer(Request { method: "POST", path: &path, headers: Headers(&headers), body }, now))
}
