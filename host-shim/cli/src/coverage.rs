//! `provisioner coverage [OPTIONS] PATH…`.

use crate::estimate::{Estimate, INPUT};
use crate::world::stripe_of_scenario;
use anyhow::Context;
use clap::Parser;
use host_explore::coverage::{CoverOptions, cover, human, json};
use host_replay::command::ExtensionArgs;
use host_replay::command::SourceArgs;
use host_replay::command::bar;
use host_replay::command::refuse;
use host_replay::command::{Accepted, Format, formats};
use host_replay::live::PATIENCE;
use host_replay::runners::Workload;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

/// Report the decisions of the extension that a set of scenarios reaches and misses
///
/// Plays scenarios and recorded events. The declarations define what can be reached: ids in scenarios (`covers`), event
/// kinds, outcomes and refusals of the contract, effect kinds, and the clauses of the business's catalog. A scenario
/// counts if it holds in every version. A stream of raw events counts if each event has an outcome, for event kinds,
/// outcomes, refusals and effects.
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

    /// Fail if a section reaches less than this percentage
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    min: u32,

    /// The report format
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner coverage --native fixtures/businesses/solobase  one business
  provisioner coverage --min 80 my-business                   a minimum for CI
  provisioner coverage --format json my-business > coverage.jsonl

The table has a row for each event kind that occurred and a column for each outcome; a dot is a gap.
Below it are the names of missed items; for a clause of the catalog also its file and line, and when
it counts: `provisions/compute` when one of its effects is requested, `grants/seats` when its grant
is a source of the entitlement, a view when a product shows the word. The policies of `business`,
`config`, `retry`, and the fields of the catalog's own products leave no trace, so they are in no
section. Clauses of catalogs are known only for this project's extension; for another extension, the
rest is reported.

Exit codes: 0 all held and no section is below --min, 1 otherwise, 2 bad usage or input.";

const FORMATS: &[Accepted] = &[
    (Format::Human, "A table, and the missing items"),
    (Format::Json, "JSON lines: one per event kind or item, then a summary"),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let covered = args.extension.runners(false, Workload::Scenarios).and_then(|runners| {
        let options = CoverOptions {
            business: args.source.business.clone(),
            fixtures: args.source.fixtures.clone(),
            runners,
            stripe: Some(stripe_of_scenario(false, PATIENCE)),
        };
        let bar = bar();
        let mut step = |inputs: usize| match inputs {
            0 => bar.inc(1),
            _ => {
                Estimate::new(inputs, "input", INPUT).print(&bar);
                bar.set_length(inputs as u64);
            }
        };
        let covered = cover(&args.paths, &mut io::stdin(), &options, &mut step);
        bar.finish_and_clear();
        covered
    });
    let covered = match covered {
        Ok(covered) => covered,
        Err(error) => return Ok(refuse(&error)),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => json(&covered, args.min, &mut out),
        _ => human(&covered, args.min, &mut out),
    }
    .context("the report can't be written")?;
    Ok(ExitCode::from(covered.exit_code(args.min)))
}
