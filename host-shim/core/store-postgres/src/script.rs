//! Runs SQL written by another crate, such as the views of a business.

use crate::error::OpenError;
use crate::settings::Settings;
use crate::wire::Wire;
use host_store::{StoreError, Stored};

/// Maximum number of attempts to run a script. Each deadlock lasts a second before PostgreSQL ends it.
const ATTEMPTS: usize = 20;

/// Runs a script over its own connection, with the store's tables in the search path. A script that fails within its own
/// transaction changes nothing.
///
/// # Errors
/// Fails if the database cannot be reached, or refuses a statement.
pub fn run_script(settings: &Settings, script: &str) -> Result<(), OpenError> {
    Ok(Wire::connect(settings.patient())?.execute(script)?)
}

/// Runs a script that creates a schema with a comment, unless a schema with this comment exists. Returns true if it ran.
///
/// # Errors
/// Fails like [`run_script`].
pub fn run_script_unless_made(
    settings: &Settings,
    schema: &str,
    comment: &str,
    script: &str,
) -> Result<bool, OpenError> {
    let mut attempt = 1;
    loop {
        // A script that fails leaves its connection within a transaction, so each attempt has its own.
        let wire = Wire::connect(settings.patient())?;
        match run_unless_made(&wire, schema, comment, script) {
            // The script locks tables that other servers are using, so PostgreSQL may abort one of the two.
            Err(StoreError::Locked(_)) if attempt < ATTEMPTS => attempt += 1,
            result => return Ok(result?),
        }
    }
}

fn run_unless_made(wire: &Wire, schema: &str, comment: &str, script: &str) -> Stored<bool> {
    let sql =
        "SELECT FROM pg_namespace n WHERE n.nspname = $1::text AND obj_description(n.oid, 'pg_namespace') = $2::text";
    if wire.query_one(sql, &[&schema, &comment])?.is_some() {
        return Ok(false);
    }
    wire.execute(script)?;
    Ok(true)
}
