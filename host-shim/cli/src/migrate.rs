//! `provisioner migrate --from STORE --to STORE`.

mod beside;

use crate::exit::ended;
use crate::location::{Location, location};
use anyhow::Context;
use beside::Parts;
use clap::Parser;
use host_replay::command;
use host_replay::command::refuse;
use host_run::data::{DataError, STORE, lock};
use host_scenario::error::ReplayError;
use host_store::copy::{Source, Target, copy, is_empty};
use host_store::{NotState, Read, SqliteStore, Store, state_hash};
use host_store_postgres::{Absence, PostgresStore};
use std::any::Any;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Copy what a server keeps from its data folder into a PostgreSQL database, or back
///
/// Everything is copied: accounts, events with their runs, open effects and claims. If the file is the `store.db` of a data folder, API
/// keys, users, secrets and webhook endpoints are copied with it, and the folder notes where everything is now. Stop the server first:
/// a store that a server uses is refused. The new store must be empty. At the end both stores are read once more, and must have
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
  provisioner migrate --from sqlite:data/store.db --to env:DATABASE_URL
  provisioner migrate --from env:DATABASE_URL --to sqlite:copy.db

Exit codes: 0 copied, 1 the copy failed, 2 bad usage or input.";

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
    // Held until the end: a running server would continue with the old store.
    let _absent = [absent(&from)?, absent(&to)?];
    match (from, to) {
        (Location::Sqlite(file), Location::Postgres(to)) => {
            let from = sqlite(file.clone())?;
            let parts = Parts::of(&from, &file, &to)?;
            let mut store = PostgresStore::open(&to)?;
            check_empty(&store, &Location::Postgres(to))?;
            parts.iter().try_for_each(Parts::copy_into_database)?;
            copied(&from, &mut store)?;
            parts.iter().try_for_each(Parts::note_database)?;
        }
        (Location::Postgres(from), Location::Sqlite(file)) => {
            let store = PostgresStore::open(&from)?;
            let parts = Parts::of(&store, &file, &from)?;
            let mut to = sqlite(file.clone())?;
            check_empty(&to, &Location::Sqlite(file))?;
            parts.iter().try_for_each(Parts::copy_into_files)?;
            copied(&store, &mut to)?;
            parts.iter().try_for_each(Parts::note_files)?;
        }
        (Location::Postgres(from), Location::Postgres(to)) => {
            let mut store = PostgresStore::open(&to)?;
            check_empty(&store, &Location::Postgres(to))?;
            copied(&PostgresStore::open(&from)?, &mut store)?;
        }
        (Location::Sqlite(from), Location::Sqlite(to)) => {
            let mut store = sqlite(to.clone())?;
            check_empty(&store, &Location::Sqlite(to))?;
            copied(&sqlite(from)?, &mut store)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A lock that is held until it is dropped.
type Held = Box<dyn Any>;

/// Keeps servers away from a store; none for a file that does not belong to a server.
pub(crate) fn absent(location: &Location) -> anyhow::Result<Option<Held>> {
    let file = match location {
        Location::Sqlite(file) => file,
        Location::Postgres(settings) => {
            let absence = Absence::take(settings).with_context(|| settings.to_string())?;
            return Ok(Some(Box::new(absence)));
        }
    };
    let folder = match file.parent() {
        Some(folder) if file.ends_with(STORE) && folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) if file.ends_with(STORE) && folder.is_dir() => folder,
        _ => return Ok(None),
    };
    match lock(folder) {
        Ok(lock) => Ok(Some(Box::new(lock))),
        Err(DataError::InUse { path }) => anyhow::bail!(
            "{}: a server uses this folder: stop it first, since what it stores meanwhile would be lost",
            path.display()
        ),
        Err(error) => Err(error.into()),
    }
}

/// Checks that a store to copy into is empty.
pub(crate) fn check_empty(store: &impl Read, location: &Location) -> anyhow::Result<()> {
    if is_empty(store).with_context(|| location.to_string())? {
        return Ok(());
    }
    let anew = match location {
        Location::Sqlite(_) => "remove the file",
        Location::Postgres(_) => "drop the database and create it again",
    };
    anyhow::bail!(
        "{location}: the store to copy into is not empty: it is that of a server, or a copy that did not end. For a copy of \
         everything, {anew} first"
    )
}

fn sqlite(file: PathBuf) -> anyhow::Result<SqliteStore> {
    SqliteStore::open(&file).with_context(|| file.display().to_string())
}

fn copied(from: &(impl Source + Store), to: &mut impl Target) -> anyhow::Result<()> {
    let bar = command::count_of("");
    bar.set_message("parts of the store");
    let parts = copy(from, to, &mut |copied| bar.set_position(copied));
    bar.finish_and_clear();
    let parts = parts.context("the copy failed")?;
    let whole = NotState::default();
    let (old, new) = (state_hash(&[from], &whole)?, state_hash(&[&*to], &whole)?);
    anyhow::ensure!(
        old == new,
        "the copy has another state: {new}, expected {old}. Use the old store on, and report this"
    );
    let mut out = io::stdout().lock();
    writeln!(out, "copied {parts} parts, state {new}").context("the report can't be written")
}
