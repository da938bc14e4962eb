//! Chooses the store of a server: a SQLite file or a PostgreSQL database.

use crate::database::{DATABASE_URL, address};
use host_run::config::{Database, Environment, ServerConfig};
use host_store_postgres::Settings;

/// Returns the database of a server: from the environment if the command line asks for it, otherwise from the
/// configuration; none for a file. No message contains the address, which may contain a password.
pub(crate) fn database(
    is_asked: bool,
    file: Option<&ServerConfig>,
    environment: &Environment,
) -> Result<Option<Settings>, String> {
    let (name, given) = match file.map(|file| &file.database) {
        Some(Database::Postgresql { url }) if !is_asked => {
            ("database.url", url.as_ref().map(|url| url.value.expose().to_owned()))
        }
        _ if is_asked => (DATABASE_URL, environment.get(DATABASE_URL).map(str::to_owned)),
        _ => return Ok(None),
    };
    address(name, given).map(Some)
}
