//! `cargo xtask bench`: what an event costs, on this machine, beside what it is to cost.

use crate::build;
use crate::groups::Groups;
use crate::process;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

/// Build the component and the measuring program for release, then measure and print the table.
///
/// The arguments go to the program as they are; `cargo xtask bench -- --help` lists them (`--quick`, `--format json`,
/// `--only event`). Figures mean little while something else runs on the machine. With `--profile` it shows where the
/// component's time goes, by the names of its functions, and writes a flamegraph.
#[derive(clap::Args)]
pub struct Options {
    /// Options of the measuring program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Run the chore.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let is_profile = options.args.iter().any(|arg| arg.to_string_lossy().starts_with("--profile"));
    let component = groups.run("component", if is_profile { build::named_component } else { build::component })?;
    let program = groups.run("program", build::bench)?;
    groups.run("bench", || {
        let mut command = Command::new(&program);
        command.current_dir(component_builder::workspace_root()).arg("--component").arg(&component);
        process::run(command.arg("--disk").arg(build::target_folder()).args(&options.args))
    })?;
    // On the error stream, so that what `--format json` prints stays alone on the other.
    eprint!("{}", groups.summary());
    Ok(())
}
