//! A webhook's request as a value: what it is answered, and what of it is to be stored. A server hands its requests over and
//! does nothing else with them.
//!
//! An answer comes at the path that was asked, whether it ends in a slash or not: a redirect is a failed delivery for those
//! who send webhooks. What the content is said to be (`Content-Type`) is not looked at, since it is the bytes that are signed.

use crate::body::Quarantined;
use crate::envelope::Decoded;
use crate::headers::Headers;
use crate::signature::{EndpointSecrets, HEADER_NAME};
use crate::webhook::{self, Key, Received, Webhook};
use crate::{Refused, body, receive};
use extension_contract::Timestamp;

/// What the paths of webhooks begin with; then comes `stripe`, or the name of another provider's webhook.
pub const PATH: &str = "/api/webhooks/";
/// The endpoint of Stripe.
const STRIPE: &str = "stripe";
/// The only method.
const METHOD: &str = "POST";

/// A request.
#[derive(Debug)]
pub struct Request<'r> {
    /// Its method, as `POST`.
    pub method: &'r str,
    /// Its path, without a query.
    pub path: &'r str,
    /// All of its headers.
    pub headers: Headers<'r>,
    /// Its body, as it came.
    pub body: Vec<u8>,
}

/// The endpoints of a business.
#[derive(Debug)]
pub struct Endpoints {
    /// The business.
    pub business: String,
    /// The secrets of Stripe's endpoint; without them there is none.
    pub stripe: Option<EndpointSecrets>,
    /// Webhooks of other providers, each with its secret.
    pub webhooks: Vec<(Webhook, Key)>,
}

/// How a request is answered.
#[derive(Debug)]
pub struct WebhookReply {
    /// The status, given that what is to be stored is stored; 503 where it is not.
    pub status: u16,
    /// The header `Allow`.
    pub allow: Option<&'static str>,
    /// What is to be stored.
    pub taken: Taken,
}

/// What of a request is to be stored before it is answered.
#[derive(Debug)]
pub enum Taken {
    /// An event, with the bytes as they came where the event itself has them not.
    Event(Box<Decoded>, Vec<u8>),
    /// Authentic bytes that are no event, for operators.
    Quarantined(Box<Quarantined>),
    /// Nothing; the word is for a counter.
    Nothing(&'static str),
}

impl WebhookReply {
    fn nothing(status: u16, counted: &'static str) -> WebhookReply {
        WebhookReply { status, allow: None, taken: Taken::Nothing(counted) }
    }
}

/// Which endpoint a path names.
enum Endpoint<'e> {
    Stripe(&'e EndpointSecrets),
    Webhook(&'e Webhook, &'e Key),
}

impl Endpoints {
    /// The answer to a request that came at `now`: where, how, and how long are looked at first, then who signed it, and only
    /// then what it says.
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
