//! Commands and options that this program is built without: each error names the command that builds the full program.

#![allow(dead_code, reason = "which of these are used depends on the features")]

use host_scenario::error::ReplayError;
use std::ffi::OsString;
use std::process::ExitCode;

/// The name of the local Stripe, for the error of [`missing`].
pub(crate) const LOCAL_STRIPE: &str = "the local Stripe of `--local-stripe` and of `at_stripe` steps";

/// The name of the server's configuration, for the error of [`missing`].
pub(crate) const SERVER_CONFIG: &str = "the check of a server's configuration";

/// The name of the server's store, for the error of [`missing`].
pub(crate) const SERVER_STORE: &str = "the check of a server's store";

/// The arguments of a command that is not in this program; they are ignored.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments of the command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    args: Vec<OsString>,
}

impl Args {
    /// Prints which build has the command, and returns exit code 2.
    pub(crate) fn refuse(&self, command: &str) -> anyhow::Result<ExitCode> {
        Ok(crate::exit::refuse(&missing(&format!("the command `{command}`"))))
    }
}

/// Returns the error for a command or option that this program does not have.
pub(crate) fn missing(what: &str) -> ReplayError {
    ReplayError::Usage(format!(
        "{what} is not in this program: `cargo xtask build` makes dist/host-shim with every command and provider"
    ))
}
