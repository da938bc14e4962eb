//! Scenarios with providers on this machine, and the resources that remain after a crash.

mod killed;
mod local;

use host_provider_set::{Name, Opened, Options, open};
use host_replay::live::LiveProviders;
use std::time::Duration;

/// Timeout of a step; no provider on this machine takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens the providers of this machine in a temporary folder.
fn machine() -> (LiveProviders, Opened) {
    let opened = open(&Options { names: vec![Name::Local], ..Options::default() }).expect("a scratch folder");
    (LiveProviders::new(opened.registry.clone()).with_patience(PATIENCE), opened)
}
