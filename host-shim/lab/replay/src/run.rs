//! A whole replay: inputs found and checked, played one by one, reported as they go.

use crate::inputs::{Input, collect};
use crate::library::{Library, Ready, Sources};
use crate::line::{Line, StreamLine, Summary};
use crate::play::{CaseReport, Order, PlayOptions, Stepped, play_all_watched};
use crate::rig::StoreKind;
use crate::runners::Runners;
use crate::state::hash_of_streams;
use crate::stream::{StreamOptions, replay_stream};
use crate::world::World;
use extension_contract::Timestamp;
use host_scenario::error::{BadInput, ReplayError};
use host_scenario::model::budget::{self, Raised};
use host_scenario::model::{Scenario, read_text};
use std::io::Read;
use std::path::PathBuf;

/// What is replayed and how.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Name or folder of the business; none is that of the input's folder.
    pub business: Option<String>,
    /// Folder of the fixtures; none looks above the inputs, the working folder and the program.
    pub fixtures: Option<PathBuf>,
    /// The extension.
    pub runners: Runners,
    /// SQLite file; none keeps everything in memory.
    pub store: Option<PathBuf>,
    /// Seed that permutes provider events.
    pub shuffle: Option<u64>,
    /// How often provider events (of scenarios) or the whole stream (of raw events) are delivered.
    pub repeat: u32,
    /// Rewrite snapshots, and raise what events went beyond of their budgets.
    pub bless: bool,
    /// Report results, timers and messages as well.
    pub trace: bool,
    /// Time until which timers fire after the last raw event, milliseconds since the epoch.
    pub until: Option<Timestamp>,
    /// Providers in place of the scripted one for what they take. A scenario is then played in its first version alone.
    pub world: Option<World>,
}

impl ReplayOptions {
    /// Everything once, in memory and in its own order; only how it ends is told.
    pub fn new(runners: Runners) -> ReplayOptions {
        ReplayOptions {
            business: None,
            fixtures: None,
            runners,
            store: None,
            shuffle: None,
            repeat: 1,
            bless: false,
            trace: false,
            until: None,
            world: None,
        }
    }
}

/// Who is told what happens.
pub trait Sink {
    /// The inputs are read and right; so many will be played.
    fn begin(&mut self, inputs: usize) {
        let _ = inputs;
    }
    /// One event's line.
    fn line(&mut self, line: &Line) -> std::io::Result<()>;
    /// What all lines so far say is in the store: whoever reads them may count on it.
    fn durable(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    /// What a step of a case led to; its host may be looked at and asked.
    fn look(&mut self, stepped: Stepped<'_>) -> Result<(), ReplayError> {
        let _ = stepped;
        Ok(())
    }
    /// The cases of a scenario were played.
    fn cases(&mut self, scenario: &Scenario, reports: &[CaseReport]) -> std::io::Result<()> {
        let _ = (scenario, reports);
        Ok(())
    }
    /// One of several streams ended.
    fn stream(&mut self, stream: &StreamLine, summary: &Summary) -> std::io::Result<()>;
    /// Everything ended.
    fn end(&mut self, summary: &Summary) -> std::io::Result<()>;
}

/// Tells nobody anything.
pub struct Silent;

impl Sink for Silent {
    fn line(&mut self, _: &Line) -> std::io::Result<()> {
        Ok(())
    }

    fn stream(&mut self, _: &StreamLine, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}

/// How one input of raw events ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEnd {
    /// The input.
    pub source: String,
    /// Its events.
    pub events: u64,
    /// Events that ended without an outcome; results, timers and messages count, too.
    pub failed: u64,
    /// What ended it early.
    pub bad: Option<BadInput>,
}

/// How a replay ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Counts over all inputs; of a scenario, those of its first version.
    pub summary: Summary,
    /// All cases of scenarios.
    pub cases: Vec<CaseReport>,
    /// All inputs of raw events.
    pub raw: Vec<RawEnd>,
    /// Limits of budgets that were raised in their files.
    pub raised: Vec<Raised>,
}

impl Finished {
    /// True if every expectation held that is not known to fail, and every event had an outcome.
    pub fn held(&self) -> bool {
        self.raw.iter().all(|raw| raw.failed == 0) && !self.cases.iter().any(CaseReport::failed)
    }

    /// What ended standard input early.
    pub fn bad(&self) -> Option<&BadInput> {
        self.raw.iter().find_map(|raw| raw.bad.as_ref())
    }

    /// The program's exit code: 0 all held, 1 something did not, 2 bad input.
    pub fn exit_code(&self) -> u8 {
        match (self.bad(), self.held()) {
            (Some(_), _) => 2,
            (None, false) => 1,
            (None, true) => 0,
        }
    }
}

/// Replays everything that `paths` name. Files are checked whole before the first event is applied.
pub fn replay(
    paths: &[PathBuf],
    stdin: &mut dyn Read,
    options: &ReplayOptions,
    sink: &mut dyn Sink,
) -> Result<Finished, ReplayError> {
    let inputs = collect(paths)?;
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(ReplayError::Usage("standard input is named twice".to_owned()));
    }
    let ready = check(&inputs, paths, stdin, options)?;
    sink.begin(ready.len());
    let several = inputs.len() > 1 || paths.len() > 1;
    let mut finished = Finished { summary: Summary::default(), cases: Vec::new(), raw: Vec::new(), raised: Vec::new() };
    let mut states = Vec::new();
    for (input, ready) in inputs.iter().zip(ready) {
        let source = input.source();
        let summary = play_one(ready, (&source, several), options, sink, &mut finished)?;
        finished.summary.add(&summary);
        if several {
            let line = StreamLine { source, state: summary.state.clone() };
            sink.stream(&line, &summary).map_err(unwritable)?;
        }
        states.push(summary.state);
    }
    finished.summary.state = match states.as_slice() {
        [only] if !several => only.clone(),
        all => hash_of_streams(all),
    };
    sink.end(&finished.summary).map_err(unwritable)?;
    Ok(finished)
}

