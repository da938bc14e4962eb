//! The location of a store given on the command line: a SQLite file or a PostgreSQL database.

use anyhow::Context;
use host_store::{Reader, SqliteStore};
use host_store_postgres::{PostgresStore, Settings};
use std::fmt;
use std::path::PathBuf;

/// A store given on the command line.
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
    /// Opens the store for reading; a server may be writing to it at the same time.
    pub(crate) fn reader(&self) -> anyhow::Result<Box<dyn Reader>> {
        match self {
            Location::Sqlite(file) => SqliteStore::open_reader(file).with_context(|| self.to_string()),
            Location::Postgres(settings) => PostgresStore::open_reader(settings).with_context(|| self.to_string()),
        }
    }
}

/// Parses the location of a store. No message contains an address, since it may contain a password.
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
        // Nobody is waiting for a statement.
        return Ok(Location::Postgres(settings.patient()));
    }
    Err(format!("{option}: expected sqlite:FILE, postgres://… or env:NAME"))
}

/// Parses the location of an existing store, which may also be just the name of a file.
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
