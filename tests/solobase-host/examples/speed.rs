//! Compares the speed of the block and the component on the same signed webhooks, each of a new customer, one after
//! another: the block under wasmi with the stand-in's database, and the component under wasmtime with SQLite. Both
//! databases are files. HTTP is left out.
//!
//! `cargo run --profile host --package solobase-host --example speed --config 'profile.host.package.wasmi.opt-level=3'`

use anyhow::{Context, Result, anyhow, ensure};
use host_block::{BUNDLE, NAME, SERVICE_KEY, STRIPE_SECRET, key};
use host_business::Setup;
use host_business::bundle;
use host_business::folder::BusinessFolder;
use host_intake::testing::sign;
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_replay::runners::{Runners, Workload};
use serde_json::json;
use solobase_host::database::{Database, Period};
use solobase_host::guest::Guest;
use solobase_host::services::Services;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Number of webhooks of a run.
const EVENTS: usize = 300;
/// Runs of each; the fastest counts.
const RUNS: usize = 3;
/// Time of the webhooks: 2026-01-01.
const NOW: i64 = 1_767_225_600_000;
const SECRET: &str = "whsec_of_the_measurement";

/// A subscription of a new customer.
fn body(number: usize) -> Vec<u8> {
    let created = NOW / 1000;
    let item = json!({"id": format!("si_{number}"), "price": {"id": "price_xyz789"}, "quantity": 1,
        "current_period_start": created, "current_period_end": created + 2_678_400});
    let subscription = json!({"id": format!("sub_{number}"), "object": "subscription", "customer": format!("cus_{number}"),
        "status": "active", "metadata": {"user_id": format!("u{number}")},
        "items": {"object": "list", "data": [item], "has_more": false}});
    json!({"id": format!("evt_{number}"), "object": "event", "type": "customer.subscription.created",
        "api_version": "2025-03-31.basil", "created": created, "livemode": false, "data": {"object": subscription}})
    .to_string()
    .into_bytes()
}

/// Returns the seconds of the block, the fuel of a webhook, and the calls of services.
fn block(business: &BusinessFolder, folder: &Path, period: Period) -> Result<(f64, u64, u64)> {
    let bundle = bundle::of(&Setup::new(business.clone(), false, &[], None));
    let config = BTreeMap::from([
        (key(BUNDLE), serde_json::to_string(&bundle)?),
        (key(STRIPE_SECRET), SECRET.to_owned()),
        (key(SERVICE_KEY), "a service key of the measurement".to_owned()),
    ]);
    let database = Database::open(Some(&folder.join("block.db")), period)?;
    let services = Arc::new(Services::new(database, config, NOW));
    let module = std::fs::read(component_builder::block()?)?;
    let guest = Guest::of(&module, NAME, services.clone(), None)?;
    ensure!(guest.lifecycle("Init")?.0 == json!({"Ok": null}), "{:?}", services.lines());
    let (mut fuel, mut calls) = (0, 0);
    let start = Instant::now();
    for number in 0..EVENTS {
        let body = body(number);
        let meta = [
            ("http.method".to_owned(), "POST".to_owned()),
            ("http.path".to_owned(), "/b/provisioner/webhooks/stripe".to_owned()),
            ("http.header.stripe-signature".to_owned(), sign(SECRET, NOW / 1000, &body)),
        ];
        let (answer, used) = guest.handle("POST:/b/provisioner/webhooks/stripe", &meta, &body, None)?;
        let data: Vec<u8> = serde_json::from_value(answer["response"]["data"].clone())?;
        let data: serde_json::Value = serde_json::from_slice(&data)?;
        ensure!(data["outcome"] == "applied", "{data}");
        fuel += used.fuel;
        calls += used.calls;
    }
    Ok((start.elapsed().as_secs_f64(), fuel / EVENTS as u64, calls / EVENTS as u64))
}

/// Returns the seconds of the component.
fn component(business: &BusinessFolder, folder: &Path, file: &Path) -> Result<f64> {
    let runners = Runners::component(file, false, Workload::ManyEvents)?;
    let setup = RigSetup {
        business: business.clone(),
        livemode: false,
        config: Vec::new(),
        runners,
        store: StoreKind::Sqlite(folder.join("component.db")),
        clock: NOW,
        live: None,
    };
    let mut rig = Rig::start(setup)?;
    let start = Instant::now();
    for number in 0..EVENTS {
        let decoded = host_intake::raw::read(body(number), &business.name, NOW).map_err(|error| anyhow!("{error}"))?;
        let delivered = rig.accept(decoded, NOW)?;
        ensure!(delivered.first.result.name() == "applied", "{:?}", delivered.first);
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Returns the fastest of some runs, each in a folder of its own.
fn fastest<T>(seconds: impl Fn(&T) -> f64, run: impl Fn(&Path) -> Result<T>) -> Result<T> {
    let mut best: Option<T> = None;
    for _ in 0..RUNS {
        let found = run(tempfile::tempdir()?.path())?;
        best = best.filter(|best| seconds(best) <= seconds(&found)).or(Some(found));
    }
    best.context("at least one run")
}

fn main() -> Result<()> {
    let root = component_builder::workspace_root();
    let business = BusinessFolder::load(&root.join("fixtures/businesses/solobase"))?;
    let file = tempfile::tempdir()?;
    let file = file.path().join("component.wasm");
    std::fs::write(&file, component_builder::build(component_builder::PROVISIONER)?)?;
    let beside = fastest(|seconds| *seconds, |folder| component(&business, folder, &file))?;
    let rate = |seconds: f64| EVENTS as f64 / seconds;
    println!(
        "component under wasmtime: {:.0} events/s, {:.2} ms an event",
        rate(beside),
        1_000.0 * beside / EVENTS as f64
    );
    for period in Period::ALL {
        let (seconds, fuel, calls) =
            fastest(|found: &(f64, u64, u64)| found.0, |folder| block(&business, folder, period))?;
        println!(
            "block under wasmi, {}: {:.0} events/s, {:.2} ms an event, {fuel} fuel, {calls} calls of services; the component is {:.1} times as fast",
            if period == Period::SinceRewrite { "with batches" } else { "with intents" },
            rate(seconds),
            1_000.0 * seconds / EVENTS as f64,
            seconds / beside,
        );
    }
    Ok(())
}
