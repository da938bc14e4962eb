//! `provisioner check-wit OLD NEW`.

use anyhow::Context;
use clap::Parser;
use host_explore::wit_check::{Contract, Fit, fit};
use host_replay::command::{Accepted, Format, JSON, formats};
use host_replay::command::{EXIT_BAD_INPUT, EXIT_FAILED};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check whether a component built against one contract runs on a host of another
///
/// Lists the removed, added and changed functions, types, cases and fields, each with its consequence for a component
/// that was built against OLD, and the version that NEW needs.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The older contract: a .wit file, a folder with one, or a component
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The contract of a host: a .wit file, a folder with one, or a component
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// The report format
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner check-wit before/products.wit wit             which version does a change need?
  provisioner check-wit my-extension.wasm wit/products.wit  does my component fit that host?

Versions: a breaking change raises the first number that is not 0, an addition the number after it.
A released contract never changes.

Exit codes: 0 it fits, 1 it does not fit, 2 a contract can't be read, or bad usage.";

const FORMATS: &[Accepted] = &[(Format::Human, "One line per difference"), JSON];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let contracts = Contract::read(&args.old).and_then(|old| Ok((old, Contract::read(&args.new)?)));
    let (old, new) = match contracts {
        Ok(contracts) => contracts,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(EXIT_BAD_INPUT));
        }
    };
    let fit = fit(&old, &new);
    match args.format {
        Format::Json => json_lines(&fit),
        _ => human(args, &fit),
    }
    .context("the report can't be written")?;
    Ok(if fit.fits() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

fn human(args: &Args, fit: &Fit) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for change in &fit.changes {
        let mark = if change.breaks { "breaks" } else { "fits" };
        writeln!(out, "{mark:6}  {}: {}\n        {}", change.place, change.what, change.means)?;
    }
    if let Some(objection) = &fit.objection {
        writeln!(out, "breaks  {objection}")?;
    }
    let (old, new) = (args.old.display(), args.new.display());
    match (fit.fits(), fit.changes.is_empty()) {
        (true, true) => writeln!(out, "nothing differs: components built against {old} run on a host of {new}")?,
        (true, false) => writeln!(out, "it fits: components built against {old} run on a host of {new}")?,
        (false, _) => writeln!(
            out,
            "it does not fit: components built against {old} can't run on a host of {new}; build them again"
        )?,
    }
    let version = |version: &Option<host_explore::wit_check::Version>| {
        version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    match fit.needs() {
        Some(needs) if !fit.is_version_right() => {
            writeln!(out, "version: {} after {} is too low, it needs {needs}", version(&fit.new), version(&fit.old))
        }
        Some(_) => writeln!(out, "version: {} after {}", version(&fit.new), version(&fit.old)),
        None => Ok(()),
    }
}

fn json_lines(fit: &Fit) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for change in &fit.changes {
        let change =
            json!({"place": change.place, "what": change.what, "means": change.means, "breaks": change.breaks});
        writeln!(out, "{}", json!({"change": change}))?;
    }
    let text = |version: Option<&host_explore::wit_check::Version>| version.map(ToString::to_string);
    let summary = json!({
        "fits": fit.fits(),
        "objection": fit.objection,
        "old": text(fit.old.as_ref()),
        "new": text(fit.new.as_ref()),
        "needs": text(fit.needs().as_ref()),
        "changes": fit.changes.len(),
    });
    writeln!(out, "{}", json!({"summary": summary}))
}
