//! A local Stripe beside a replay: `stripe` effects are calls of its API, customers act there by `at_stripe` steps, and its
//! webhooks come signed over HTTP.

mod hook;

use extension_contract::Timestamp;
use hook::Hook;
use host_intake::request::PATH;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::webhook::split_place;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_replay::beside::{Beside, BesideError, Delivery};
use host_scenario::model::AtStripe;
use local_stripe::sandbox::{Request, json_of, own_request};
use local_stripe::server::{Options, Server, ServerError};
use local_stripe::settings::Settings;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The key of its test account.
pub const TEST_KEY: &str = "sk_test_beside";

/// Its clock before a story begins: 2020-01-01T00:00:00Z. A story that begins earlier begins then.
const START_S: i64 = 1_577_836_800;
/// A delivery that fails is tried once again, at once: a story does not wait for what its host refuses.
const RETRY_S: [u64; 1] = [0];
/// How long to wait for the next delivery before looking whether there is one to come.
const LOOK: Duration = Duration::from_millis(5);

/// Why it can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The Stripe itself.
    #[error(transparent)]
    Stripe(#[from] ServerError),
    /// What hears its webhooks, or the threads of both.
    #[error("no local Stripe can be started: {0}")]
    Io(#[from] std::io::Error),
}

/// A local Stripe on threads of its own; it ends when this is dropped.
pub struct LocalStripe {
    // Dropped before the runtime that they run on.
    server: Server,
    hook: Hook,
    _runtime: Runtime,
}

impl LocalStripe {
    /// Starts one on free ports of 127.0.0.1, with an empty account.
    pub fn start() -> Result<LocalStripe, StartError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let hook = Hook::start(&runtime)?;
        let settings = Settings { start_s: START_S, ..Settings::default() };
        let options = Options { settings, retry_s: RETRY_S.to_vec(), ..Options::default() };
        let server = runtime.block_on(Server::start(options))?;
        Ok(LocalStripe { server, hook, _runtime: runtime })
    }

    /// `http://127.0.0.1:PORT`, where its API is, and its pages.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What a call is answered, or why it is refused.
    fn answered(&self, call: &str, request: &Request) -> Result<serde_json::Value, BesideError> {
        let response = self.server.handle(request);
        let body = json_of(&response);
        match response.status {
            200..300 => Ok(body),
            status => {
                let message = body["error"]["message"].as_str().unwrap_or("no message").to_owned();
                Err(BesideError::Refused { call: call.to_owned(), status, message })
            }
        }
    }

    /// A text in which `{KIND}` is the id of the newest object of that kind.
    fn filled(&self, call: &str, text: &str) -> Result<String, BesideError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, kind, behind)) = split_place(rest) {
            let newest = self.server.newest(kind);
            let nothing = || BesideError::Nothing { call: call.to_owned(), kind: kind.to_owned() };
            filled.push_str(before);
            filled.push_str(&newest.ok_or_else(nothing)?);
            rest = behind;
        }
        Ok(filled + rest)
    }
}

impl Beside for LocalStripe {
    fn begin(&self, version: &str, clock: Timestamp) -> Result<EndpointSecrets, BesideError> {
        self.advance_to(clock);
        let url = format!("{}{PATH}stripe", self.hook.url());
        let form = [("url", url.as_str()), ("api_version", version), ("enabled_events[]", "*")];
        let made = self.answered("POST /v1/webhook_endpoints", &own_request("POST", "/v1/webhook_endpoints", &form))?;
        let secret = made["secret"].as_str().unwrap_or_default().to_owned();
        let config = SecretConfig { name: "beside".to_owned(), mode: Mode::Test, connect: None, secret };
        EndpointSecrets::new(vec![config], TOLERANCE_S_DEFAULT).map_err(|error| BesideError::Gone(error.to_string()))
    }

    fn call(&self, call: &AtStripe) -> Result<(), BesideError> {
        let name = format!("{} {}", call.method, call.path);
        let path = self.filled(&name, &call.path)?;
        let mut form = Vec::with_capacity(call.form.len());
        for (member, value) in &call.form {
            form.push((member.as_str(), self.filled(&name, value)?));
        }
        let form: Vec<(&str, &str)> = form.iter().map(|(member, value)| (*member, value.as_str())).collect();
        self.answered(&name, &own_request(&call.method, &path, &form)).map(|_| ())
    }

    fn next_due(&self, until: Timestamp) -> Option<Timestamp> {
        self.server.next_due_s(until.div_euclid(1_000)).map(|due_s| due_s.saturating_mul(1_000))
    }

    fn advance_to(&self, to: Timestamp) {
        self.server.advance_to(to.div_euclid(1_000));
    }

    fn next(&self) -> Result<Option<Delivery>, BesideError> {
        loop {
            // Asked first: what is delivered in between is in the queue.
            let is_through = self.server.undelivered() == 0;
            match self.hook.next(if is_through { Duration::ZERO } else { LOOK })? {
                Some(delivery) => return Ok(Some(delivery)),
                None if is_through => return Ok(None),
                None => {}
            }
        }
    }
}
