//! A whole replay: finds and checks the inputs, runs them and reports the results in the order of the inputs.

use crate::inputs::{Input, RawInput, collect};
use crate::library::{Library, Ready, Sources, Story};
use crate::line::{Line, StreamLine, Summary};
use crate::live::{LiveProviders, StripeOfScenario};
use crate::parallel::in_order;
use crate::play::{CaseReport, Order, PlayOptions, Stepped, Watch, play_all_watched};
use crate::rig::StoreKind;
use crate::runners::Runners;
use crate::state::hash_of_streams;
use crate::stream::{StreamOptions, replay_stream};
use crate::unmakeable::{scripted_instead, unmakeable};
use extension_contract::Timestamp;
use host_scenario::business::BusinessFolder;
use host_scenario::error::{BadInput, ReplayError};
use host_scenario::model::budget::{self, RaisedLimit};
use host_scenario::model::{Scenario, read_text};
use std::io::Read;
use std::path::PathBuf;

/// Options for a replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Name or folder of the business; none means the business of the input's folder.
    pub business: Option<String>,
    /// Folder of the fixtures. If none, it is searched for above the inputs, the working folder and the program.
    pub fixtures: Option<PathBuf>,
    /// The extension.
    pub runners: Runners,
    /// SQLite file; none to keep everything in memory.
    pub store: Option<PathBuf>,
    /// Seed for permuting Stripe events.
    pub shuffle: Option<u64>,
    /// Number of deliveries of Stripe events (in scenarios) or of the whole stream (of raw events).
    pub repeat: u32,
    /// Rewrites snapshots and raises exceeded budgets.
    pub bless: bool,
    /// Reports results, timers and messages as well.
    pub trace: bool,
    /// Time up to which timers fire after the last raw event, in milliseconds since the epoch.
    pub until: Option<Timestamp>,
    /// Providers that replace the scripted one for the effects that they handle. A scenario then runs only in its first version.
    pub live: Option<LiveProviders>,
    /// If there are no `live` providers, starts a local Stripe for each scenario that needs one.
    pub stripe: Option<StripeOfScenario>,
    /// Called before the first event for each resource that the live providers can't create.
    pub warn: fn(&BadInput),
    /// The number of threads that run scenarios; 0 and 1 both mean one. Raw events, and scenarios whose steps the sink watches, run on the
    /// caller's thread.
    pub threads: usize,
}

impl ReplayOptions {
    /// Returns the live providers of one input.
    fn live_for(&self, has_stripe_steps: bool) -> Result<Option<LiveProviders>, ReplayError> {
        match (&self.live, &self.stripe) {
            (Some(live), _) => Ok(Some(live.clone())),
            (None, Some(stripe)) => stripe.start(has_stripe_steps),
            (None, None) => Ok(None),
        }
    }

    /// Returns options that run everything once, in memory, in its own order and on one thread, and report only input events.
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
            live: None,
            stripe: None,
            warn: |_| (),
            threads: 1,
        }
    }
}

/// A receiver of a replay's results.
pub trait Sink {
    /// The inputs have been checked; this many will run.
    fn begin(&mut self, inputs: usize) {
        let _ = inputs;
    }
    /// The line of one event.
    fn line(&mut self, line: &Line) -> std::io::Result<()>;
    /// The store contains everything that the lines so far report.
    fn durable(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    /// Returns true if the replay must call [`Sink::look`].
    fn watches(&self) -> bool {
        false
    }
    /// The result of a step of a case; its host may be inspected and queried. The replay calls this only if
    /// [`Sink::watches`] returns true.
    fn look(&mut self, stepped: Stepped<'_>) -> Result<(), ReplayError> {
        let _ = stepped;
        Ok(())
    }
    /// The cases of a scenario have run.
    fn cases(&mut self, scenario: &Scenario, reports: &[CaseReport]) -> std::io::Result<()> {
        let _ = (scenario, reports);
        Ok(())
    }
    /// The end of one of several inputs.
    fn stream(&mut self, stream: &StreamLine, summary: &Summary) -> std::io::Result<()>;
    /// The end of the replay.
    fn end(&mut self, summary: &Summary) -> std::io::Result<()>;
}

/// A sink that discards everything.
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

/// The result of one input of raw events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEnd {
    /// The input.
    pub source: String,
    /// Number of its events.
    pub events: u64,
    /// Number of events that ended without an outcome, including results, timers and messages.
    pub failed: u64,
    /// The mistake that ended it early.
    pub bad: Option<BadInput>,
}

