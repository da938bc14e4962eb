//! Scenarios with providers that do something in the world, and what is left there after a crash.

#[path = "providers/killed.rs"]
mod killed;
#[path = "providers/local.rs"]
mod local;

use host_provider_set::{Name, Opened, Options, open};
use host_replay::live::LiveProviders;
use std::time::Duration;

/// How long a step may wait for a provider: none of this machine works for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What this machine makes, in a folder that goes with it.
fn machine() -> (LiveProviders, Opened) {
    let opened = open(&Options { names: vec![Name::Local], ..Options::default() }).expect("a scratch folder");
    (LiveProviders::new(opened.registry.clone()).with_patience(PATIENCE), opened)
}
