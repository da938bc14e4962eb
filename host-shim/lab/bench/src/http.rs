//! Measures signed webhooks over HTTP: a server in a process of its own, and a load generator in this process on the same
//! cores. Beside it the engine alone, and a bare handler as the limit.

pub mod bare;
mod load;
pub mod pages;

use crate::corpus;
use crate::facts::sync_times_us;
use crate::setting::{BUSINESS, Extension, Setting, median, micros_each, scratch};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use host_store::SqliteStore;
use load::{Load, Request};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Signing secret of the endpoint.
const SECRET: &str = "whsec_bench";
/// Key that encrypts the secrets of the server's data folder, which is removed after the measurement.
const VAULT_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// Keep-alive connections of the load generator.
const CONNECTIONS: usize = 64;
/// Events a second in the measurement of latencies.
const OFFERED: usize = 1000;
/// Processor time of one tick in `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);

/// A server in a process of its own; killed when dropped.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts a program and waits until it prints its address behind `sign`.
    fn start(command: &mut Command, sign: &str) -> Result<Process> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the server")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.strip_prefix(sign)?.trim().to_owned()));
        let address = address.context("the server did not start")?;
        // The server prints further lines, and must not find its output closed.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Process { child, address })
    }

    /// Processor time since the start.
    fn processor_time(&self) -> Result<Duration> {
        processor_time(&self.child.id().to_string())
    }

    /// Resident memory in MiB.
    fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process, in whole ticks.
fn processor_time(process: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may contain spaces.
    let (_, fields) = stat.rsplit_once(") ").context("no fields in stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// Measures the server, the engine and the bare handler.
pub fn measure(setting: &Setting, server: &Path, table: &mut Table) -> Result<()> {
    let customers = setting.pick(10_000, 1000);
    let rounds = setting.pick(8, 3);
    let start_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let engine_us = engine(setting, start_s, customers, rounds)?;
    let data = scratch(&setting.disk)?;
    let server = start(setting, server, data.path())?;
    let at_rest = server.resident_mib()?;
    let load = Load::new(&server.address, CONNECTIONS)?;
    load.send(requests(start_s, customers, 0)?)?;
    let (mut rates, mut micros) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let requests = requests(start_s, customers, round)?;
        let before = server.processor_time()?;
        let took = load.send(requests)?;
        rates.push(customers as f64 / took.as_secs_f64());
        micros.push(micros_each(server.processor_time()?.saturating_sub(before), customers));
    }
    let after = server.resident_mib()?;
    let (rate, own_us) = (median(&mut rates), median(&mut micros));
    let bare = bare_rate(setting, start_s, customers)?;
    let note = format!(
        "{CONNECTIONS} connections, {} B, {customers} accounts; {:.0} % of a bare handler's {bare:.0}/s",
        corpus::body_bytes(),
        100.0 * rate / bare
    );
    table.at_least("signed webhooks over HTTP, SQLite", rate, 7000.0, "/s", &note);
    let note = format!("{own_us:.0} us of processor time for an event, {engine_us:.0} us of the engine alone");
    table.at_most("HTTP: processor time / the engine's", own_us / engine_us, 1.4, "x", &note);
    let mut latencies = load.offer(requests(start_s, customers, rounds + 1)?, OFFERED)?;
    let p99_ms = percentile(&mut latencies, 99) / 1000.0;
    let sync_ms = percentile(&mut sync_times_us(&setting.disk)?, 99) / 1000.0;
    let note = format!("p50 {:.1} ms; p99 of the disk's sync {sync_ms:.1} ms", percentile(&mut latencies, 50) / 1000.0);
    table.at_most("HTTP: p99 at 1000/s offered", p99_ms, (3.0 * sync_ms + 5.0).round(), "ms", &note);
    table.at_most("HTTP: memory at rest", at_rest, 128.0, "MiB", "");
    let note = format!("after {} events of {customers} accounts", customers * (rounds + 1));
    table.plain("HTTP: memory under load", after, "MiB", &note);
    Ok(())
}

fn start(setting: &Setting, server: &Path, data: &Path) -> Result<Process> {
    let mut command = Command::new(server);
    command.arg("serve").arg(setting.fixtures.join(BUSINESS)).arg("--component").arg(&setting.component);
    command.args(["--providers", "local", "--simulate", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("STRIPE_WEBHOOK_SECRET", SECRET).env("HOST_SHIM_SECRETS_KEY", VAULT_KEY);
    Process::start(&mut command, "server    http://")
}

/// Returns the signed requests of one round, in the order of the customers.
fn requests(start_s: i64, customers: usize, round: usize) -> Result<Vec<Request>> {
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    (0..customers)
        .map(|customer| {
            let body = corpus::body_since(start_s, customer, round)?;
            let signature = host_intake::testing::sign(SECRET, now_s, &body);
            Ok(Request::post("/api/webhooks/stripe", &[("Stripe-Signature", &signature)], &body))
        })
        .collect()
}

/// Returns the engine's microseconds of processor time for an event of the same bodies.
fn engine(setting: &Setting, start_s: i64, customers: usize, rounds: usize) -> Result<f64> {
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
        let before = processor_time("self")?;
        corpus::accept(host.processor_mut(), events)?;
        if round > 0 {
            micros.push(micros_each(processor_time("self")?.saturating_sub(before), customers));
        }
    }
    Ok(median(&mut micros))
}

/// Returns the events a second of the bare handler.
fn bare_rate(setting: &Setting, start_s: i64, customers: usize) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--component").arg(&setting.component).arg("--fixtures").arg(&setting.fixtures);
    command.arg("--disk").arg(&setting.disk).args(["--probe", "bare-http"]);
    let server = Process::start(&mut command, "address ")?;
    let load = Load::new(&server.address, CONNECTIONS)?;
    let mut rates = Vec::new();
    for round in 1..=3 {
        rates.push(customers as f64 / load.send(requests(start_s, customers, round)?)?.as_secs_f64());
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
