//! The local Stripe of local mode. Its state is a file of the data folder, and its clock goes with the host's.

mod prices;

use anyhow::Context;
use extension_contract::Timestamp;
use host_daemon::data::DataFolder;
use host_daemon::{LocalClock, SoldPrice};
use host_provider_set::Name;
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{ClockMode, Options, Server};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A key of the local account; any key of this form is one.
const KEY: &str = "sk_test_local";
/// Longest wait for the delivery of webhooks while the clock is advanced.
const DELIVERY: Duration = Duration::from_secs(30);
/// Pause between two looks for undelivered webhooks.
const LOOK: Duration = Duration::from_millis(5);

/// Returns the providers of local mode. Health is watched only if the program has the client for it. The provider of this machine
/// comes last, since it knows which addresses are here.
pub(super) fn providers() -> Vec<Name> {
    let watch = cfg!(feature = "http").then_some(Name::Http);
    watch.into_iter().chain([Name::Stripe, Name::Local]).collect()
}

/// A local Stripe with its own threads.
pub(super) struct LocalStripe {
    // The server must be dropped before its runtime.
    server: Server,
    data: DataFolder,
    _runtime: Runtime,
}

impl LocalStripe {
    /// Starts it. Its webhooks go to `url`. Returns it with the signing secret of its endpoint.
    pub(super) fn start(data: DataFolder, url: &str) -> anyhow::Result<(LocalStripe, String)> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("stripe").enable_all().build()?;
        let state = Some(data.path("stripe.db"));
        let server = runtime.block_on(Server::start(Options { state, clock: ClockMode::Wall, ..Options::default() }));
        let server = server.context("the local Stripe")?;
        let secret = endpoint(&server, url)?;
        Ok((LocalStripe { server, data, _runtime: runtime }, secret))
    }

    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Makes the prices that are missing. Returns what could not be made, in words.
    pub(super) fn add_prices(&self, prices: &[SoldPrice]) -> Vec<String> {
        prices::add(&self.server, prices)
    }

    /// Returns address and key, for the provider `stripe`.
    pub(super) fn address(&self) -> host_provider_set::LocalStripe {
        host_provider_set::LocalStripe { url: self.server.url(), key: KEY.to_owned() }
    }
}

/// Makes an endpoint for all events, in place of those of earlier starts, and returns its signing secret.
fn endpoint(server: &Server, url: &str) -> anyhow::Result<String> {
    let known = json_of(&server.handle(&own_request("GET", "/v1/webhook_endpoints", &[])));
    for known in known["data"].as_array().into_iter().flatten() {
        let path = format!("/v1/webhook_endpoints/{}", known["id"].as_str().unwrap_or_default());
        server.handle(&own_request("DELETE", &path, &[]));
    }
    let form = [("url", url), ("enabled_events[]", "*")];
    let made = json_of(&server.handle(&own_request("POST", "/v1/webhook_endpoints", &form)));
    let problem = || format!("the webhook of the local Stripe: {}", made["error"]["message"]);
    Ok(made["secret"].as_str().with_context(problem)?.to_owned())
}

impl LocalClock for LocalStripe {
    fn next_due(&self, until: Timestamp) -> Option<Timestamp> {
        self.server.next_due_s(until.div_euclid(1_000)).map(|due_s| due_s.saturating_mul(1_000))
    }

    fn advance_to(&self, to: Timestamp) {
        self.server.advance_to(to.div_euclid(1_000));
        let began = Instant::now();
        while self.server.undelivered() > 0 && began.elapsed() < DELIVERY {
            thread::sleep(LOOK);
        }
    }

    fn keep_ahead_ms(&self, ahead_ms: i64) {
        if let Err(error) = self.data.set_ahead_ms(ahead_ms) {
            eprintln!("the clock cannot be kept for the next start: {error}");
        }
    }
}
