//! Which store does a command use? A SQLite file, or a PostgreSQL database.

use host_config::{Database, Environment, ServerConfig};
use host_store_postgres::Settings;

/// The variable with the address of the database.
const DATABASE_URL: &str = "DATABASE_URL";

/// Returns the database of a server: that of the environment if the command line asks for it, or that of the configuration; none for
/// a file. No message has the address, which may have a password.
pub(crate) fn database(
    is_asked: bool,
    file: Option<&ServerConfig>,
    environment: &Environment,
) -> Result<Option<Settings>, String> {
    let (name, address) = match file.map(|file| &file.database) {
        Some(Database::Postgresql { url }) if !is_asked => {
            ("database.url", url.as_ref().map(|url| url.value.expose().to_owned()))
        }
        _ if is_asked => (DATABASE_URL, environment.get(DATABASE_URL).map(str::to_owned)),
        _ => return Ok(None),
    };
    let expected = "expected postgres://USER:PASSWORD@HOST/DATABASE";
    let address =
        address.filter(|address| !address.is_empty()).ok_or_else(|| format!("{name}: missing; {expected}"))?;
    address.parse().map(Some).map_err(|error| format!("{name}: {error}"))
}
