//! Decides how a server answers a webhook request. [`Endpoints::answer`] takes a request as a value, and returns the
//! response and the data to store.
//!
//! A path may have a trailing slash. The response is never a redirect, since webhook senders count redirects as failed
//! deliveries. `Content-Type` is ignored, since the signature covers only the bytes.

use crate::body::Quarantined;
use crate::envelope::Decoded;
use crate::headers::Headers;
use crate::signature::{EndpointSecrets, HEADER_NAME, SignatureError};
use crate::webhook::{self, Key, Received, Webhook};
use crate::{Refused, body, receive};
use extension_contract::Timestamp;

/// Prefix of webhook paths, followed by `stripe` or the name of another service's webhook.
pub const PATH: &str = "/api/webhooks/";
/// Name of Stripe's endpoint.
const STRIPE: &str = "stripe";
/// The only supported method.
const METHOD: &str = "POST";

/// An HTTP request.
#[derive(Debug)]
pub struct Request<'r> {
    /// Method, for example `POST`.
    pub method: &'r str,
    /// Path, without query.
    pub path: &'r str,
    /// All headers.
    pub headers: Headers<'r>,
    /// Body as received.
    pub body: Vec<u8>,
}

/// The webhook endpoints of a business.
#[derive(Debug)]
pub struct Endpoints {
    /// Id of the business.
    pub business: String,
    /// Secrets of Stripe's endpoint; none if there is no such endpoint.
    pub stripe: Option<EndpointSecrets>,
    /// Webhooks of other services, each with its secret.
    pub webhooks: Vec<(Webhook, Key)>,
}

/// The response to a request.
#[derive(Debug)]
pub struct WebhookReply {
    /// HTTP status if storing succeeds; otherwise the server must send 503.
    pub status: u16,
    /// Value of the `Allow` header, for status 405.
    pub allow: Option<&'static str>,
    /// The data to store before the response is sent.
    pub taken: Taken,
}

/// The data of a request to store before the response is sent.
#[derive(Debug)]
pub enum Taken {
    /// An event, and the received bytes; no bytes if the event's payload contains them.
    Event(Box<Decoded>, Vec<u8>),
    /// Authentic bytes that are not an event, for operators.
    Quarantined(Box<Quarantined>),
    /// No data to store. The text is the name of the counter for such requests.
    Nothing(&'static str),
}

impl WebhookReply {
    fn nothing(status: u16, counted: &'static str) -> WebhookReply {
        WebhookReply { status, allow: None, taken: Taken::Nothing(counted) }
    }
}

/// The endpoint for a path.
enum Endpoint<'e> {
    Stripe(&'e EndpointSecrets),
    Webhook(&'e Webhook, &'e Key),
}

impl Endpoints {
    /// Returns the response to a request received at `now`. Checks path, method, encoding and length first, then the
    /// signature, and then the content.
    pub fn answer(&self, request: Request<'_>, now: Timestamp) -> WebhookReply {
        let Some(endpoint) = self.endpoint(request.path) else { return WebhookReply::nothing(404, "no-endpoint") };
        if request.method != METHOD {
            return WebhookReply { allow: Some(METHOD), ..WebhookReply::nothing(405, "method") };
        }
        if request.headers.all("content-encoding").any(|coding| !is_identity(coding)) {
            return WebhookReply::nothing(415, "content-encoding");
        }
        let Request { headers, body, .. } = request;
        let received = match endpoint {
            Endpoint::Stripe(secrets) => {
                let signatures = headers.all(HEADER_NAME);
                let decoded = receive(&self.business, secrets, signatures, body, now);
                decoded.map(|decoded| Received::Fact(Box::new(decoded), Vec::new()))
            }
            Endpoint::Webhook(webhook, key) => webhook::receive(webhook, key, &self.business, headers, body, now),
        };
        match received {
            Ok(Received::Fact(decoded, raw)) => {
                WebhookReply { status: 200, allow: None, taken: Taken::Event(decoded, raw) }
            }
            Ok(Received::Ignored) => WebhookReply::nothing(200, "ignored"),
            Err(refused) => {
                let status = refused.status();
                match refused {
                    Refused::TooLarge(body::TooLarge { .. }) => WebhookReply::nothing(status, "too-large"),
                    Refused::Signature(error) => WebhookReply::nothing(status, error.label()),
                    Refused::Quarantined(quarantined) => {
                        WebhookReply { status, allow: None, taken: Taken::Quarantined(quarantined) }
                    }
                }
            }
        }
    }

    /// Returns the response to a request whose body need not be read: one with a different path or method, or without a
    /// signature that any body could match. None if the response depends on the body.
    pub fn answer_without_body(&self, head: Request<'_>, now: Timestamp) -> Option<WebhookReply> {
        let reply = self.answer(Request { body: Vec::new(), ..head }, now);
        match reply.taken {
            Taken::Nothing(counted) if reply.status >= 400 && counted != SignatureError::Mismatch.label() => {
                Some(reply)
            }
            _ => None,
        }
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint<'_>> {
        let name = path.strip_prefix(PATH)?;
        let name = name.strip_suffix('/').unwrap_or(name);
        if name == STRIPE {
            return self.stripe.as_ref().map(Endpoint::Stripe);
        }
        let named = self.webhooks.iter().find(|(webhook, _)| webhook.name == name);
        named.map(|(webhook, key)| Endpoint::Webhook(webhook, key))
    }
}

fn is_identity(coding: &[u8]) -> bool {
    coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity")
}
