//! Fuzzes a business: a host starts with the business or reports its problems.
//!
//! The input contains `catalog.yml`, and after [`NEXT`] `business.yml`.

use host_business::folder::BusinessFolder;
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_scenario::error::ReplayError;
use std::fs;

/// Separator between the two files.
const NEXT: &str = "\n===\n";
/// The host's time, 2026-01-01T00:00:00Z, in milliseconds since the epoch.
const CLOCK_MS: i64 = 1_767_225_600_000;

/// Starts a host with the business in the input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (catalog, business) = text.split_once(NEXT).unwrap_or((text, ""));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    if !business.is_empty() {
        fs::write(folder.path().join("business.yml"), business).expect("written");
    }
    let started = BusinessFolder::load(folder.path()).map_err(ReplayError::from).and_then(|business| {
        Rig::start(RigSetup {
            business: BusinessFolder { name: "acme".to_owned(), ..business },
            livemode: false,
            config: Vec::new(),
            runners: host_replay::native::runners(),
            store: StoreKind::Memory,
            clock: CLOCK_MS,
            live: None,
        })
    });
    match started {
        Ok(host) => drop(host.state().expect("a started host has a state")),
        Err(error) => assert!(error.is_bad_input(), "an invalid catalog must be reported as bad input: {error}"),
    }
}
