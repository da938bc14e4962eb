//! The option that makes a command use a server's database.

use clap::Args;
use host_store_postgres::Settings;

/// The variable with the address of the database.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";

/// The place of what a server keeps.
#[derive(Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// Use the PostgreSQL database of the variable DATABASE_URL, as a server with --postgres does
    #[arg(long, global = true)]
    postgres: bool,
}

impl DatabaseArgs {
    /// Returns the database; none for files.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, String> {
        match self.postgres {
            true => address(DATABASE_URL, std::env::var(DATABASE_URL).ok()).map(Some),
            false => Ok(None),
        }
    }
}

/// Parses the address of a database. No message contains it, since it may contain a password.
pub(crate) fn address(name: &str, given: Option<String>) -> Result<Settings, String> {
    let expected = "expected postgres://USER:PASSWORD@HOST/DATABASE";
    let given = given.filter(|given| !given.is_empty()).ok_or_else(|| format!("{name}: missing; {expected}"))?;
    given.parse().map_err(|error| format!("{name}: {error}"))
}
