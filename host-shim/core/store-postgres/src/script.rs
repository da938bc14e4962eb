//! Runs SQL that another crate writes, such as the views of a business.

use crate::settings::{OpenError, Settings};
use crate::wire::Wire;

/// Runs a script over a connection of its own, with the store's tables in the search path. A script that fails within its own
/// transaction changes nothing.
///
/// # Errors
/// Fails if the database cannot be reached, or refuses a statement.
pub fn run_script(settings: &Settings, script: &str) -> Result<(), OpenError> {
    Ok(Wire::connect(settings.clone())?.execute(script)?)
}
