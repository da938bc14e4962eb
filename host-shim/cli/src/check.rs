//! `provisioner check [OPTIONS] PATH…`.

mod expand;
mod of_server;
mod of_store;

use crate::exit::ended;
use crate::world::ProviderArgs;
use anyhow::Context;
use clap::Parser;
use host_replay::check::{Checked, check};
use host_replay::command::ExtensionArgs;
use host_replay::command::SourceArgs;
use host_replay::command::{Accepted, Format, GITHUB, JSON, formats};
use host_replay::command::{EXIT_BAD_INPUT, refuse};
use host_replay::report::{github, printable};
use host_replay::runners::Workload;
use host_scenario::error::BadInput;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check a business and its scenarios for mistakes, without playing them
///
/// Loads the catalog (catalog.yml) and the configuration (config.yml) into the extension, reads the scenarios, builds
/// their events in every API version of Stripe's bodies, looks up their names, and reads recorded events. Applies
/// nothing. With --providers, also reports the resources that these providers can't make. Each mistake is reported with file and line, its place in the document, the allowed values and, for a
/// misspelt name, a suggestion.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Folders of businesses or scenarios, or single files
    #[arg(value_name = "PATH", required_unless_present = "config")]
    paths: Vec<PathBuf>,

    /// Check the configuration of a server instead, with its businesses; exits 1 if the server would not start with it
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    config: Option<PathBuf>,

    /// Check what a start over this store would refuse or change instead, and change nothing: a folder with store.db,
    /// sqlite:FILE, postgres://… or env:NAME
    #[arg(long, value_name = "STORE", conflicts_with = "config")]
    store: Option<String>,

    /// The store's live mode instead of test mode
    #[arg(long, requires = "store")]
    live: bool,

    /// Print the catalog in the full level of the language instead, each clause with the line that it comes from
    #[arg(long, conflicts_with_all = ["config", "store"])]
    expand: bool,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    extension: ExtensionArgs,

    #[command(flatten)]
    providers: ProviderArgs,

    /// The report format
    #[arg(long, value_enum, value_parser = formats(FORMATS), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner check my-business                 its catalog and all scenarios below it
  provisioner check my-business/catalog.yml     only its catalog
  provisioner check --format json fixtures      one JSON line per mistake, then the counts
  provisioner check --providers aws,postgres --provider-settings providers.yml my-business
  provisioner check --config solobase.config.yml
  provisioner check --expand my-business        what its features, plans and add-ons stand for
  provisioner check --store /var/lib/provisioner/solobase my-business    before the next start

A reported mistake:
  my-business/catalog.yml:12: /product_types/0/grnats: unknown field `grnats`; expected one of name,
  grants, fields; did you mean `grants`?

The first part is file and line; the second is the place in the document as a JSON Pointer, here in
the first product type. At most 100 mistakes of a catalog are reported, and none that another
mistake may cause: check again after fixing them.

Exit codes: 0 no mistakes, 1 the extension failed or the server would not start, 2 mistakes or bad usage.";

const FORMATS: &[Accepted] = &[(Format::Human, "One line per mistake"), JSON, GITHUB];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), args.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.config {
        return of_server::check(file, &args.extension, args.format);
    }
    if let Some(store) = &args.store {
        return of_store::check(&args.paths, store, args.live, &args.extension, args.format);
    }
    if args.expand {
        return expand::print(&args.paths);
    }
    let sources = args.source.sources();
    let opened = args.providers.open()?;
    let live = opened.as_ref().map(|(live, _)| live);
    let runners = args.extension.runners(false, Workload::Scenarios);
    let checked = runners.and_then(|runners| check(&args.paths, sources, &runners, live));
    let checked = match checked {
        Ok(checked) => checked,
        // A wrong path or option ends the check.
        Err(error) => return Ok(refuse(&error)),
    };
    print(&checked, args.format)?;
    Ok(if checked.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_BAD_INPUT) })
}

/// Prints a report.
fn print(checked: &Checked, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => json(checked),
        Format::Github => github(checked),
        _ => human(checked),
    }
    .context("the report can't be written")
}

fn human(checked: &Checked) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for mistake in &checked.mistakes {
        writeln!(out, "{}", printable(&mistake.to_string()))?;
    }
    let count = |number: usize, what: &str, several: &str| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{number} {several}")),
    };
    let parts = [
        count(checked.businesses, "business", "businesses"),
        count(checked.scenarios, "scenario", "scenarios"),
        count(checked.raw, "file of raw events", "files of raw events"),
    ];
    let mut checked_files = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if checked_files.is_empty() {
        checked_files.push_str("the configuration");
    }
    match count(checked.mistakes.len(), "mistake", "mistakes") {
        None => writeln!(out, "no mistake in {checked_files}")?,
        Some(mistakes) => writeln!(out, "{mistakes} in {checked_files}")?,
    }
    let mut notes = checked.notes.iter().filter(|_| checked.mistakes.is_empty());
    notes.try_for_each(|note| writeln!(out, "note: {}", printable(note)))
}

fn github(checked: &Checked) -> io::Result<()> {
    let mut out: String = checked.mistakes.iter().map(github::mistake).collect();
    let Checked { businesses, scenarios, raw, mistakes, .. } = checked;
    let counts = format!(
        "{businesses} businesses, {scenarios} scenarios, {raw} files of raw events: {} mistakes",
        mistakes.len()
    );
    github::notice(&mut out, "check", &counts);
    io::stdout().lock().write_all(out.as_bytes())
}

fn json(checked: &Checked) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for BadInput { place, problem, expected, guess, reported } in &checked.mistakes {
        // Line 0 means the file as a whole.
        let line = Some(place.line).filter(|line| *line > 0);
        let reported = reported.as_deref();
        let (code, allowed) = (reported.map(|it| it.code), reported.map(|it| &it.expected));
        let mistake = json!({"file": place.file.display().to_string(), "line": line, "pointer": place.pointer,
            "code": code, "problem": problem, "expected": expected, "allowed": allowed, "guess": guess});
        writeln!(out, "{}", json!({"mistake": mistake}))?;
    }
    let Checked { businesses, scenarios, raw, mistakes, notes } = checked;
    let mut summary = json!({"businesses": businesses, "scenarios": scenarios, "raw": raw, "mistakes": mistakes.len()});
    if !notes.is_empty() {
        summary["notes"] = json!(notes);
    }
    writeln!(out, "{}", json!({"summary": summary}))
}
