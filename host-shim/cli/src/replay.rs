//! `host-shim replay [OPTIONS] PATH…`.

use crate::ended;
use crate::extension::ExtensionArgs;
use crate::progress::bar;
use crate::source::SourceArgs;
use crate::world::WorldArgs;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_replay::report::{Human, Json, failures, github, junit, printable};
use host_replay::run::{Finished, ReplayOptions, Silent, replay};
use host_scenario::error::Place;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Replay scenarios and recorded events
///
/// Scenarios (.yml), raw Stripe events, product events and commands (JSON, one a line or one a file), folders of them, or
/// - for standard input. Files are checked whole before the first event is applied.
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

    /// Permute the provider events between other events; scenarios must end in the same state
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,

    /// Deliver provider events of scenarios, and streams of raw events, N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,

    /// After raw events, let timers fire, retries run and late answers come until TIME (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<i64>,

    /// How to report; json is one line an event and nothing else
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Report results of effects, timers and messages, too
    #[arg(long)]
    trace: bool,

    /// Rewrite the snapshots beside the scenarios, and raise the numbers of budgets that events went beyond; each is told, old
    /// and new
    #[arg(long)]
    bless: bool,

    /// Start a local Stripe beside the host: `stripe` effects are calls of its API, `at_stripe` steps act there, and its webhooks
    /// come signed; plays one scenario
    #[arg(long, help_heading = "The world")]
    local_stripe: bool,

    #[command(flatten)]
    world: WorldArgs,
}

const AFTER_HELP: &str = "Examples:
  host-shim replay fixtures/solobase                    every scenario of a business
  host-shim replay --bless my.yml                       accept the state as the new snapshot
  host-shim replay --shuffle 7 fixtures                 the same stories in another order
  host-shim replay --format json --business solobase - < log.jsonl
  host-shim replay --format github fixtures             annotations at the lines that do not hold
  host-shim replay --providers local --keep my.yml      what it makes is made on this machine, to be looked at
  host-shim replay --local-stripe --providers local --keep examples/checkout.yml   from a signed checkout to a page
  host-shim replay --until 2026-02-01T00:00:00Z log.jsonl

Exit codes: 0 all held, 1 an expectation failed or an event ended without outcome, 2 bad usage or input.";

/// How to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Human,
    /// JSON lines
    Json,
    /// JUnit XML
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

fn parse_time(text: &str) -> Result<i64, String> {
    host::time::parse(text).ok_or_else(|| "expected RFC 3339 such as 2026-02-01T00:00:00Z".to_owned())
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    ended(try_run(&args), args.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let opened = args.world.open_beside(args.local_stripe)?;
    let options = ReplayOptions {
        business: args.source.business.clone(),
        fixtures: args.source.fixtures.clone(),
        runners: args.extension.runners(args.fresh)?,
        store: args.store.clone(),
        shuffle: args.shuffle,
        repeat: args.repeat,
        bless: args.bless,
        trace: args.trace,
        until: args.until,
        world: opened.as_ref().map(|(world, _)| world.clone()),
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
            let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            let width = if io::stdout().is_terminal() { None } else { Some(140) };
            let bar = bar();
            let step = |inputs: usize| match inputs {
                0 => bar.inc(1),
                _ => bar.set_length(inputs as u64),
            };
            let finished = replay(&args.paths, &mut stdin, &options, &mut Human::new(&mut out, colour, width, step));
            bar.finish_and_clear();
            finished?
        }
    };
    out.flush().context("the report can't be written")?;
    tell(args.format, &finished);
    if let Some((_, opened)) = &opened {
        match args.format {
            Format::Human => args.world.end(opened, &mut out)?,
            // The report is for a program: what people are told of the providers goes beside it.
            Format::Json | Format::Junit | Format::Github => args.world.end(opened, &mut io::stderr())?,
        }
    }
    Ok(ExitCode::from(finished.exit_code()))
}

/// What the report on stdout has no place for.
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
