//! Measures the events per second of `provisioner replay --format json` on raw events in memory, on one core.

use crate::setting::{BUSINESS, Extension, Setting, median, scratch};
use crate::story::Story;
use crate::table::Table;
use anyhow::{Result, ensure};
use host_replay::report::Json;
use host_replay::run::{ReplayOptions, replay};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measures the whole command on a stream of stories, from the file to the output.
pub fn measure(setting: &Setting, table: &mut Table) -> Result<()> {
    let folder = scratch(&setting.disk)?;
    let log = folder.path().join("log.jsonl");
    let (events, bytes) = write_log(setting, &log)?;
    let mut rates = Vec::new();
    for (extension, rates) in [(Extension::Reused, &mut rates)] {
        for _ in 0..setting.pick(5, 3) {
            rates.push(events as f64 / run(setting, extension, &log, events)?);
        }
    }
    let mut native = Vec::new();
    for _ in 0..setting.pick(3, 1) {
        native.push(events as f64 / run(setting, Extension::Native, &log, events)?);
    }
    let note = format!("{events} events of {} B on average; library {:.0}", bytes / events, median(&mut native));
    table.at_least("replay in memory, one core", median(&mut rates), 15_000.0, "events/s", &note);
    Ok(())
}

/// Writes the events of the story as JSON lines. Returns the number of events and the number of bytes.
fn write_log(setting: &Setting, log: &Path) -> Result<(usize, usize)> {
    let mut out = BufWriter::new(std::fs::File::create(log)?);
    let (mut events, mut bytes) = (0, 0);
    for (_, bodies) in Story::load(&setting.fixtures)?.steps(setting.pick(1500, 300)) {
        for body in bodies {
            let event: serde_json::Value = serde_json::from_slice(&body)?;
            let line = event.to_string();
            events += 1;
            bytes += line.len();
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok((events, bytes))
}

/// Replays the log once. Returns the duration in seconds.
fn run(setting: &Setting, extension: Extension, log: &Path, events: usize) -> Result<f64> {
    let options = ReplayOptions {
        business: Some(BUSINESS.to_owned()),
        fixtures: Some(setting.fixtures.clone()),
        ..ReplayOptions::new(setting.runners(extension))
    };
    let begun = Instant::now();
    let finished = replay(
        &[PathBuf::from(log)],
        &mut std::io::empty(),
        &options,
        &mut Json::new(BufWriter::with_capacity(1 << 16, std::io::sink())),
    )?;
    let time = begun.elapsed().as_secs_f64();
    ensure!(
        finished.held() && finished.summary.events == events as u64,
        "the replay did not hold: {:?}",
        finished.summary
    );
    Ok(time)
}
