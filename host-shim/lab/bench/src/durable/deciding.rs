//! Measures durable events per second of a server without HTTP: two threads decide while the writer commits.

use super::write_bare;
use crate::corpus;
use crate::setting::{BATCH, Extension, Setting, all_applied, median, scratch};
use crate::table::Table;
use anyhow::{Context, Result};
use host_engine::outbox::OutboxError;
use host_engine::processor::{Decider, Report};
use host_engine::turns::Turn;
use host_engine::writer::{Deciders, Listener, Writer, WriterLimits};
use host_intake::Decoded;
use host_provider_api::Call;
use host_store::SqliteStore;
use rusqlite::Connection;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Number of threads that decide.
const THREADS: usize = 2;

/// The stream has no effects for a provider to carry out, and a failure of the store reaches the callers.
struct Nobody;

impl Listener for Nobody {
    fn calls(&mut self, _: Vec<Call>) {}
    fn committed(&mut self, _: &[Report]) {}
    fn failed(&mut self, _: &OutboxError) {}
}

/// Measures the host and the bare program in turn.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..setting.pick(5, 2) {
        let (own, limit) = run(setting, setting.pick(1000, 500), setting.pick(20, 4))?;
        ours.push(own);
        bare.push(limit);
    }
    let (ours, bare) = (median(&mut ours), median(&mut bare));
    let note = format!("{ours:.0} of {bare:.0} events/s, at most {BATCH} a commit, synchronous=FULL");
    table.at_least(
        "durable events, SQLite, two deciding threads / bare rusqlite",
        100.0 * ours / bare,
        60.0,
        "%",
        &note,
    );
    Ok(())
}

/// Returns the events per second of the host, and those of the bare program that writes the same rows.
fn run(setting: &Setting, customers: usize, rounds: usize) -> Result<(f64, f64)> {
    let folder = scratch(&setting.disk)?;
    let (path, prepared) = (folder.path().join("host.db"), folder.path().join("bare.db"));
    let runners = setting.runners(Extension::Reused);
    let mut host = setting.server_host(&runners, Box::new(SqliteStore::open(&path)?))?;
    corpus::subscribe(host.processor_mut(), 0..customers)?;
    Connection::open(&path)?.execute("VACUUM INTO ?1", [prepared.to_string_lossy()])?;
    let clock = host.clock().source().clone();
    let deciders = (0..THREADS).map(|_| Ok(Decider::of(host.processor(), runners.make()?)?));
    let deciders = deciders.collect::<Result<Vec<_>>>()?;
    let writer = Writer::spawn(host, Box::new(Nobody), WriterLimits { waiting: customers, ..WriterLimits::default() })?;
    let deciders = Deciders::spawn(deciders, &clock, writer.jobs(), customers)?;
    let mut time = Duration::ZERO;
    for round in 1..=rounds {
        let events = (0..customers).map(|customer| corpus::updated(customer, round)).collect::<Result<Vec<_>>>()?;
        let (sender, answers) = channel();
        let begun = Instant::now();
        for event in events {
            let sender = sender.clone();
            // The receiver waits for all answers.
            let answer = Box::new(move |answer| drop(sender.send(answer)));
            let decoded = Decoded::from(event);
            deciders.try_accept_then(Turn::Webhook, decoded, Vec::new(), answer)?;
        }
        drop(sender);
        let mut reports = Vec::with_capacity(customers);
        for _ in 0..customers {
            reports.extend(answers.recv().context("an event has no answer")??);
        }
        time += begun.elapsed();
        all_applied(&reports)?;
    }
    deciders.stop();
    drop(writer.stop().context("the writer has panicked")?);
    let events = customers * rounds;
    let bare = write_bare(&path, &prepared, events)?;
    Ok((events as f64 / time.as_secs_f64(), events as f64 / bare.as_secs_f64()))
}
