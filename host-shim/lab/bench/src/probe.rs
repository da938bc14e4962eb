//! Measures start time and resident memory, which need a separate process.

use crate::corpus;
use crate::setting::{Extension, Setting, median, scratch};
use crate::table::Table;
use anyhow::{Context, Result, bail};
use host_store::{MemoryStore, SqliteStore};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The task of the separate process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Probe {
    /// Start a host, handle one event and print `ready`.
    Start,
    /// Handle events with the library, for a profiler that counts instructions.
    Native,
    /// Handle many events durably and print the resident memory in KiB.
    Memory,
    /// Serve webhooks with a bare handler, which verifies the signature and inserts the body. Prints its address.
    BareHttp,
}

/// Number of customers of the probes `native` and `memory`.
const CUSTOMERS: usize = 1000;

/// Runs the task in this process.
pub fn run(probe: Probe, setting: &Setting) -> Result<()> {
    let quick = setting.quick;
    match probe {
        Probe::Start => {
            let mut host = setting.host(setting.runners(Extension::Reused), Box::new(MemoryStore::new()))?;
            corpus::subscribe(host.processor_mut(), 0..1)?;
            println!("ready");
            std::io::stdout().flush()?;
        }
        Probe::Native => {
            let mut host = setting.host(setting.runners(Extension::Native), Box::new(MemoryStore::new()))?;
            corpus::subscribe(host.processor_mut(), 0..CUSTOMERS)?;
            for round in 1..=5 {
                let events = (0..CUSTOMERS).map(|customer| corpus::updated(customer, round));
                let events = events.collect::<Result<Vec<_>>>()?;
                corpus::accept(host.processor_mut(), events)?;
            }
            println!("{} events", 5 * CUSTOMERS);
        }
        Probe::BareHttp => crate::http::bare::serve(setting)?,
        Probe::Memory => {
            let folder = scratch(&setting.disk)?;
            let store = SqliteStore::open(folder.path().join("memory.db"))?;
            let mut host = setting.host(setting.runners(Extension::Reused), Box::new(store))?;
            corpus::subscribe(host.processor_mut(), 0..CUSTOMERS)?;
            for round in 1..=events(quick) / CUSTOMERS {
                let events = (0..CUSTOMERS).map(|customer| corpus::updated(customer, round));
                let events = events.collect::<Result<Vec<_>>>()?;
                corpus::accept(host.processor_mut(), events)?;
            }
            println!("{}", resident_kib()?);
            drop(host);
        }
    }
    Ok(())
}

fn events(quick: bool) -> usize {
    if quick { 10_000 } else { 100_000 }
}

/// This process's resident memory in KiB.
fn resident_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this system does not report memory in use")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Starts a probe process. Returns the milliseconds until it prints its first line, and that line.
fn spawn(setting: &Setting, probe: &str) -> Result<(f64, String)> {
    let begun = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--probe", probe, "--component"])
        .arg(&setting.component)
        .arg("--fixtures")
        .arg(&setting.fixtures)
        .arg("--disk")
        .arg(&setting.disk)
        .args(setting.quick.then_some("--quick"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let time = begun.elapsed().as_secs_f64() * 1e3;
    let status = child.wait()?;
    if !status.success() || line.is_empty() {
        bail!("the probe `{probe}` ended with {status}");
    }
    Ok((time, line.trim().to_owned()))
}

/// Measures the time from the start of a process to its first event.
pub fn start(setting: &Setting, table: &mut Table) -> Result<()> {
    let mut times = (0..setting.rounds()).map(|_| Ok(spawn(setting, "start")?.0)).collect::<Result<Vec<f64>>>()?;
    let note = "process started, catalog read and loaded, component from the cache";
    table.at_most("start of the host to its first event", median(&mut times), 30.0, "ms", note);
    Ok(())
}

/// Measures the memory of an idle host with a long log.
pub fn memory(setting: &Setting, table: &mut Table) -> Result<()> {
    let (_, line) = spawn(setting, "memory")?;
    let kib: f64 = line.parse()?;
    let note = format!("resident after {} events in SQLite", events(setting.quick));
    table.at_most("memory of the host at rest", kib / 1024.0, 128.0, "MiB", &note);
    Ok(())
}
