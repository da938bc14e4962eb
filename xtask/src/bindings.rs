//! `cargo xtask bindings`: writes the generated bindings.

use crate::process;
use anyhow::Result;

/// Generate `generated/guest.rs` and `generated/host.rs` from wit/products.wit.
///
/// Run it after a change of the WIT file and commit the result. A test fails while the files are out of date.
#[derive(clap::Args)]
pub struct Options {}

/// Runs the command.
///
/// # Errors
///
/// Fails if the generator does not compile or does not accept the WIT file.
pub fn run(_: &Options) -> Result<()> {
    process::run(&mut process::cargo(["run", "--quiet", "--package", "bindings"]))
}
