//! Test support: a double of the management API, a fault proxy in front of it, and a provider with a vault.

use counterparts::{FaultProxy, Project, Protocol, Supabase as Double};
use host_provider_api::{Call, CallOutcome, Provider, Registry, Reply, Secret, SecretAccess};
use host_providers::http::ExchangeLimits;
use host_providers::supabase::{Config, Supabase};
use host_vault::Vault;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The token; no answer may contain any part of it.
pub const TOKEN: &str = "sbp_nobodymayreadthis";
pub const ORGANIZATION: &str = "org-1";
/// Request timeout; delaying faults take longer.
const TIMEOUT: Duration = Duration::from_millis(400);
/// A delay longer than the timeout.
pub const TOO_LATE: Duration = Duration::from_millis(800);
/// Maximum polls of one call.
const POLLS_MAX: usize = 60;

pub struct Bench {
    pub double: Double,
    pub proxy: FaultProxy,
    pub vault: Arc<Vault>,
    registry: Registry,
}

pub fn config(url: String) -> Config {
    Config {
        token: Some(Secret::new(TOKEN)),
        organization: Some(ORGANIZATION.to_owned()),
        limits: ExchangeLimits { timeout: TIMEOUT, body_bytes_max: 100_000 },
        poll: Duration::from_millis(1),
        url,
        ..Config::default()
    }
}

impl Bench {
    pub fn start() -> Bench {
        Bench::with(|config| config)
    }

    pub fn with(change: impl FnOnce(Config) -> Config) -> Bench {
        let double = Double::start(TOKEN, ORGANIZATION);
        let proxy = FaultProxy::start(double.address(), Protocol::Http);
        let vault = Arc::new(Vault::in_memory().unwrap());
        let mut registry = Registry::with_default(Arc::new(Supabase::new(change(config(proxy.url())))));
        registry.set_secrets(vault.clone());
        Bench { double, proxy, vault, registry }
    }

    /// Makes one call, and checks that no token or password leaks.
    pub fn call(&self, call: &Call) -> CallOutcome {
        let call = Call { secrets: self.registry.secret_access(), ..call.clone() };
        let Reply::Answer(answer) = self.registry.call(&call) else { panic!("expected an answer") };
        let shown = format!("{answer:?}");
        assert!(!shown.contains("nobodymayreadthis") && !shown.contains("sbp_"), "a token leaked: {shown}");
        let passwords = self.double.projects().into_iter().map(|project| project.password);
        for password in passwords.filter(|password| password != Project::PASSWORD) {
            assert!(!shown.contains(&password), "a password leaked: {shown}");
        }
        answer
    }

    /// Calls the provider and polls until the outcome is not `InProgress`.
    pub fn ask(&self, call: &Call) -> CallOutcome {
        let mut answer = self.call(call);
        for _ in 0..POLLS_MAX {
            let CallOutcome::InProgress { token, .. } = answer else { return answer };
            answer = self.call(&Call { token: Some(token), ..call.clone() });
        }
        panic!("{} takes too many polls", call.kind)
    }

    /// Returns the outputs of a call that must succeed after its polls.
    pub fn done(&self, call: &Call) -> Value {
        match self.ask(call) {
            CallOutcome::Done(outputs) => outputs,
            other => panic!("{} {}: {other:?}", call.kind, call.payload),
        }
    }

    /// Returns the code of a call that must be refused after its polls.
    pub fn refused(&self, call: &Call) -> String {
        match self.ask(call) {
            CallOutcome::Refused { code, .. } => code,
            other => panic!("{} {}: {other:?}", call.kind, call.payload),
        }
    }

    /// Returns the only project.
    pub fn only(&self) -> Project {
        let mut projects = self.double.projects();
        assert_eq!(projects.len(), 1, "{projects:?}");
        projects.remove(0)
    }
}

/// A provider whose calls get access to a vault, for the conformance check.
pub struct WithVault(pub Supabase, pub Arc<Vault>);

impl Provider for WithVault {
    fn call(&self, call: &Call) -> CallOutcome {
        self.0.call(&Call { secrets: SecretAccess::new(Some(self.1.clone())), ..call.clone() })
    }
}

/// A payload as the extension sends it.
pub fn inputs() -> Value {
    json!({"name": "orchestra-acme", "region": "eu-west-2", "plan": "pro", "organization": ORGANIZATION,
        "backups": {"every_hours": 24, "keep_days": 30}})
}

pub fn call(verb: &str, generation: u32, payload: Value) -> Call {
    Call {
        kind: format!("database.{verb}"),
        scope: "stages/test/user:o1".to_owned(),
        key: format!("orch_acme/database/{verb}"),
        generation,
        attempt: 1,
        lease: 1,
        payload,
        ..Call::default()
    }
}

pub fn with(mut payload: Value, more: Value) -> Value {
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    payload
}

pub fn ensure() -> Call {
    call("ensure", 1, inputs())
}

pub fn change(generation: u32, state: &str) -> Call {
    call("change", generation, with(inputs(), json!({"state": state})))
}
