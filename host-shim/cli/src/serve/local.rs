//! The local Stripe of local mode. Its state and its port are stored in files of the data folder, and its clock follows the host's.

mod prices;

use anyhow::{Context, bail};
use extension_contract::Timestamp;
use host_intake::{Mode, SecretConfig};
use host_provider_api::ProviderName;
use host_providers::lasting_ports;
use host_run::data::DataFolder;
use host_run::{LocalClock, SoldPrice};
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{ClockMode, Options, Server, ServerError};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A key for the local account; it accepts any key of this form.
const KEY: &str = "sk_test_local";
/// Longest wait for the delivery of webhooks while the clock is advanced.
const DELIVERY: Duration = Duration::from_secs(30);
/// Interval between checks for undelivered webhooks.
const LOOK: Duration = Duration::from_millis(5);

/// Returns the providers of local mode. The provider for this machine comes last, since it knows which addresses are local.
pub(super) fn providers() -> Vec<ProviderName> {
    vec![ProviderName::Http, ProviderName::Stripe, ProviderName::Local]
}

/// A local Stripe with its own threads.
pub(super) struct LocalStripe {
    // The server must be dropped before its runtime.
    server: Server,
    data: DataFolder,
    _runtime: Runtime,
}

impl LocalStripe {
    /// Starts it at `port`, at the port of its last start, or at a free one. Its webhooks go to `url`. Returns it with the
    /// signing secrets of its endpoints.
    pub(super) fn start(
        data: DataFolder,
        port: Option<u16>,
        url: &str,
    ) -> anyhow::Result<(LocalStripe, Vec<SecretConfig>)> {
        // A second server of this folder is refused for that reason, not because of the port of its Stripe.
        drop(data.lock()?);
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("stripe").enable_all().build()?;
        let state = Some(data.path("stripe.db"));
        let options = Options { state, clock: ClockMode::Wall, ..Options::default() };
        let start = |port| runtime.block_on(Server::start(Options { port, ..options.clone() }));
        let server = match port.map_or_else(|| data.stripe_port(), |port| Ok(Some(port)))? {
            Some(port) => start(port).context(
                "the local Stripe: end the program that has its port, or choose another port with --stripe-port",
            )?,
            None => start_at_free_port(start).context("the local Stripe")?,
        };
        data.set_stripe_port(server.address().port())?;
        let secrets = endpoints(&server, url)?;
        prepare_taxes(&server)?;
        Ok((LocalStripe { server, data, _runtime: runtime }, secrets))
    }

    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Creates the missing prices. Returns a description of what could not be created.
    pub(super) fn add_prices(&self, prices: &[SoldPrice]) -> Vec<String> {
        prices::add(&self.server, prices)
    }

    /// Returns address and key, for the provider `stripe`.
    pub(super) fn address(&self) -> host_providers::LocalStripe {
        host_providers::LocalStripe { url: self.server.url(), key: KEY.to_owned() }
    }
}

/// Starts a server at one of the ports that stay free, or at any other if they are taken.
fn start_at_free_port(start: impl Fn(u16) -> Result<Server, ServerError>) -> Result<Server, ServerError> {
    let mut tried = lasting_ports().map(&start);
    tried.find(|started| !matches!(started, Err(ServerError::Bind { .. }))).unwrap_or_else(|| start(0))
}

/// Creates two endpoints for all events, which replace those of earlier starts, and returns their signing secrets: one for the
/// events of the own account, and one for those of connected accounts.
fn endpoints(server: &Server, url: &str) -> anyhow::Result<Vec<SecretConfig>> {
    let known = json_of(&server.handle(&own_request("GET", "/v1/webhook_endpoints", &[])));
    for known in known["data"].as_array().into_iter().flatten() {
        let path = format!("/v1/webhook_endpoints/{}", known["id"].as_str().unwrap_or_default());
        server.handle(&own_request("DELETE", &path, &[]));
    }
    let add = |name: &str, connect: bool| -> anyhow::Result<SecretConfig> {
        let form = [("url", url), ("enabled_events[]", "*"), ("connect", if connect { "true" } else { "false" })];
        let made = json_of(&server.handle(&own_request("POST", "/v1/webhook_endpoints", &form)));
        let problem = || format!("the webhook of the local Stripe: {}", made["error"]["message"]);
        let secret = made["secret"].as_str().with_context(problem)?.to_owned();
        Ok(SecretConfig { name: name.to_owned(), mode: Mode::Test, connect: Some(connect), secret })
    };
    Ok(vec![add("local", false)?, add("local-connect", true)?])
}

/// Gives the account a head office and tax registrations, so that a business with `tax: automatic` sees taxes: in California, where
/// the office is, and in Germany. Anything that a person has set is kept.
fn prepare_taxes(server: &Server) -> anyhow::Result<()> {
    let ask = |method: &str, path: &str, form: &[(&str, &str)]| -> anyhow::Result<Value> {
        let answer = json_of(&server.handle(&own_request(method, path, form)));
        match &answer["error"]["message"] {
            Value::String(message) => bail!("{path} of the local Stripe: {message}"),
            _ => Ok(answer),
        }
    };
    if ask("GET", "/v1/tax/settings", &[])?["head_office"].is_null() {
        let settings = [
            ("head_office[address][country]", "US"),
            ("head_office[address][state]", "CA"),
            ("head_office[address][city]", "San Francisco"),
            ("head_office[address][postal_code]", "94111"),
            ("head_office[address][line1]", "1 Main Street"),
            ("defaults[tax_behavior]", "exclusive"),
        ];
        ask("POST", "/v1/tax/settings", &settings)?;
    }
    if ask("GET", "/v1/tax/registrations", &[])?["data"].as_array().is_some_and(Vec::is_empty) {
        let california = [
            ("country", "US"),
            ("country_options[us][state]", "CA"),
            ("country_options[us][type]", "state_sales_tax"),
            ("active_from", "now"),
        ];
        let germany = [
            ("country", "DE"),
            ("country_options[de][type]", "standard"),
            ("country_options[de][standard][place_of_supply_scheme]", "standard"),
            ("active_from", "now"),
        ];
        for registration in [california, germany] {
            ask("POST", "/v1/tax/registrations", &registration)?;
        }
    }
    Ok(())
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