fn check(
    inputs: &[Input],
    paths: &[PathBuf],
    stdin: &mut dyn Read,
    options: &ReplayOptions,
) -> Result<Vec<Ready>, ReplayError> {
    let sources = Sources { business: options.business.clone(), fixtures: options.fixtures.clone() };
    let mut library = Library::new(sources, options.runners.clone(), paths)?;
    let scenarios = inputs.iter().filter(|input| matches!(input, Input::Scenario(_))).count();
    if options.until.is_some() && scenarios == inputs.len() {
        return Err(ReplayError::Usage("--until goes on after raw events; a scenario says `until` itself".to_owned()));
    }
    if options.bless && scenarios == 0 {
        return Err(ReplayError::Usage(
            "--bless rewrites snapshots and budgets of scenarios; there is none here".to_owned(),
        ));
    }
    if options.world.is_some() && (inputs.len() != 1 || options.shuffle.is_some()) {
        return Err(ReplayError::Usage(
            "providers that do something in the world play one input, in its own order: what it leaves would be the next one's".to_owned(),
        ));
    }
    if options.store.is_some() && scenarios > 0 && options.world.is_none() {
        return Err(ReplayError::Usage(
            "--store keeps raw events; a scenario starts from nothing, in memory".to_owned(),
        ));
    }
    if options.store.is_some() && inputs.len() > 1 {
        return Err(ReplayError::Usage(format!(
            "--store keeps the rows of one stream; here are {} inputs: replay one after the other, or put them in one",
            inputs.len()
        )));
    }
    inputs
        .iter()
        .map(|input| {
            let ready = library.ready(input, stdin)?;
            if let (Ready::Raw { raw, .. }, Some(until)) = (&ready, options.until)
                && let Some(newest) = raw.newest.filter(|newest| until < *newest)
            {
                let (until, newest) = (crate::time::text(until), crate::time::text(newest));
                return Err(ReplayError::Usage(format!("--until {until} is before the newest event, {newest}")));
            }
            Ok(ready)
        })
        .collect()
}

fn play_one(
    ready: Ready,
    (name, several): (&str, bool),
    options: &ReplayOptions,
    sink: &mut dyn Sink,
    finished: &mut Finished,
) -> Result<Summary, ReplayError> {
    let source = several.then_some(name);
    match ready {
        Ready::Scenario { scenario, cases, business } => {
            let order = match options.shuffle {
                Some(seed) => Order::Together(Some(seed)),
                None => Order::Written,
            };
            let play = PlayOptions {
                runners: options.runners.clone(),
                store: match (&options.world, &options.store) {
                    (Some(_), Some(path)) => StoreKind::Sqlite(path.clone()),
                    _ => StoreKind::Memory,
                },
                order,
                repeat: options.repeat,
                bless: options.bless,
                world: options.world.clone(),
            };
            // Another version would find what the first one made.
            let cases = if options.world.is_some() { &cases[..cases.len().min(1)] } else { &cases[..] };
            let mut look = |stepped: Stepped<'_>| sink.look(stepped);
            let reports = play_all_watched(&scenario, cases, &business, &play, Some(&mut look))?;
            if options.bless {
                finished.raised.extend(raise(&scenario, &reports)?);
            }
            let Some(first) = reports.first() else { return Ok(Summary::default()) };
            for line in &first.lines {
                if options.trace || !matches!(line, Line::Derived { .. }) {
                    sink.line(&line.clone().with_source(source)).map_err(unwritable)?;
                }
            }
            let mut summary = first.summary.clone();
            summary.known = reports.iter().filter(|report| report.known.is_some()).count() as u64;
            sink.cases(&scenario, &reports).map_err(unwritable)?;
            finished.cases.extend(reports);
            Ok(summary)
        }
        Ready::Raw { mut raw, business } => {
            let bad = raw.bad.take();
            let stream = StreamOptions {
                runners: options.runners.clone(),
                store: options.store.clone().map_or(StoreKind::Memory, StoreKind::Sqlite),
                shuffle: options.shuffle,
                repeat: options.repeat,
                until: options.until,
                trace: options.trace,
                world: options.world.clone(),
            };
            let mut emit = |lines: Vec<Line>| {
                lines.into_iter().try_for_each(|line| sink.line(&line.with_source(source))).map_err(unwritable)?;
                sink.durable().map_err(unwritable)
            };
            let end = replay_stream(raw, &business, &stream, &mut emit)?;
            let events = end.summary.events;
            finished.raw.push(RawEnd { source: name.to_owned(), events, failed: end.failed, bad });
            Ok(end.summary)
        }
    }
}

/// Raises the budgets in a scenario's file to what was used.
fn raise(scenario: &Scenario, reports: &[CaseReport]) -> Result<Vec<Raised>, ReplayError> {
    let over: Vec<_> = reports.iter().flat_map(|report| report.over.iter().cloned()).collect();
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let (text, raised) = budget::raise(scenario, &read_text(&scenario.file)?, &over)?;
    std::fs::write(&scenario.file, text).map_err(|cause| ReplayError::File { path: scenario.file.clone(), cause })?;
    Ok(raised)
}

fn unwritable(cause: std::io::Error) -> ReplayError {
    ReplayError::Host(format!("the report can't be written: {cause}"))
}
