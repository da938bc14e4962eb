//! Scenarios with providers on this machine, and the resources that remain after a crash.

mod killed;
mod local;

use host_provider_api::ProviderName;
use host_provider_api::{Call, CallOutcome, Provider};
use host_providers::{Opened, Options, open};
use host_replay::live::LiveProviders;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of a step; no provider on this machine takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Invites users as a server does: the link is a secret of the account.
struct Invites;

impl Provider for Invites {
    fn call(&self, call: &Call) -> CallOutcome {
        match call.make_secret("link", 32) {
            Ok(made) => CallOutcome::Done(json!({"link": made.reference})),
            Err(error) => CallOutcome::from(error),
        }
    }
}

/// Opens the providers of this machine in a temporary folder.
fn machine() -> (LiveProviders, Opened) {
    let mut opened =
        open(&Options { names: vec![ProviderName::Local], ..Options::default() }).expect("a scratch folder");
    opened.registry.register(&["user"], Arc::new(Invites));
    (LiveProviders::new(opened.registry.clone()).with_patience(PATIENCE), opened)
}
