//! Measures the time of one webhook event in memory, and the parts of this time.

use crate::corpus;
use crate::setting::{Extension, Setting, median, micros_each};
use crate::table::Table;
use crate::unit;
use anyhow::Result;
use host_replay::runners::Runners;
use host_store::MemoryStore;
use host_wasm_runner::around::Around;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Number of customers. Each has one event per round.
const CUSTOMERS: usize = 500;

/// Nanoseconds and fuel of the calls of `handle` since the last reset.
#[derive(Default)]
struct Spent {
    handle: AtomicU64,
    fuel: AtomicU64,
}

/// Cost of an event: microseconds in total, microseconds in `handle`, and fuel.
pub struct Parts {
    total: f64,
    handle: f64,
    fuel: f64,
}

/// Measures the unit, and the time of an event in units for each way to run the extension.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let bytes = corpus::body_bytes();
    let unit = unit::micros(setting.rounds())?;
    table.plain("U: serde_json reads that body", unit, "us", "native, into a struct that borrows");
    let kinds = [
        ("webhook event, fresh instance", Extension::Fresh, 6.0),
        ("webhook event, reused instance", Extension::Reused, 4.0),
        ("webhook event, library without wasm", Extension::Native, 2.0),
    ];
    for (name, extension, limit) in kinds {
        let parts = parts(setting, extension)?;
        let host = parts.total - parts.handle;
        let fuel = if parts.fuel > 0.0 { format!(", {:.0} fuel", parts.fuel) } else { String::new() };
        let (total, handle) = (parts.total, parts.handle);
        let note = format!("{bytes} B; {total:.1} us: handle {handle:.1} + host {host:.1}{fuel}");
        table.at_most(name, total / unit, limit, "U", &note);
    }
    Ok(())
}

/// Measures the events of many customers. Returns the medians of the rounds.
pub fn parts(setting: &Setting, extension: Extension) -> Result<Parts> {
    let spent = Arc::new(Spent::default());
    let (inner, shared) = (setting.runners(extension), spent.clone());
    let runners = Runners::new("timed", move || {
        let spent = Arc::clone(&shared);
        Ok(Box::new(Around::new(inner.make()?, move |inner, imports, event| {
            let begun = Instant::now();
            let ran = inner.handle(imports, event);
            spent.handle.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
            if let Ok((_, used)) = &ran {
                spent.fuel.fetch_add(used.fuel, Ordering::Relaxed);
            }
            ran
        })))
    });
    let mut host = setting.host(runners, Box::new(MemoryStore::new()))?;
    let processor = host.processor_mut();
    corpus::subscribe(processor, 0..CUSTOMERS)?;
    let (mut totals, mut handles, mut fuels) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=setting.rounds() {
        let events = (0..CUSTOMERS).map(|customer| corpus::updated(customer, round + 1)).collect::<Result<Vec<_>>>()?;
        let take = |clock: &AtomicU64| clock.swap(0, Ordering::Relaxed);
        take(&spent.handle);
        take(&spent.fuel);
        let begun = Instant::now();
        corpus::accept(processor, events)?;
        let total = begun.elapsed();
        if round > 0 {
            totals.push(micros_each(total, CUSTOMERS));
            handles.push(micros_each(Duration::from_nanos(take(&spent.handle)), CUSTOMERS));
            fuels.push(take(&spent.fuel) as f64 / CUSTOMERS as f64);
        }
    }
    Ok(Parts { total: median(&mut totals), handle: median(&mut handles), fuel: median(&mut fuels) })
}
