//! Compares the cost of an event on a store with few accounts with the cost on a store with many.

use crate::corpus;
use crate::setting::{Extension, Setting, median, micros_each, scratch};
use crate::table::Table;
use anyhow::Result;
use host_replay::rig::Rig;
use host_store::{MemoryStore, SqliteStore, Store};
use std::time::Instant;

/// Events per round, spread over all accounts.
const EVENTS: usize = 1000;

/// Measures the store in memory and the SQLite store.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let many = setting.pick(100_000, 10_000);
    let folder = scratch(&setting.disk)?;
    let memory = |_: &str| -> Result<Box<dyn Store>> { Ok(Box::new(MemoryStore::new())) };
    let sqlite = |name: &str| -> Result<Box<dyn Store>> { Ok(Box::new(SqliteStore::open(folder.path().join(name))?)) };
    compare(setting, table, "in memory", many, &memory)?;
    compare(setting, table, "in SQLite", many, &sqlite)
}

fn compare(
    setting: &Setting,
    table: &mut Table,
    name: &str,
    many: usize,
    open: &dyn Fn(&str) -> Result<Box<dyn Store>>,
) -> Result<()> {
    let mut hosts = [host(setting, open("few.db")?, EVENTS)?, host(setting, open("many.db")?, many)?];
    let counts = [EVENTS, many];
    let mut times = [Vec::new(), Vec::new()];
    for round in 1..=setting.rounds() {
        for ((host, accounts), times) in hosts.iter_mut().zip(counts).zip(&mut times) {
            let events =
                (0..EVENTS).map(|n| corpus::updated(n * (accounts / EVENTS), round)).collect::<Result<Vec<_>>>()?;
            let begun = Instant::now();
            corpus::accept(host.processor_mut(), events)?;
            times.push(micros_each(begun.elapsed(), EVENTS));
        }
    }
    let [few_us, many_us] = [median(&mut times[0]), median(&mut times[1])];
    let note = format!("us an event: {few_us:.1} with {EVENTS} accounts, {many_us:.1} with {many}");
    table.at_most(&format!("cost of an event, many / few accounts, {name}"), many_us / few_us, 1.3, "x", &note);
    Ok(())
}

fn host(setting: &Setting, store: Box<dyn Store>, accounts: usize) -> Result<Rig> {
    let mut host = setting.host(setting.runners(Extension::Reused), store)?;
    corpus::subscribe(host.processor_mut(), 0..accounts)?;
    Ok(host)
}