/// The result of a replay.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Counts over all inputs; for a scenario, the counts of its first version.
    pub summary: Summary,
    /// All cases of scenarios.
    pub cases: Vec<CaseReport>,
    /// All inputs of raw events.
    pub raw: Vec<RawEnd>,
    /// The budget limits that were raised in their files.
    pub raised: Vec<RaisedLimit>,
}

impl Finished {
    /// Returns true if every expectation held, apart from those that are known to fail or need missing answers, and every event has an
    /// outcome.
    pub fn held(&self) -> bool {
        self.raw.iter().all(|raw| raw.failed == 0) && !self.cases.iter().any(CaseReport::failed)
    }

    /// Returns the mistake that ended standard input early.
    pub fn bad(&self) -> Option<&BadInput> {
        self.raw.iter().find_map(|raw| raw.bad.as_ref())
    }

    /// Returns the program's exit code: 0 if [`Finished::held`], 1 if not, 2 for bad input.
    pub fn exit_code(&self) -> u8 {
        match (self.bad(), self.held()) {
            (Some(_), _) => 2,
            (None, false) => 1,
            (None, true) => 0,
        }
    }
}

/// Replays all inputs at `paths`. Files are checked completely before the first event is applied.
///
/// # Errors
///
/// Fails if an input is invalid, options can't be combined, or the host or the sink fails.
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
    if let Some(live) = &options.live {
        ready.iter().flat_map(|ready| unmakeable_of(ready, live)).for_each(|bad| (options.warn)(&bad));
    }
    sink.begin(ready.len());
    let several = inputs.len() > 1 || paths.len() > 1;
    let mut finished = Finished { summary: Summary::default(), cases: Vec::new(), raw: Vec::new(), raised: Vec::new() };
    let mut states = Vec::new();
    let watched = sink.watches();
    let ahead = |(_, ready): &(Input, Ready)| match ready {
        Ready::Scenario(story) if !watched => Some(play_story(story, options, None)),
        _ => None,
    };
    in_order(inputs.into_iter().zip(ready).collect(), options.threads, ahead, |(input, ready), played| {
        let source = input.source();
        let summary = match ready {
            Ready::Scenario(story) => {
                let reports = match played {
                    Some(played) => played?,
                    None => play_story(&story, options, Some(&mut |stepped| sink.look(stepped)))?,
                };
                report_story(&story, reports, several.then_some(&source), options, sink, &mut finished)?
            }
            Ready::Raw { raw, business } => {
                play_raw(*raw, &business, (&source, several), options, sink, &mut finished)?
            }
        };
        finished.summary.add(&summary);
        if several {
            let line = StreamLine { source, state: summary.state.clone() };
            sink.stream(&line, &summary).map_err(unwritable)?;
        }
        states.push(summary.state);
        Ok::<(), ReplayError>(())
    })?;
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
        return Err(ReplayError::Usage("--until is for raw events; a scenario has `until` steps instead".to_owned()));
    }
    if options.bless && scenarios == 0 {
        return Err(ReplayError::Usage(
            "--bless rewrites snapshots and budgets of scenarios, but no scenario is given".to_owned(),
        ));
    }
    if options.live.is_some() && (inputs.len() != 1 || options.shuffle.is_some()) {
        return Err(ReplayError::Usage(
            "live providers play exactly one input, in its own order: a second input would find the first one's resources".to_owned(),
        ));
    }
    let has_stripe = options.stripe.as_ref().is_some_and(StripeOfScenario::is_for_all);
    if has_stripe && options.shuffle.is_some() {
        return Err(ReplayError::Usage(
            "--local-stripe sends events in its own order: expected no --shuffle".to_owned(),
        ));
    }
    if options.store.is_some() && scenarios > 0 && options.live.is_none() {
        return Err(ReplayError::Usage("--store is for raw events; a scenario starts empty, in memory".to_owned()));
    }
    if options.store.is_some() && inputs.len() > 1 {
        return Err(ReplayError::Usage(format!(
            "--store keeps the rows of one stream, but {} inputs are given: replay them one by one, or join them",
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

/// Returns the warnings about the resources of an input's business: those that the live providers can't create, and its own ones that the
/// scripted provider creates instead.
fn unmakeable_of(ready: &Ready, live: &LiveProviders) -> Vec<BadInput> {
    let (business, config) = match ready {
        Ready::Scenario(story) => (&story.business, story.business.config_with(&story.scenario.given.config)),
        Ready::Raw { business, .. } => (business, business.config.clone()),
    };
    let mut found = unmakeable(business, &config, live);
    found.extend(scripted_instead(business, &config, live));
    found
}

/// Runs a scenario in each of its API versions, or only in the first one with live providers.
fn play_story(
    story: &Story,
    options: &ReplayOptions,
    look: Option<&mut Watch<'_>>,
) -> Result<Vec<CaseReport>, ReplayError> {
    let live = options.live_for(story.scenario.has_stripe_steps())?;
    let order = match options.shuffle {
        // A local Stripe sends its events in its own order.
        Some(seed) if live.is_none() => Order::Together(Some(seed)),
        _ => Order::Written,
    };
    let play = PlayOptions {
        runners: options.runners.clone(),
        store: match (&live, &options.store) {
            (Some(_), Some(path)) => StoreKind::Sqlite(path.clone()),
            _ => StoreKind::Memory,
        },
        order,
        repeat: options.repeat,
        bless: options.bless,
        live,
    };
    let cases = &story.cases;
    // Another version would find the resources of the first one.
    let cases = if play.live.is_some() { &cases[..cases.len().min(1)] } else { &cases[..] };
    play_all_watched(&story.scenario, cases, &story.business, &play, look)
}

/// Reports the cases of a scenario, and returns the summary of its first version.
fn report_story(
    story: &Story,
    reports: Vec<CaseReport>,
    source: Option<&String>,
    options: &ReplayOptions,
    sink: &mut dyn Sink,
    finished: &mut Finished,
) -> Result<Summary, ReplayError> {
    let scenario = &story.scenario;
    if options.bless {
        finished.raised.extend(raise(scenario, &reports)?);
    }
    let Some(first) = reports.first() else { return Ok(Summary::default()) };
    for line in &first.lines {
        if options.trace || !matches!(line, Line::Derived { .. }) {
            sink.line(&line.clone().with_source(source.map(String::as_str))).map_err(unwritable)?;
        }
    }
    let mut summary = first.summary.clone();
    summary.known = reports.iter().filter(|report| report.known.is_some()).count() as u64;
    summary.needs_answers = reports.iter().filter(|report| report.needs_answers()).count() as u64;
    sink.cases(scenario, &reports).map_err(unwritable)?;
    finished.cases.extend(reports);
    Ok(summary)
}

/// Runs and reports an input of raw events, and returns its summary.
fn play_raw(
    mut raw: RawInput,
    business: &BusinessFolder,
    (name, several): (&str, bool),
    options: &ReplayOptions,
    sink: &mut dyn Sink,
    finished: &mut Finished,
) -> Result<Summary, ReplayError> {
    let source = several.then_some(name);
    let bad = raw.bad.take();
    let stream = StreamOptions {
        runners: options.runners.clone(),
        store: options.store.clone().map_or(StoreKind::Memory, StoreKind::Sqlite),
        shuffle: options.shuffle,
        repeat: options.repeat,
        until: options.until,
        trace: options.trace,
        live: options.live_for(false)?,
    };
    let mut emit = |lines: Vec<Line>| {
        lines.into_iter().try_for_each(|line| sink.line(&line.with_source(source))).map_err(unwritable)?;
        sink.durable().map_err(unwritable)
    };
    let end = replay_stream(raw, business, &stream, &mut emit)?;
    let events = end.summary.events;
    finished.raw.push(RawEnd { source: name.to_owned(), events, failed: end.failed, bad });
    Ok(end.summary)
}

/// Raises the budgets in a scenario's file to the amounts used.
fn raise(scenario: &Scenario, reports: &[CaseReport]) -> Result<Vec<RaisedLimit>, ReplayError> {
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
