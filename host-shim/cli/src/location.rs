//! Location of a store that is given on the command line: a SQLite file or a PostgreSQL database.

use anyhow::Context;
use host_store::{Reader, SqliteStore};
use host_store_postgres::{PostgresStore, Settings};
use std::fmt;
use std::path::PathBuf;

/// A store of the command line.
#[expect(clippy::large_enum_variant, reason = "a command has one or two of them")]
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

impl Location {
    /// Opens the store to read it; a server may write it meanwhile.
    pub(crate) fn reader(&self) -> anyhow::Result<Box<dyn Reader>> {
        match self {
            Location::Sqlite(file) => SqliteStore::open_reader(file).with_context(|| self.to_string()),
            Location::Postgres(settings) => PostgresStore::open_reader(settings).with_context(|| self.to_string()),
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
        let settings = text.parse::<Settings>().map_err(|error| format!("{option}: {error}"))?;
        // Nobody waits for a statement.
        return Ok(Location::Postgres(settings.patient()));
    }
    Err(format!("{option}: expected sqlite:FILE, postgres://… or env:NAME"))
}

/// Reads the location of an existing store, which may also be the name of a file alone.
pub(crate) fn existing(option: &str, text: &str) -> Result<Location, String> {
    let is_file = !["env:", "sqlite:", "postgres://", "postgresql://"].iter().any(|start| text.starts_with(start));
    let store = if is_file { Location::Sqlite(text.into()) } else { location(option, text)? };
    match &store {
        Location::Sqlite(file) if !file.is_file() => {
            Err(format!("{}: no such file; expected a store of a server", file.display()))
        }
        _ => Ok(store),
    }
}
