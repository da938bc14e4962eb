//! `provisioner profile [OPTIONS] PATH…`.

use crate::estimate::{Estimate, INPUT, times};
use anyhow::Context;
use clap::Parser;
use host_explore::profile::{Profile, ProfileOptions, Rounds, flamegraph, human, json, profile};
use host_replay::command::SourceArgs;
use host_replay::command::bar;
use host_replay::command::component_or_default;
use host_replay::command::refuse;
use host_replay::command::{Accepted, Format, formats};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Report where a component's fuel goes, by event kind and by function
///
/// Plays scenarios or recorded events repeatedly and samples the component's stack some thousand times a second. The
/// fuel of an event kind is exact and the same in every run. The fuel of a function is an estimate: the fuel of each
/// event kind, shared by the number of samples. An inlined function counts for the function that contains it.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Scenario files, raw events, folders, or - for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    /// The component, with the names of its functions [default: instance-provisioner.wasm next to the program]
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,

    /// Another component that plays the same inputs: reports the differences in fuel, sorted
    #[arg(long, value_name = "OLD.wasm")]
    against: Option<PathBuf>,

    /// Play everything N times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "time")]
    repeat: Option<u32>,

    /// Play everything repeatedly for this time, at least once: 500ms, 10s, 2m
    #[arg(long = "for", value_name = "TIME", value_parser = crate::span::parse, default_value = "5s")]
    time: Duration,

    /// Report only the functions of these event kinds [default: all except the host's start, which begins each
    /// scenario]
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,

    /// The number of functions to list
    #[arg(long, value_name = "N", default_value_t = 40)]
    top: usize,

    /// Draw the functions as a flamegraph, by event kind
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// The report format; json has all functions
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  cargo xtask build --named                              a component whose functions have names
  provisioner profile --component target/instance-provisioner-named.wasm fixtures/businesses/solobase
  provisioner profile --component named.wasm --svg profile.svg --only invoice.paid fixtures
  provisioner profile --component new.wasm --against old.wasm --for 30s fixtures

A released component is stripped: its functions have numbers instead of names, and two builds have
different numbers. The fuel of event kinds is still exact.

Exit codes: 0 success, 1 a failed expectation or an event without outcome, 2 bad usage or input.";

const FORMATS: &[Accepted] =
    &[(Format::Human, "Tables"), (Format::Json, "JSON lines: one per event kind or function, then a summary")];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let profiled = component_or_default(args.component.as_deref(), "--component FILE").and_then(|component| {
        let options = ProfileOptions {
            component,
            against: args.against.clone(),
            business: args.source.business.clone(),
            fixtures: args.source.fixtures.clone(),
            rounds: args.repeat.map_or(Rounds::For(args.time), Rounds::Times),
            only: args.only.clone(),
        };
        let bar = bar();
        let mut is_announced = false;
        let mut step = |inputs: usize| match inputs {
            0 => bar.inc(1),
            _ => {
                if !std::mem::replace(&mut is_announced, true) {
                    estimate(args, inputs).print(&bar);
                }
                bar.set_length(inputs as u64);
                bar.set_position(0);
            }
        };
        let profiled = profile(&args.paths, &mut io::stdin(), &options, &mut step);
        bar.finish_and_clear();
        profiled
    });
    let profiled = match profiled {
        Ok(profiled) => profiled,
        Err(error) => return Ok(refuse(&error)),
    };
    if let Some(file) = &args.svg {
        draw(&profiled, file)?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => json(&profiled, &mut out),
        _ => human(&profiled, args.top, &mut out),
    }
    .context("the report can't be written")?;
    Ok(ExitCode::from(profiled.exit_code()))
}

/// Estimates the time for all rounds.
fn estimate(args: &Args, inputs: usize) -> Estimate {
    let round = Estimate::new(inputs, "input", INPUT * if args.against.is_some() { 2 } else { 1 });
    let time = match args.repeat {
        Some(rounds) => times(round.time, rounds as usize),
        // The last round is played to its end.
        None => args.time.max(round.time),
    };
    Estimate { time, ..round }
}

fn draw(profiled: &Profile, file: &Path) -> anyhow::Result<()> {
    let stacks = profiled.component.stacks_of(&profiled.only);
    let out = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let title = format!("{}: fuel of a round", profiled.component.file);
    flamegraph::draw(&stacks, &title, "fuel", BufWriter::new(out))
        .with_context(|| format!("cannot draw {}", file.display()))
}
