//! The options of a replay, and its report.

use super::{Accepted, ExtensionArgs, Format, GITHUB, JSON, JUNIT, SourceArgs, bar, formats, has_colours};
use crate::inputs::is_scenario;
use crate::live::{LiveProviders, StripeOfScenario};
use crate::report::{Human, Json, failures, github, junit, printable};
use crate::run::{Finished, ReplayOptions, Silent, replay};
use crate::runners::Workload;
use clap::Parser;
use host_scenario::error::{Place, ReplayError};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is replayed, with which extension, and how it is reported.
#[derive(Debug, Parser)]
pub struct ReplayArgs {
    /// Scenario files, raw events, folders, or - for standard input
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// Make a new instance of the component for every event
    #[arg(long, conflicts_with = "native")]
    fresh: bool,

    /// Keep the rows of one input of raw events in a SQLite file instead of in memory
    #[arg(long, value_name = "PATH")]
    pub store: Option<PathBuf>,

    /// Permute the Stripe events between other events; scenarios must end in the same state
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,

    /// Deliver Stripe events of scenarios, and streams of raw events, N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,

    /// After raw events, run timers, retries and late answers up to TIME (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<i64>,

    /// The report format; json prints one line per event and nothing else
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    pub format: Format,

    /// Also report results of effects, timers and messages
    #[arg(long)]
    trace: bool,

    /// List every case instead of a row for each business
    #[arg(long)]
    verbose: bool,

    /// Rewrite the snapshots of the scenarios and raise exceeded budgets; prints the old and the new limit of each
    #[arg(long)]
    bless: bool,
}

const FORMATS: &[Accepted] = &[(Format::Human, "A table"), JSON, JUNIT, GITHUB];

fn parse_time(text: &str) -> Result<i64, String> {
    host_engine::time::parse(text).ok_or_else(|| "expected RFC 3339 such as 2026-02-01T00:00:00Z".to_owned())
}

impl ReplayArgs {
    /// Replays the inputs with these live providers and the scenarios' local Stripes, and prints the report. Returns the exit code.
    ///
    /// # Errors
    ///
    /// An input is wrong, options can't be combined, the host fails, or the report can't be written.
    pub fn replay(&self, live: Option<LiveProviders>, stripe: StripeOfScenario) -> Result<ExitCode, ReplayError> {
        let workload = match self.paths.iter().all(|path| path.is_dir() || is_scenario(path)) {
            true => Workload::Scenarios,
            false => Workload::ManyEvents,
        };
        let options = ReplayOptions {
            business: self.source.business.clone(),
            fixtures: self.source.fixtures.clone(),
            runners: self.extension.runners(self.fresh, workload)?,
            store: self.store.clone(),
            shuffle: self.shuffle,
            repeat: self.repeat,
            bless: self.bless,
            trace: self.trace,
            until: self.until,
            live,
            stripe: Some(stripe),
            warn: |bad| eprintln!("warning: {}", printable(&bad.to_string())),
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
        };
        let stdout = io::stdout();
        let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
        let finished = self.report(&options, &mut out)?;
        out.flush().map_err(unwritten)?;
        tell(self.format, &finished);
        Ok(ExitCode::from(finished.exit_code()))
    }

    /// Replays the inputs and writes the report.
    fn report(&self, options: &ReplayOptions, out: &mut dyn Write) -> Result<Finished, ReplayError> {
        let mut stdin = io::stdin();
        match self.format {
            Format::Json => replay(&self.paths, &mut stdin, options, &mut Json::new(out)),
            Format::Junit => {
                let finished = replay(&self.paths, &mut stdin, options, &mut Silent)?;
                let text = junit(&finished).map_err(|error| ReplayError::Host(error.to_string()))?;
                out.write_all(text.as_bytes()).map_err(unwritten)?;
                Ok(finished)
            }
            Format::Github => {
                let finished = replay(&self.paths, &mut stdin, options, &mut Silent)?;
                out.write_all(github::github(&finished).as_bytes()).map_err(unwritten)?;
                Ok(finished)
            }
            Format::Human => {
                let width = if io::stdout().is_terminal() { None } else { Some(140) };
                let bar = bar();
                let step = |inputs: usize| match inputs {
                    0 => bar.inc(1),
                    _ => bar.set_length(inputs as u64),
                };
                let mut human = Human::new(out, has_colours(), width, step).verbose(self.verbose);
                let finished = replay(&self.paths, &mut stdin, options, &mut human);
                bar.finish_and_clear();
                finished
            }
        }
    }
}

fn unwritten(error: io::Error) -> ReplayError {
    ReplayError::Host(format!("the report can't be written: {error}"))
}

/// Prints to standard error: the raised limits, the failures that the report does not contain, and the mistake that
/// ended standard input.
fn tell(format: Format, finished: &Finished) {
    for raised in &finished.raised {
        eprintln!("raised {}", printable(&raised.to_string()));
    }
    if format == Format::Json {
        for told in failures(&finished.cases) {
            let place = Place::line(&told.failure.file, told.failure.line);
            let text = format!("{place}: {}: {}", told.heading(), told.failure.title);
            eprintln!("{}", printable(&text));
        }
    }
    if let Some(bad) = finished.bad() {
        eprintln!("error: {}", printable(&bad.to_string()));
    }
}
