//! Test support: a local Stripe, a fault proxy in front of it, and a provider that uses the proxy.

use counterparts::{FaultProxy, Protocol};
use host_provider_api::{Call, CallOutcome, Provider, Secret};
use host_providers::http::ExchangeLimits;
use host_providers::stripe::{Config, Stripe};
use local_stripe::sandbox::{json_of, own_request};
use local_stripe::server::{Options, Server};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The key. No outcome may contain any part of it.
pub const KEY: &str = "sk_test_51NobodyMayReadThis";
/// Timeout of a request. Faults that delay a response take longer.
pub const TIMEOUT: Duration = Duration::from_millis(700);
/// A delay longer than the timeout.
pub const TOO_LATE: Duration = Duration::from_millis(1_200);

pub struct Bench {
    pub stripe: Stripe,
    pub proxy: FaultProxy,
    server: Server,
    _runtime: Runtime,
}

pub fn config(url: String) -> Config {
    let limits = ExchangeLimits { timeout: TIMEOUT, ..Config::default().limits };
    Config { test_key: Some(Secret::new(KEY)), url, limits, ..Config::default() }
}

impl Bench {
    pub fn start() -> Bench {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(Server::start(Options::default())).unwrap();
        let address = server.url().strip_prefix("http://").unwrap().parse().unwrap();
        let proxy = FaultProxy::start(address, Protocol::Http);
        let stripe = Stripe::new(config(proxy.url()));
        Bench { stripe, proxy, server, _runtime: runtime }
    }

    /// Sends a request directly to the local Stripe.
    pub fn direct(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        let response = self.server.handle(&own_request(method, path, form));
        assert_eq!(response.status, 200, "{method} {path}: {}", response.body);
        json_of(&response)
    }

    /// Creates an object in the local Stripe and returns its id.
    pub fn make(&self, path: &str, form: &[(&str, &str)]) -> String {
        text(&self.direct("POST", path, form), "id")
    }

    pub fn call(&self, call: &Call) -> CallOutcome {
        let answer = self.stripe.call(call);
        let shown = format!("{answer:?}");
        assert!(!shown.contains("sk_test_") && !shown.contains("NobodyMayReadThis"), "a key leaked: {shown}");
        answer
    }

    /// Returns the outputs of a call that must succeed.
    pub fn done(&self, call: &Call) -> Value {
        match self.call(call) {
            CallOutcome::Done(outputs) => outputs,
            other => panic!("{} {}: {other:?}", call.kind, call.payload),
        }
    }

    /// Returns the objects in a list that the call created.
    pub fn made(&self, path: &str, filter: &[(&str, &str)], call: &Call) -> Vec<Value> {
        let mut form = vec![("limit", "100")];
        form.extend_from_slice(filter);
        let list = self.direct("GET", path, &form);
        assert_eq!(list["has_more"], false, "the list must fit on one page");
        let is_of = |object: &&Value| {
            let metadata = &object["metadata"];
            metadata["provisioner_scope"] == call.scope.as_str() && metadata["provisioner_key"] == call.key.as_str()
        };
        list["data"].as_array().unwrap().iter().filter(is_of).cloned().collect()
    }
}

pub fn call(kind: &str, payload: Value) -> Call {
    Call {
        kind: kind.to_owned(),
        scope: "shop/test/user:ada".to_owned(),
        key: format!("{kind}:1"),
        generation: 1,
        attempt: 1,
        lease: 1,
        payload,
        ..Call::default()
    }
}

/// Returns the call that a restarted host makes if it was killed before it stored the outcome of `call`.
pub fn after_a_crash(call: &Call) -> Call {
    Call { lease: call.lease + 1, ..call.clone() }
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned()
}
