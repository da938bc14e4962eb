//! `cargo xtask coverage`: builds and runs the program `coverage`, which reads the sources.

use crate::process;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

/// List which requirement is covered by which test and scenario, from the last run of `cargo xtask test`.
///
/// With `--lines`, list the lines of the extension that no scenario reaches. `cargo xtask coverage -- --help` lists the
/// options.
#[derive(clap::Args)]
pub struct Options {
    /// Options of the program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
///
/// Fails if the program does not compile or finds a problem.
pub fn run(options: &Options) -> Result<()> {
    process::run(program().args(&options.args))
}

/// Returns the command that builds and runs the program.
pub fn program() -> Command {
    process::cargo(["run", "--quiet", "--package", "xtask", "--features", "coverage", "--bin", "coverage", "--"])
}
