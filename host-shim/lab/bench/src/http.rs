//! Measures signed webhooks over HTTP: each server runs in its own process, and the load generator runs in this process on the same cores.
//! For comparison, it also measures the engine alone, a bare handler as the upper limit, and other programs that accept the same webhooks.

pub mod bare;
mod load;
pub mod pages;
mod peers;
mod postgres;
mod process;
mod served;

use crate::corpus;
use crate::durable;
use crate::facts::sync_times_us;
use crate::setting::{BUSINESS, Extension, Setting, median, micros_each, scratch};
use crate::table::Table;
use anyhow::{Result, ensure};
use host_store::SqliteStore;
use load::{Load, Request};
use process::{Process, processor_time};
use served::Served;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Signing secret of the endpoint.
const SECRET: &str = "whsec_of_the_benchmark";
/// Key that encrypts the secrets of the server's data folder, which is removed after the measurement.
const VAULT_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// Path of the webhook endpoint.
const STRIPE: &str = "/api/webhooks/stripe";
/// Keep-alive connections of the load generator.
const CONNECTIONS: usize = 64;
/// Events per second in the latency measurement.
const OFFERED: usize = 1000;

/// The stream of signed webhooks, the same for all servers: one event per customer in each round.
#[derive(Clone, Copy)]
struct Stream {
    /// Time of the first events, in seconds since the epoch.
    start_s: i64,
    customers: usize,
}

impl Stream {
    /// Returns the stream for the first of these customers.
    fn of_some(self, customers: usize) -> Stream {
        Stream { customers: self.customers.min(customers), ..self }
    }

    /// Returns the signed requests of one round, in the order of the customers. Round 0 starts the subscriptions.
    fn requests(self, path: &str, round: usize) -> Result<Vec<Request>> {
        let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        (0..self.customers)
            .map(|customer| {
                let body = corpus::body_since(self.start_s, customer, round)?;
                let signature = host_intake::testing::sign(SECRET, now_s, &body);
                Ok(Request::post(path, &[("Stripe-Signature", &signature)], &body))
            })
            .collect()
    }
}

/// Measures the server on both stores, the engine, the bare handler and, unless they are left out, other programs.
pub fn measure(setting: &Setting, server: &Path, peers: bool, table: &mut Table) -> Result<()> {
    let rounds = setting.pick(8, 3);
    let start_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let stream = Stream { start_s, customers: setting.pick(10_000, 500) };
    durable::deciding(setting, table)?;
    let sqlite = sqlite(setting, server, stream, rounds, table)?;
    let postgres = postgres::measure(setting, server, stream, rounds, table)?;
    if peers {
        peers::measure(setting, stream, &sqlite, &postgres, table)?;
    }
    Ok(())
}

/// Measures the server on SQLite.
fn sqlite(setting: &Setting, server: &Path, stream: Stream, rounds: usize, table: &mut Table) -> Result<Served> {
    let customers = stream.customers;
    let engine_us = engine(setting, stream, rounds)?;
    let data = scratch(&setting.disk)?;
    let server = start(setting, server, data.path(), None)?;
    let at_rest = server.resident_mib()?;
    let load = Load::new(&[&server.address], CONNECTIONS)?;
    let served = Served::measure(&load, stream, STRIPE, rounds, &[server.id()], None, |_| ())?;
    let after = server.resident_mib()?;
    let bare = bare_rate(setting, stream)?;
    let note = format!(
        "{CONNECTIONS} connections, {} B, {customers} accounts; p99 {:.1} ms; {:.0} % of a bare handler's {bare:.0}/s",
        corpus::body_bytes(),
        served.p99_ms,
        100.0 * served.rate / bare
    );
    table.at_least("signed webhooks over HTTP, SQLite", served.rate, 7000.0, "/s", &note);
    let note =
        format!("{:.0} us of processor time for an event, {engine_us:.0} us of the engine alone", served.server_us);
    table.at_most("HTTP: processor time / the engine's", served.server_us / engine_us, 1.4, "x", &note);
    offered(setting, "SQLite", &load, stream, rounds + 1, table)?;
    table.at_most("HTTP: memory at rest", at_rest, 128.0, "MiB", "");
    let note = format!("after {} events of {customers} accounts", customers * (rounds + 1));
    table.plain("HTTP: memory under load", after, "MiB", &note);
    Ok(served)
}

/// Measures the latency at a steady rate.
fn offered(setting: &Setting, store: &str, load: &Load, stream: Stream, round: usize, table: &mut Table) -> Result<()> {
    let mut latencies = load.offer(stream.requests(STRIPE, round)?, OFFERED)?;
    let p99_ms = percentile(&mut latencies, 99) / 1000.0;
    let sync_ms = percentile(&mut sync_times_us(&setting.disk)?, 99) / 1000.0;
    let note = format!("p50 {:.1} ms; p99 of the disk's sync {sync_ms:.1} ms", percentile(&mut latencies, 50) / 1000.0);
    let what = format!("HTTP: p99 at {OFFERED}/s offered, {store}");
    table.at_most(&what, p99_ms, (3.0 * sync_ms + 5.0).round(), "ms", &note);
    Ok(())
}

/// Starts a server on SQLite, or on the database at this address.
fn start(setting: &Setting, server: &Path, data: &Path, database: Option<&str>) -> Result<Process> {
    let mut command = Command::new(server);
    command.arg("serve").arg(&setting.business.folder).arg("--component").arg(&setting.component);
    command.args(["--providers", "local", "--simulate", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("STRIPE_WEBHOOK_SECRET", SECRET).env("PROVISIONER_SECRETS_KEY", VAULT_KEY);
    if let Some(database) = database {
        command.arg("--postgres").env("DATABASE_URL", database);
    }
    Process::start(&mut command, "server    http://")
}

/// Returns the engine's processor time per event for the same bodies, in microseconds.
fn engine(setting: &Setting, stream: Stream, rounds: usize) -> Result<f64> {
    let Stream { start_s, customers } = stream;
    let folder = scratch(&setting.disk)?;
    let store = Box::new(SqliteStore::open(folder.path().join("engine.db"))?);
    let mut host = setting.host(setting.runners(Extension::Reused), store)?;
    let mut micros = Vec::new();
    for round in 0..=rounds.min(3) {
        let events = (0..customers).map(|customer| {
            let body = corpus::body_since(start_s, customer, round)?;
            Ok(host_intake::raw::read(body, BUSINESS, start_s * 1000)?.event)
        });
        let events = events.collect::<Result<Vec<_>>>()?;
        let before = processor_time(std::process::id())?;
        corpus::accept(host.processor_mut(), events)?;
        if round > 0 {
            micros.push(micros_each(processor_time(std::process::id())?.saturating_sub(before), customers));
        }
    }
    Ok(median(&mut micros))
}

/// Returns the events per second of the bare handler.
fn bare_rate(setting: &Setting, stream: Stream) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--component").arg(&setting.component).arg("--fixtures").arg(&setting.fixtures);
    command.arg("--disk").arg(&setting.disk).args(["--probe", "bare-http"]);
    let server = Process::start(&mut command, "address ")?;
    let load = Load::new(&[&server.address], CONNECTIONS)?;
    let mut rates = Vec::new();
    for round in 1..=3 {
        let sent = load.send(stream.requests(STRIPE, round)?)?;
        rates.push(stream.customers as f64 / sent.took.as_secs_f64());
    }
    Ok(median(&mut rates))
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or_default()
}

/// Fails unless the answer is 200.
fn accepted(status: u16) -> Result<()> {
    ensure!(status == 200, "the server answered {status}");
    Ok(())
}
