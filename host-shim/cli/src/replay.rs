//! `host-shim replay [OPTIONS] PATH…`.

use crate::exit::ended;
use crate::extension::ExtensionArgs;
use crate::format::{Accepted, Format, GITHUB, JSON, JUNIT, formats};
use crate::progress::bar;
use crate::source::SourceArgs;
use crate::terminal::has_colours;
use crate::world::{WorldArgs, stripe_of_scenario};
use anyhow::Context;
use clap::Parser;
use host_replay::inputs::is_scenario;
use host_replay::report::{Human, Json, failures, github, junit, printable};
use host_replay::run::{Finished, ReplayOptions, Silent, replay};
use host_replay::runners::Workload;
use host_scenario::error::Place;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

/// Replay scenarios and recorded events
///
/// Inputs are scenarios (.yml), raw Stripe events, product events and commands (JSON, one per line or one per file),
/// folders of them, or - for standard input. All files are checked before the first event is applied.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Scenario files, raw events, folders, or - for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// Make a new instance of the component for every event
    #[arg(long, conflicts_with = "native")]
    fresh: bool,

    /// Keep the rows of one input of raw events in a SQLite file instead of in memory
    #[arg(long, value_name = "PATH")]
    store: Option<PathBuf>,

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
    format: Format,

    /// Also report results of effects, timers and messages
    #[arg(long)]
    trace: bool,

    /// List every case instead of a row for each business
    #[arg(long)]
    verbose: bool,

    /// Rewrite the snapshots of the scenarios and raise exceeded budgets; prints the old and the new limit of each
    #[arg(long)]
    bless: bool,

    /// Play every scenario with a local Stripe of its own: `stripe` effects and `at_stripe` steps call its API, and it
    /// sends signed webhooks. Without this option, only scenarios with `at_stripe` steps get one
    #[arg(long, help_heading = "Live providers")]
    local_stripe: bool,

    #[command(flatten)]
    world: WorldArgs,
}

const AFTER_HELP: &str = "Examples:
  host-shim replay fixtures/solobase                    every scenario of a business
  host-shim replay --bless my.yml                       accept the state as the new snapshot
  host-shim replay --shuffle 7 fixtures                 the same scenarios in another order
  host-shim replay --format json --business solobase - < log.jsonl
  host-shim replay --format github fixtures             annotations at failed expectations
  host-shim replay --providers local --keep my.yml      make the resources on this machine
  host-shim replay --local-stripe --providers local --keep examples/checkout.yml   a whole checkout
  host-shim replay --until 2026-02-01T00:00:00Z log.jsonl

Exit codes: 0 success, also of scenarios that are known to fail or need scripted answers; 1 a failed
expectation or an event without outcome; 2 bad usage or input.";

const FORMATS: &[Accepted] = &[(Format::Human, "A table"), JSON, JUNIT, GITHUB];

fn parse_time(text: &str) -> Result<i64, String> {
    host_engine::time::parse(text).ok_or_else(|| "expected RFC 3339 such as 2026-02-01T00:00:00Z".to_owned())
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    ended(try_run(&args), args.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    // Only one input can use providers that keep their resources; else each scenario gets a local Stripe of its own.
    let is_single = matches!(args.paths.as_slice(), [path] if !path.is_dir());
    let opened = match args.world.has_providers() || (args.local_stripe && is_single) {
        true => args.world.open_for(args.store.as_deref(), args.local_stripe)?,
        false => None,
    };
    let workload = match args.paths.iter().all(|path| path.is_dir() || is_scenario(path)) {
        true => Workload::Scenarios,
        false => Workload::ManyEvents,
    };
    let options = ReplayOptions {
        business: args.source.business.clone(),
        fixtures: args.source.fixtures.clone(),
        runners: args.extension.runners(args.fresh, workload)?,
        store: args.store.clone(),
        shuffle: args.shuffle,
        repeat: args.repeat,
        bless: args.bless,
        trace: args.trace,
        until: args.until,
        live: opened.as_ref().map(|(live, _)| live.clone()),
        stripe: Some(stripe_of_scenario(args.local_stripe, args.world.patience())),
        warn: |bad| eprintln!("warning: {}", printable(&bad.to_string())),
        threads: std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    let stdout = io::stdout();
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    let mut stdin = io::stdin();
    let finished = match args.format {
        Format::Json => replay(&args.paths, &mut stdin, &options, &mut Json::new(&mut out))?,
        Format::Junit => {
            let finished = replay(&args.paths, &mut stdin, &options, &mut Silent)?;
            let text = junit(&finished).map_err(anyhow::Error::msg)?;
            out.write_all(text.as_bytes()).context("the report can't be written")?;
            finished
        }
        Format::Github => {
            let finished = replay(&args.paths, &mut stdin, &options, &mut Silent)?;
            out.write_all(github::github(&finished).as_bytes()).context("the report can't be written")?;
            finished
        }
        Format::Human => {
            let width = if io::stdout().is_terminal() { None } else { Some(140) };
            let bar = bar();
            let step = |inputs: usize| match inputs {
                0 => bar.inc(1),
                _ => bar.set_length(inputs as u64),
            };
            let mut human = Human::new(&mut out, has_colours(), width, step).verbose(args.verbose);
            let finished = replay(&args.paths, &mut stdin, &options, &mut human);
            bar.finish_and_clear();
            finished?
        }
    };
    out.flush().context("the report can't be written")?;
    tell(args.format, &finished);
    if let Some((_, opened)) = &opened {
        match args.format {
            Format::Human => args.world.end(opened, &mut out)?,
            // Standard output is for programs, so the providers' report goes to standard error.
            Format::Json | Format::Junit | Format::Github => args.world.end(opened, &mut io::stderr())?,
        }
    }
    Ok(ExitCode::from(finished.exit_code()))
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
