//! Runs SQL that another crate writes, such as the views of a business.

use crate::settings::{OpenError, Settings};
use crate::wire::Wire;

/// Runs a script over a connection of its own, with the store's tables in the search path. A script that fails within its own
/// transaction changes nothing.
///
/// # Errors
/// Fails if the database cannot be reached, or refuses a statement.
pub fn run_script(settings: &Settings, script: &str) -> Result<(), OpenError> {
    Ok(Wire::connect(settings.patient())?.execute(script)?)
}

/// Runs a script that creates a schema with a comment, unless there is one with this comment. Returns true if it ran.
///
/// # Errors
/// As [`run_script`].
pub fn run_script_unless_made(
    settings: &Settings,
    schema: &str,
    comment: &str,
    script: &str,
) -> Result<bool, OpenError> {
    let wire = Wire::connect(settings.patient())?;
    let sql =
        "SELECT FROM pg_namespace n WHERE n.nspname = $1::text AND obj_description(n.oid, 'pg_namespace') = $2::text";
    if wire.query_one(sql, &[&schema, &comment])?.is_some() {
        return Ok(false);
    }
    wire.execute(script)?;
    Ok(true)
}
