//! `host-shim coverage [OPTIONS] PATH…`.

use crate::extension::ExtensionArgs;
use crate::progress::bar;
use crate::refuse;
use crate::source::SourceArgs;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_coverage::{CoverOptions, cover, human, json};
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

/// Say which decisions of the extension a set of scenarios reaches, and by name which it doesn't
///
/// Scenarios and recorded events are played. What there is to be reached is what is declared: ids that scenarios name
/// (`covers`), event kinds, outcomes and refusals of the contract, effect kinds, and the clauses of the business's catalog. A
/// scenario counts if it holds in every version; a stream of raw events if each event had an outcome, for event kinds, outcomes,
/// refusals and effects.
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

    /// Fail if a section reaches less of what there is than so many per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    min: u32,

    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  host-shim coverage --native fixtures/solobase        one business
  host-shim coverage --min 80 my-business              a share to hold, in CI
  host-shim coverage --format json my-business > coverage.jsonl

The table has a row for each event kind that came and a column for each outcome; a dot is a hole.
Below it stands by name what was not reached, and of a clause of the catalog its file and line,
and when it counts: `provisions/compute` when an effect of it is asked for, `grants/seats` when
what grants it is among the sources of the entitlement, a view when a product shows the word.
The policies of `business`, `config`, `retry`, and the fields of the catalog's own products
leave nothing behind that they could be seen by, and are in no section. The clauses of catalogs
are known of this project's extension alone; of another one the rest is told.

Exit codes: 0 everything held and no section is below --min, 1 not so, 2 bad usage or input.";

/// How to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table, and what is missing
    Human,
    /// JSON lines: an event kind or an item each, then a summary
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let covered = args.extension.runners(false).and_then(|runners| {
        let options =
            CoverOptions { business: args.source.business.clone(), fixtures: args.source.fixtures.clone(), runners };
        let bar = bar();
        let mut step = |inputs: usize| match inputs {
            0 => bar.inc(1),
            _ => bar.set_length(inputs as u64),
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
        Format::Human => human(&covered, args.min, &mut out),
        Format::Json => json(&covered, args.min, &mut out),
    }
    .context("the report can't be written")?;
    Ok(ExitCode::from(covered.exit_code(args.min)))
}
