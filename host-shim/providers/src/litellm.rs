//! Reads model usage from a LiteLLM proxy: `usage.pull` reads one page of its spend log.
//!
//! The provider only reads, so repeating a call has no effect. It never trusts the proxy's filter: a page that contains a row of another
//! user is refused.

mod log;
mod open;
mod pull;

pub use open::LitellmSettings;

use crate::http::{Client, ExchangeLimits, Method, Redacted, Request, retry_after_ms};
use host_provider_api::{Call, CallOutcome, Provider, Secret};
use pull::Pull;
use std::time::Duration;

/// Prefixes of the proxy's keys. Words with these prefixes are removed from all outcomes.
const KEY_PREFIXES: [&str; 1] = ["sk-"];

/// The column of the spend log that contains our users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// `user`: the users of the proxy, whose keys make the requests.
    #[default]
    User,
    /// `end_user`: the member `user` in the bodies of requests, all made with one key.
    EndUser,
}

/// Settings of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Base URL of the proxy, without a trailing slash.
    pub url: String,
    /// Key of a proxy administrator.
    pub key: Secret,
    /// The column of the spend log that contains our users.
    pub identify: Identify,
    /// Limits of one request.
    pub limits: ExchangeLimits,
}

impl Config {
    /// Returns the settings for a proxy. A page has at most 4 MiB.
    pub fn new(url: &str, key: Secret) -> Config {
        let limits = ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 4 * 1024 * 1024 };
        Config { url: url.trim_end_matches('/').to_owned(), key, identify: Identify::default(), limits }
    }
}

/// The provider of `usage.pull`.
///
/// Payload: `user`, `from` and `to` (RFC 3339), `page` (from 1), `size` (1 to 100), `quantities` (of `input` and `output`) and
/// `attributes`. `model` is the public name of the model; any other attribute `NAME` is the value of the request's tag `NAME:VALUE`.
/// Output: `requests` (oldest first) with `id`, `at`, `quantities` and `attributes`, and `more`.
pub struct LiteLlm {
    config: Config,
    client: Client,
}

impl LiteLlm {
    /// Creates the provider. It connects on the first call.
    pub fn new(config: Config) -> LiteLlm {
        let client = Client::new(&config.url, config.limits);
        LiteLlm { config, client }
    }

    fn read(&self, pull: &Pull) -> CallOutcome {
        let path = pull.path(self.config.identify);
        let request =
            Request { method: Method::Get, path: &path, bearer: self.config.key.expose(), headers: &[], body: None };
        let reply = match self.client.send(&request) {
            Ok(reply) => reply,
            Err(error) => return error.into(),
        };
        match reply.status {
            200 => match log::read(&reply.body, pull, self.config.identify) {
                Ok(page) => CallOutcome::Done(page),
                Err(error) => CallOutcome::refused("bad-log", error.to_string()),
            },
            status @ (408 | 429 | 500..=599) => CallOutcome::Retry {
                after_ms: retry_after_ms(&reply),
                code: format!("status-{status}"),
                message: format!("the proxy answered {status}: expected 200"),
            },
            401 | 403 => {
                CallOutcome::refused("unauthorized", "the proxy refused the key: expected an administrator's key")
            }
            status => {
                CallOutcome::refused(&format!("status-{status}"), format!("the proxy answered {status}: expected 200"))
            }
        }
    }
}

impl Provider for LiteLlm {
    fn call(&self, call: &Call) -> CallOutcome {
        if call.kind != "usage.pull" {
            return CallOutcome::unsupported(call);
        }
        let redacted = Redacted { key: &self.config.key, prefixes: &KEY_PREFIXES };
        match Pull::of(&call.payload) {
            Ok(pull) => redacted.outcome(self.read(&pull)),
            Err(error) => CallOutcome::refused("bad-payload", error.to_string()),
        }
    }
}
