//! Signed webhooks. The signature is verified here, with the same code as in `provisioner`.

use super::{Answered, Failed};
use crate::app::{App, STRIPE_SECRET, WEBHOOK_SECRETS, key};
use crate::http::{Request, Response};
use crate::platform::Platform;
use host_engine::bundle::{Bundle, OwnWebhook};
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, PATH, Request as Delivery, Taken};
use host_intake::signature::{SECRET_CHARS_MIN, TOLERANCE_S_DEFAULT, is_short};
use host_intake::webhook::Key;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use serde_json::json;
use std::collections::BTreeMap;

/// Name of Stripe's endpoint.
const STRIPE: &str = "stripe";

/// Returns the secrets of Stripe's endpoint: up to four, separated by commas, so that one can be rolled.
///
/// # Errors
/// Fails with a message that contains no secret; also if a secret could be guessed.
pub(crate) fn secrets(text: &str, livemode: bool) -> Result<EndpointSecrets, String> {
    let config = |(n, secret): (usize, &str)| SecretConfig {
        name: if n == 0 { "platform".to_owned() } else { format!("platform-{n}") },
        mode: Mode::of(livemode),
        connect: None,
        secret: secret.to_owned(),
    };
    let secrets = EndpointSecrets::new(text.split(',').enumerate().map(config).collect(), TOLERANCE_S_DEFAULT)
        .map_err(|error| error.to_string())?;
    match text.split(',').any(is_short) {
        true => Err(format!(
            "is so short that somebody could guess it; expected at least {SECRET_CHARS_MIN} characters behind `whsec_`"
        )),
        false => Ok(secrets),
    }
}

/// Returns the secrets of the webhooks of `business.yml`, by the names of `secret`.
///
/// # Errors
/// Fails with a message that contains no secret.
pub(crate) fn own_secrets(text: &str) -> Result<BTreeMap<String, String>, String> {
    let expected = "expected a JSON object, by the names of `secret` in `webhooks` of `business.yml`";
    match text.is_empty() {
        true => Ok(BTreeMap::new()),
        // The parser's error may contain a secret.
        false => serde_json::from_str(text).map_err(|_| format!("is not readable; {expected}")),
    }
}

/// Returns the key of a webhook.
///
/// # Errors
/// Fails with a message that contains no secret.
pub(crate) fn own_key(own: &OwnWebhook, secrets: &BTreeMap<String, String>) -> Result<Key, String> {
    let OwnWebhook { webhook, secret } = own;
    let given = secrets.get(secret).ok_or_else(|| format!("has no `{secret}`, for the webhook `{}`", webhook.name))?;
    Key::new(&webhook.scheme, given).map_err(|error| format!("`{secret}`: {error}"))
}

fn read(platform: &Platform<'_>, name: &str) -> Result<String, Failed> {
    (platform.config)(&key(name)).map_err(|_| Response::unavailable("the configuration cannot be read").into())
}

/// Returns the endpoint with a name, and its secret.
fn endpoints(platform: &Platform<'_>, app: &App, name: &str) -> Result<Endpoints, Failed> {
    let Bundle { name: business, livemode, .. } = &app.bundle;
    let mut endpoints = Endpoints { business: business.clone(), stripe: None, webhooks: Vec::new() };
    if name == STRIPE {
        endpoints.stripe = secrets(&read(platform, STRIPE_SECRET)?, *livemode).ok();
        return Ok(endpoints);
    }
    if let Some(own) = app.bundle.webhooks.iter().find(|own| own.webhook.name == name)
        && let Ok(key) = own_secrets(&read(platform, WEBHOOK_SECRETS)?).and_then(|secrets| own_key(own, &secrets))
    {
        endpoints.webhooks.push((own.webhook.clone(), key));
    }
    Ok(endpoints)
}

/// Accepts a delivery.
pub(super) fn take(platform: &Platform<'_>, request: &Request, name: &str) -> Answered {
    let mut app = App::open(platform)?;
    let endpoints = endpoints(platform, &app, name)?;
    let headers: Vec<(&str, &[u8])> = request
        .meta
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("http.header.")?, value.as_bytes())))
        .collect();
    let path = format!("{PATH}{name}");
    let delivery =
        Delivery { method: request.method(), path: &path, headers: Headers(&headers), body: request.body.clone() };
    let reply = endpoints.answer(delivery, platform.now);
    match reply.taken {
        Taken::Event(decoded, raw) => {
            let reports = app.processor().accept(*decoded, raw)?;
            let outcome = reports.first().map_or("unknown", |report| report.result.name());
            Ok(Response::ok(json!({"received": true, "outcome": outcome})))
        }
        Taken::Quarantined(_) => {
            (platform.log)("warn", &format!("a signed delivery to {name} is not a JSON object"));
            Ok(Response::error(reply.status, "malformed", "body not valid"))
        }
        Taken::Nothing("ignored") => Ok(Response::ok(json!({"received": true, "outcome": "ignored"}))),
        Taken::Nothing(counted) => {
            (platform.log)("info", &format!("a delivery to {name} was refused: {counted}"));
            let (code, message) = match reply.status {
                404 => ("not-found", "no such endpoint, or it has no secret"),
                405 => ("method", "expected POST"),
                413 => ("too-large", "the body is too long"),
                415 => ("content-encoding", "expected a body without an encoding"),
                _ => ("unauthorized", "signature not valid"),
            };
            Ok(Response::error(reply.status, code, message))
        }
    }
}
