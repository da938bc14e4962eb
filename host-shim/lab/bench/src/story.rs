//! Runs a story of many customers through the whole host, once with the component and once with the library.

use crate::setting::{BATCH, BUSINESS, Extension, Setting, all_applied, median};
use crate::table::Table;
use anyhow::{Context, Result};
use host_intake::Decoded;
use host_scenario::model::Scenario;
use host_scenario::prepare::{Case, prepare};
use host_scenario::shapes::Shapes;
use host_store::MemoryStore;
use std::path::Path;
use std::time::{Duration, Instant};

const STORY: &str = include_str!("../story.yml");
/// API version of the bodies.
const VERSION: &str = "2025-03-31.basil";

/// The story in one API version.
pub struct Story {
    case: Case,
}

impl Story {
    /// Reads the story and builds its events.
    pub fn load(fixtures: &Path) -> Result<Story> {
        let scenario = Scenario::parse(Path::new("story.yml"), STORY)?;
        let cases = prepare(&scenario, &Shapes::load(&fixtures.join("stripe"))?)?;
        let case = cases.into_iter().find(|case| case.version == VERSION);
        Ok(Story { case: case.with_context(|| format!("the story has no version {VERSION}"))? })
    }

    /// The deliveries of the story: the clock in milliseconds since the epoch, and one body per customer.
    pub fn steps(&self, customers: usize) -> impl Iterator<Item = (i64, Vec<Vec<u8>>)> {
        self.case.deliveries.iter().flatten().map(move |delivery| {
            let text = String::from_utf8_lossy(&delivery.bytes);
            let bodies = (0..customers).map(|n| text.replace("{N}", &format!("{n:06}")).into_bytes());
            (delivery.clock, bodies.collect())
        })
    }
}

/// Measures the component and the library in alternating rounds, so that a disturbance affects both.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let story = Story::load(&setting.fixtures)?;
    let customers = setting.pick(200, 50);
    let (mut native, mut reused, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let mut ran = 0;
    for _ in 0..setting.rounds() {
        for (extension, times) in
            [(Extension::Native, &mut native), (Extension::Reused, &mut reused), (Extension::Fresh, &mut fresh)]
        {
            let (time, events) = play(setting, extension, &story, customers)?;
            times.push(time.as_secs_f64() * 1e6 / events as f64);
            ran = events;
        }
    }
    let (native, reused, fresh) = (median(&mut native), median(&mut reused), median(&mut fresh));
    let note = format!("{ran} events and results, us each: component {reused:.1}, library {native:.1}");
    table.at_most("component / native on a story", reused / native, 2.5, "x", &note);
    table.plain("the same with fresh instances", fresh / native, "x", &format!("{fresh:.1} us"));
    Ok(())
}

/// Runs the story. Returns the duration without decoding, and the number of events, including the results of effects.
pub fn play(setting: &Setting, extension: Extension, story: &Story, customers: usize) -> Result<(Duration, usize)> {
    let mut host = setting.host(setting.runners(extension), Box::new(MemoryStore::new()))?;
    host.set_fire_timers(true);
    let (mut time, mut ran) = (Duration::ZERO, 0);
    for (clock, bodies) in story.steps(customers) {
        let decoded = bodies.into_iter().map(|body| host_intake::raw::read(body, BUSINESS, clock));
        let mut decoded = decoded.collect::<Result<Vec<Decoded>, _>>()?;
        let begun = Instant::now();
        let mut reports = host.advance_to(clock)?;
        while !decoded.is_empty() {
            let group: Vec<Decoded> = decoded.drain(..decoded.len().min(BATCH)).collect();
            host.begin_group()?;
            for event in group {
                let delivered = host.accept(event, clock)?;
                reports.push(delivered.first);
                reports.extend(delivered.following);
            }
            host.commit_group()?;
            reports.extend(host.settle()?);
        }
        time += begun.elapsed();
        ran += reports.len();
        all_applied(reports.iter().filter(|report| host_replay::rig::is_input(report)))?;
    }
    Ok((time, ran))
}
