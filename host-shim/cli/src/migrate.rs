//! `host-shim migrate --from STORE --to STORE`.

mod beside;

use crate::ended;
use crate::progress;
use crate::refuse;
use anyhow::Context;
use beside::Parts;
use clap::Parser;
use host_scenario::error::ReplayError;
use host_store::copy::{Source, Target, copy};
use host_store::{NotState, SqliteStore, Store, state_hash};
use host_store_postgres::{PostgresStore, Settings};
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Copy what a server keeps from its data folder into a PostgreSQL database, or back
///
/// Everything is copied: accounts, events with their runs, open effects and claims. If the file is the `store.db` of a data folder, API
/// keys, users, secrets and webhook endpoints are copied with it, and the folder notes where everything is now. Stop the server first:
/// nothing may write to either store meanwhile. The new store must be empty. At the end both stores are read once more, and must have
/// the same state.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The store to copy
    #[arg(long, value_name = "STORE")]
    from: String,

    /// The empty store to copy into
    #[arg(long, value_name = "STORE")]
    to: String,
}

const AFTER_HELP: &str = "A STORE is one of
  sqlite:FILE                                 a file, such as sqlite:data/store.db
  postgres://USER:PASSWORD@HOST/DATABASE      a database; other users of the machine may see a password on the command line
  env:NAME                                    the STORE in an environment variable

Examples:
  host-shim migrate --from sqlite:data/store.db --to env:DATABASE_URL
  host-shim migrate --from env:DATABASE_URL --to sqlite:copy.db

Exit codes: 0 copied, 1 the copy failed, 2 bad usage or input.";

/// A store of the command line.
#[expect(clippy::large_enum_variant, reason = "a command has two of them")]
pub(crate) enum Location {
    Sqlite(PathBuf),
    Postgres(Settings),
}

/// Writes the file or the database, without a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(file) => write!(f, "{}", file.display()),
            Location::Postgres(settings) => write!(f, "{settings}"),
        }
    }
}

/// Reads the location of a store. No message has an address, which may have a password.
pub(crate) fn location(option: &str, text: &str) -> Result<Location, String> {
    if let Some(name) = text.strip_prefix("env:") {
        return match std::env::var(name) {
            Ok(value) if !value.starts_with("env:") => location(&format!("{option}: {name}"), &value),
            _ => Err(format!("{option}: the variable `{name}` is missing")),
        };
    }
    if let Some(file) = text.strip_prefix("sqlite:") {
        return Ok(Location::Sqlite(file.into()));
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return text.parse().map(Location::Postgres).map_err(|error| format!("{option}: {error}"));
    }
    Err(format!("{option}: expected sqlite:FILE, postgres://… or env:NAME"))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let (from, to) = match (location("--from", &args.from), location("--to", &args.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(problem), _) | (_, Err(problem)) => return usage(problem),
    };
    match &from {
        Location::Sqlite(file) if !file.is_file() => {
            return usage(format!("--from: {}: no such file; expected a store of a server", file.display()));
        }
        _ => {}
    }
    match (from, to) {
        (Location::Sqlite(file), Location::Postgres(to)) => {
            let from = sqlite(file.clone())?;
            let parts = Parts::of(&from, &file, &to)?;
            parts.iter().try_for_each(Parts::copy_into_database)?;
            copied(&from, PostgresStore::open(&to)?)?;
            parts.iter().try_for_each(Parts::note_database)?;
        }
        (Location::Postgres(from), Location::Sqlite(file)) => {
            let store = PostgresStore::open(&from)?;
            let parts = Parts::of(&store, &file, &from)?;
            parts.iter().try_for_each(Parts::copy_into_files)?;
            copied(&store, sqlite(file)?)?;
            parts.iter().try_for_each(Parts::note_files)?;
        }
        (Location::Postgres(from), Location::Postgres(to)) => {
            copied(&PostgresStore::open(&from)?, PostgresStore::open(&to)?)?;
        }
        (Location::Sqlite(from), Location::Sqlite(to)) => copied(&sqlite(from)?, sqlite(to)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn sqlite(file: PathBuf) -> anyhow::Result<SqliteStore> {
    SqliteStore::open(&file).with_context(|| file.display().to_string())
}

fn copied(from: &(impl Source + Store), mut to: impl Target) -> anyhow::Result<()> {
    let bar = progress::count_of("");
    bar.set_message("parts of the store");
    let parts = copy(from, &mut to, &mut |copied| bar.set_position(copied));
    bar.finish_and_clear();
    let parts = parts.context("the copy failed")?;
    let whole = NotState::default();
    let (old, new) = (state_hash(&[from], &whole)?, state_hash(&[&to], &whole)?);
    anyhow::ensure!(
        old == new,
        "the copy has another state: {new}, expected {old}. Use the old store on, and report this"
    );
    let mut out = io::stdout().lock();
    writeln!(out, "copied {parts} parts, state {new}").context("the report can't be written")
}
