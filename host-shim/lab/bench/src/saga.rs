//! Measures the time that the host adds to the calls of slow providers, with one saga and with a hundred sagas at once.

use crate::setting::{BUSINESS, Extension, Setting, all_applied, median};
use crate::story::Story;
use crate::table::Table;
use anyhow::{Result, ensure};
use host_provider_api::{Call, CallOutcome, Provider, Registry};
use host_replay::live::LiveProviders;
use host_replay::rig::Rig;
use host_store::MemoryStore;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Duration of each provider call.
const CALL: Duration = Duration::from_millis(20);
/// Number of steps of the story before the instance is created.
const BEFORE: usize = 3;
/// Number of sequential calls in the longest branch: database, function, mail.
const LONGEST: u32 = 3;
/// Number of concurrent sagas.
const MANY: usize = 100;

/// A provider that answers with a delay and records the times of its calls.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<(Instant, Instant)>>>);

impl Provider for Slow {
    fn call(&self, call: &Call) -> CallOutcome {
        let begun = Instant::now();
        std::thread::sleep(CALL);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((begun, Instant::now()));
        let id = &call.key;
        CallOutcome::Done(json!({
            "id": id, "name": id, "arn": id, "bucket": id, "user": "tenant", "endpoint": "db.example",
            "url": "https://app.example", "secret_ref": "secret:made",
        }))
    }
}

impl Slow {
    /// The time during which at least one call ran, and the number of calls.
    fn busy(&self) -> (Duration, usize) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spans.sort_unstable();
        let (mut busy, mut until) = (Duration::ZERO, None::<Instant>);
        for (begun, ended) in &spans {
            let from = until.map_or(*begun, |until| until.max(*begun));
            busy += ended.saturating_duration_since(from);
            until = Some(until.map_or(*ended, |until| until.max(*ended)));
        }
        (busy, spans.len())
    }
}

/// Measures one saga, then many at once.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let story = Story::load(&setting.fixtures)?;
    let mut own = Vec::new();
    for _ in 0..setting.rounds() {
        let (wall, (busy, calls)) = sagas(setting, &story, 1)?;
        ensure!(calls >= 4, "{calls} calls in a saga");
        own.push(wall.saturating_sub(busy).as_secs_f64() * 1e3);
    }
    table.at_most("a saga's own time beside its providers'", median(&mut own), 20.0, "ms", "component, in memory");
    let (wall, (_, calls)) = sagas(setting, &story, MANY)?;
    let longest = (CALL * LONGEST).as_secs_f64();
    let ratio = wall.as_secs_f64() / longest;
    let note = format!("{calls} calls of {} ms: {} ms", CALL.as_millis(), wall.as_millis());
    table.plain("100 sagas at once / their longest branch", ratio, "x", &note);
    Ok(())
}

/// Runs `customers` concurrent sagas. Returns their duration, the provider's busy time, and the number of its calls.
fn sagas(setting: &Setting, story: &Story, customers: usize) -> Result<(Duration, (Duration, usize))> {
    let slow = Slow::default();
    let mut registry = Registry::new();
    registry.register(&["bucket", "database", "function", "mail"], Arc::new(slow.clone()));
    let live = LiveProviders::new(registry);
    let runners = setting.runners(Extension::Reused);
    let mut host = setting.host_in(Some(live), runners, Box::new(MemoryStore::new()))?;
    let mut steps = story.steps(customers);
    for (clock, bodies) in steps.by_ref().take(BEFORE) {
        accept(&mut host, clock, bodies)?;
        host.settle()?;
    }
    slow.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let begun = Instant::now();
    for (clock, bodies) in steps.take(1) {
        accept(&mut host, clock, bodies)?;
    }
    host.settle()?;
    Ok((begun.elapsed(), slow.busy()))
}

fn accept(host: &mut Rig, clock: i64, bodies: Vec<Vec<u8>>) -> Result<()> {
    for body in bodies {
        let decoded = host_intake::raw::read(body, BUSINESS, clock)?;
        all_applied([&host.accept(decoded, clock)?.first])?;
    }
    Ok(())
}
