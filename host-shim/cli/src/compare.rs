//! `provisioner compare OLD NEW [OPTIONS] PATH…`.

use crate::estimate::{CASE, Estimate};
use crate::exit::ended;
use anyhow::Context;
use clap::Parser;
use host_explore::compare::allow::Allowed;
use host_explore::compare::cut::{self, CutError};
use host_explore::compare::report::{github, human, json, junit};
use host_explore::compare::{Comparison, Options, Step, log, paths};
use host_replay::command::SourceArgs;
use host_replay::command::bar;
use host_replay::command::has_colours;
use host_replay::command::{Accepted, Format, GITHUB, JSON, JUNIT, formats};
use host_replay::library::Library;
use host_replay::rig::{StoreKind, open};
use host_replay::runners::{Runners, Workload};
use host_scenario::error::ReplayError;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The argument that means the extension's library instead of a component.
const NATIVE: &str = "native";

/// Report what another component decides differently
///
/// Runs scenarios, raw events, or the log of a store through two components and compares them event by event: outcome,
/// reply, effects (kind, key, payload), sums of the ledger, rows, claims and open timers, and fuel. Differences are
/// grouped by cause: the kind of event, the part that differs, and the difference without ids, times and amounts. Later
/// differences of an account that already differs are only counted.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The current component, or `native` for the extension's library
    #[arg(value_name = "OLD.wasm")]
    old: PathBuf,

    /// The new component, or `native`
    #[arg(value_name = "NEW.wasm")]
    new: PathBuf,

    /// Scenario files, raw events, or folders of them
    #[arg(value_name = "PATH", required_unless_present = "store", conflicts_with = "store")]
    paths: Vec<PathBuf>,

    /// A SQLite store of a replay or a host, whose log is compared, with the business that it names. Opening it
    /// upgrades it to the newest schema: give a copy if an older host still needs it
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// A difference that is not a failure: outcome, reply, effects, money, state or fuel, or one of them with a kind of
    /// event, such as effects:invoice.paid. It is still counted; repeatable
    #[arg(long, value_name = "WHAT")]
    allow: Vec<Allowed>,

    /// Fail if NEW uses more than PERCENT more fuel, in total or for a kind of event [default: reported, but not a
    /// failure]
    #[arg(long, value_name = "PERCENT")]
    fuel_within: Option<u32>,

    /// The folder with the businesses as OLD reads them, each in a folder of its name, if the language of catalogs changed
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["store", "to_scenario"])]
    old_businesses: Option<PathBuf>,

    /// Play scenarios only in this API version; repeatable
    #[arg(long, value_name = "VERSION", conflicts_with = "store")]
    only: Vec<String>,

    /// Write the smallest difference as a scenario that holds with OLD and fails with NEW
    #[arg(long, value_name = "FILE")]
    to_scenario: Option<PathBuf>,

    #[command(flatten)]
    source: SourceArgs,

    /// The report format; json prints one line per cause, one per kind of event with compared fuel, then a summary
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner compare old.wasm new.wasm my-business        its scenarios, in each API version
  provisioner compare old.wasm new.wasm --store log.db     the log of a host
  provisioner compare old.wasm native fixtures/businesses/solobase    a component and the library
  provisioner compare old.wasm new.wasm --allow reply --allow effects:invoice.paid my-business
  provisioner compare old.wasm new.wasm --fuel-within 10 --to-scenario differs.yml my-business
  provisioner compare old.wasm new.wasm --old-businesses before/fixtures fixtures   catalogs of two languages
  provisioner compare --format github old.wasm new.wasm fixtures   annotations at differences

A log is compared without carrying out effects: it has the providers' answers. Data of erased
accounts is left out. Results of OLD that differ from the log are reported once and do not count as
differences; timeouts of the host are not compared.

Exit codes: 0 no difference except allowed ones, 1 a difference, 2 bad usage or input.";

const FORMATS: &[Accepted] = &[(Format::Human, "Causes with their first difference"), JSON, JUNIT, GITHUB];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), args.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let workload = if args.store.is_some() { Workload::ManyEvents } else { Workload::Scenarios };
    let options = Options {
        old: runners(&args.old, workload)?,
        new: runners(&args.new, workload)?,
        old_businesses: args.old_businesses.clone(),
        allow: args.allow.clone(),
        only: args.only.clone(),
        fuel_within: args.fuel_within,
    };
    let sources = args.source.sources();
    // OLD may be unable to read the businesses of NEW.
    let reader = if options.old_businesses.is_some() { &options.new } else { &options.old };
    let mut library = Library::new(sources, reader.clone(), &args.paths)?;
    let bar = bar();
    let mut progress = |step| match step {
        Step::Of(all) => {
            // Each of the two components plays all cases.
            let estimate = Estimate::new(usize::try_from(all).unwrap_or(usize::MAX), "case", CASE * 2);
            estimate.print(&bar);
            bar.set_length(all);
        }
        Step::Done(more) => bar.inc(more),
    };
    let comparison = match &args.store {
        Some(file) => {
            if !file.is_file() {
                let text = format!("{}: no such file; expected a store of a replay or a host", file.display());
                return Err(ReplayError::Usage(text).into());
            }
            let store = open(&StoreKind::Sqlite(file.clone()))?;
            log::compare(&mut library, &*store, &options, &mut progress)
        }
        None => paths::compare(&mut library, &args.paths, &options, &mut progress),
    };
    bar.finish_and_clear();
    let comparison = comparison?;
    report(args.format, &comparison, &options).context("the report can't be written")?;
    if let Some(file) = &args.to_scenario {
        to_scenario(&mut library, &comparison, &options, file)?;
    }
    Ok(ExitCode::from(u8::from(comparison.differs(&options))))
}

fn runners(file: &Path, workload: Workload) -> Result<Runners, ReplayError> {
    match file.as_os_str() == NATIVE {
        true => host_replay::command::native(),
        false => Runners::component(file, false, workload),
    }
}

fn report(format: Format, comparison: &Comparison, options: &Options) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let mut out = BufWriter::new(stdout.lock());
    match format {
        Format::Json => json(&mut out, comparison, options)?,
        Format::Junit => out.write_all(junit(comparison, options).map_err(anyhow::Error::msg)?.as_bytes())?,
        Format::Github => out.write_all(github(comparison, options).as_bytes())?,
        Format::Human => human(&mut out, comparison, options, has_colours())?,
    }
    Ok(out.flush()?)
}

fn to_scenario(
    library: &mut Library<'_>,
    comparison: &Comparison,
    options: &Options,
    file: &Path,
) -> anyhow::Result<()> {
    match cut::smallest(library, comparison, options, file) {
        Ok(Some(cut)) => {
            std::fs::write(file, &cut.text).map_err(|cause| ReplayError::File { path: file.to_owned(), cause })?;
            eprintln!("{}: the difference needs {} of {} steps", file.display(), cut.steps, cut.steps_before);
        }
        Ok(None) => eprintln!("{}: not written, because only allowed differences were found", file.display()),
        Err(CutError::Replay(error)) => return Err(error.into()),
        // The report contains the difference; only its scenario can't be written.
        Err(error) => eprintln!("{}: not written: {error}", file.display()),
    }
    Ok(())
}
