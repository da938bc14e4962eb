//! Service provider: one of the business's services carries out the business's own effects. Each call is one signed HTTP request.
//!
//! The signature follows Standard Webhooks, so libraries in many languages can verify it.

mod answer;
mod open;
mod request;

use crate::http::{Body, Client, ExchangeLimits, Method, Request};
pub use open::ServiceSettings;

use answer::outcome;
use host_intake::webhook::{Key, KeyError, Scheme};
use host_provider_api::{Call, CallOutcome, Provider, Secret};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Limits of a request: 20 s, and an answer of 64 KiB.
const LIMITS: ExchangeLimits = ExchangeLimits { timeout: Duration::from_secs(20), body_bytes_max: 64 * 1024 };

/// Address and secret of a service.
pub struct Config {
    /// The address to which calls are sent: `https`, or `http` on this machine.
    pub url: String,
    /// The secret of Standard Webhooks, `whsec_` and base64.
    pub secret: Secret,
}

/// An unusable value in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address is invalid, or would send calls without encryption.
    #[error("url: `{0}`: expected https://HOST/PATH, or http://127.0.0.1:PORT/PATH on this machine")]
    Url(String),
    /// The secret is not in the format of Standard Webhooks.
    #[error("secret: {0}")]
    Secret(KeyError),
}

/// The provider of one service's effects.
///
/// The request is a `POST` of a JSON object with `kind`, `scope`, `key`, `generation`, `attempt`, `payload`, and `token` if an earlier
/// answer had one. Its header `webhook-id` is the same for every attempt of an effect, but differs between effects and generations, even if
/// a store that was restored from a backup reuses a key and a generation.
///
/// | status | meaning | members of the answer |
/// |---|---|---|
/// | 200, 201, 204 | done | the outputs; none for an empty body |
/// | 202 | in progress; the call is repeated after `Retry-After`, or after 5 s | `token` |
/// | 400, 403, 404, 409, 410, 422 | refused; a repetition cannot succeed | `code`, `detail` |
/// | any other | not carried out now; the call is repeated | – |
pub struct Service {
    client: Client,
    path: String,
    key: Key,
}

impl Service {
    /// Creates the provider.
    ///
    /// # Errors
    /// Fails if the address or the secret cannot be used.
    pub fn new(config: &Config) -> Result<Service, ConfigError> {
        let (base, path) = request::parts(&config.url).ok_or_else(|| ConfigError::Url(config.url.clone()))?;
        let key = Key::new(&Scheme::Standard, config.secret.expose()).map_err(ConfigError::Secret)?;
        Ok(Service { client: Client::new(base, LIMITS), path: path.to_owned(), key })
    }
}

impl Provider for Service {
    fn call(&self, call: &Call) -> CallOutcome {
        let (id, body) = (request::id(call), request::body(call));
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let signed = Scheme::Standard.sign(&self.key, &id, now_ms, body.as_bytes());
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request {
            method: Method::Post,
            path: &self.path,
            bearer: "",
            headers: &headers,
            body: Some(Body::Json(body)),
        };
        self.client.send(&request).map_or_else(CallOutcome::from, |reply| outcome(&reply))
    }
}
