//! Runs a local Stripe during a replay: `stripe` effects and `at_stripe` steps call Stripe's API, and Stripe sends
//! signed webhooks over HTTP.

mod hook;

use crate::live::PATIENCE;
use crate::local_stripe::{Delivery, StripeServer, StripeServerError};
use extension_contract::Timestamp;
use hook::Hook;
use host_intake::request::PATH;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::webhook::split_place;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_scenario::model::AtStripe;
use local_stripe::sandbox::{Request, json_of, own_request};
use local_stripe::server::{Options, Server, ServerError};
use local_stripe::settings::Settings;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// The API key of the local Stripe's test account.
pub const TEST_KEY: &str = "sk_test_beside";

/// The clock of the local Stripe before a scenario: 2020-01-01T00:00:00Z, in seconds since the epoch. A scenario can't
/// start earlier.
const START_S: i64 = 1_577_836_800;
/// Delays before the retries of a delivery, in seconds. A failed delivery is retried only once and without delay, so
/// that a refused webhook does not hold up a scenario.
const RETRY_S: [u64; 1] = [0];
/// How long the replay waits for a delivery before it checks again whether deliveries are pending.
const LOOK: Duration = Duration::from_millis(5);

/// An error when starting a local Stripe.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Stripe server failed to start.
    #[error(transparent)]
    Stripe(#[from] ServerError),
    /// The webhook receiver or the runtime failed to start.
    #[error("the local Stripe can't be started: {0}")]
    Io(#[from] std::io::Error),
}

/// A local Stripe on its own threads. Dropping this value stops it.
pub struct LocalStripe {
    // The server and the receiver must be dropped before their runtime.
    server: Server,
    hook: Hook,
    patience: Duration,
    _runtime: Runtime,
}

impl LocalStripe {
    /// Starts a local Stripe on free ports of 127.0.0.1, with an empty account.
    ///
    /// # Errors
    ///
    /// Fails if no port or thread is available.
    pub fn start() -> Result<LocalStripe, StartError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let hook = Hook::start(&runtime)?;
        let settings = Settings { start_s: START_S, ..Settings::default() };
        let options = Options { settings, retry_s: RETRY_S.to_vec(), ..Options::default() };
        let server = runtime.block_on(Server::start(options))?;
        Ok(LocalStripe { server, hook, patience: PATIENCE, _runtime: runtime })
    }

    /// Sets the limit of the wait for a delivery, instead of [`PATIENCE`].
    pub fn with_patience(self, patience: Duration) -> LocalStripe {
        LocalStripe { patience, ..self }
    }

    /// Returns the address of the API and the pages, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Makes a call and returns the body of the response.
    fn response(&self, call: &str, request: &Request) -> Result<serde_json::Value, StripeServerError> {
        let response = self.server.handle(request);
        let body = json_of(&response);
        match response.status {
            200..300 => Ok(body),
            status => {
                let message = body["error"]["message"].as_str().unwrap_or("no message").to_owned();
                Err(StripeServerError::Refused { call: call.to_owned(), status, message })
            }
        }
    }

    /// Replaces each `{KIND}` in a text with the id of the newest object of that kind.
    fn filled(&self, call: &str, text: &str) -> Result<String, StripeServerError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, kind, behind)) = split_place(rest) {
            let newest = self.server.newest(kind);
            let no_object = || StripeServerError::NoObject { call: call.to_owned(), kind: kind.to_owned() };
            filled.push_str(before);
            filled.push_str(&newest.ok_or_else(no_object)?);
            rest = behind;
        }
        Ok(filled + rest)
    }
}

impl StripeServer for LocalStripe {
    fn begin(&self, version: &str, clock: Timestamp) -> Result<EndpointSecrets, StripeServerError> {
        self.advance_to(clock);
        let url = format!("{}{PATH}stripe", self.hook.url());
        // Events of connected accounts go to a separate endpoint.
        let endpoint = |name: &str, connect: bool| -> Result<SecretConfig, StripeServerError> {
            let is_connect = if connect { "true" } else { "false" };
            let form =
                [("url", url.as_str()), ("api_version", version), ("enabled_events[]", "*"), ("connect", is_connect)];
            let request = own_request("POST", "/v1/webhook_endpoints", &form);
            let made = self.response("POST /v1/webhook_endpoints", &request)?;
            let secret = made["secret"].as_str().unwrap_or_default().to_owned();
            Ok(SecretConfig { name: name.to_owned(), mode: Mode::Test, connect: Some(connect), secret })
        };
        let configs = vec![endpoint("beside", false)?, endpoint("beside-connect", true)?];
        EndpointSecrets::new(configs, TOLERANCE_S_DEFAULT)
            .map_err(|error| StripeServerError::Unavailable(error.to_string()))
    }

    fn call(&self, call: &AtStripe) -> Result<(), StripeServerError> {
        let name = format!("{} {}", call.method, call.path);
        let path = self.filled(&name, &call.path)?;
        let mut form = Vec::with_capacity(call.form.len());
        for (member, value) in &call.form {
            form.push((member.as_str(), self.filled(&name, value)?));
        }
        let form: Vec<(&str, &str)> = form.iter().map(|(member, value)| (*member, value.as_str())).collect();
        self.response(&name, &own_request(&call.method, &path, &form)).map(|_| ())
    }

    fn next_due(&self, until: Timestamp) -> Option<Timestamp> {
        self.server.next_due_s(until.div_euclid(1_000)).map(|due_s| due_s.saturating_mul(1_000))
    }

    fn advance_to(&self, to: Timestamp) {
        self.server.advance_to(to.div_euclid(1_000));
    }

    fn next(&self) -> Result<Option<Delivery>, StripeServerError> {
        let begun = Instant::now();
        loop {
            // This check comes before the queue is read, so that a delivery in between is not missed.
            let waiting = self.server.undelivered();
            match self.hook.next(if waiting == 0 { Duration::ZERO } else { LOOK })? {
                Some(delivery) => return Ok(Some(delivery)),
                None if waiting == 0 => return Ok(None),
                None if begun.elapsed() >= self.patience => {
                    return Err(StripeServerError::Silent { waiting, patience_s: self.patience.as_secs() });
                }
                None => {}
            }
        }
    }
}
