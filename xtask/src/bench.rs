//! `cargo xtask bench`: measures the cost of an event on this machine and prints it next to the targets.

use crate::build;
use crate::groups::Groups;
use crate::process;
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Build the component and the measuring program for release, then measure and print the table.
///
/// The arguments are passed to the measuring program; `cargo xtask bench -- --help` lists them (`--quick`,
/// `--format json`, `--only event`, `--without-peers`). The figures are reliable only if nothing else runs on the machine. With
/// `--profile`, print the time of each function of the component, and write a flamegraph.
#[derive(clap::Args)]
pub struct Options {
    /// Options of the measuring program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
///
/// Fails if a build or the measuring program fails.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let is_profile = options.args.iter().any(|arg| arg.to_string_lossy().starts_with("--profile"));
    let component = groups.run("component", if is_profile { build::named_component } else { build::component })?;
    let (program, server) = groups.run("programs", build::bench)?;
    groups.run("bench", || process::run(command(&program, &server, &component).args(&options.args)))?;
    // The summary goes to standard error, so that standard output contains only the JSON of `--format json`.
    eprint!("{}", groups.summary());
    Ok(())
}

/// Returns the command that measures with this measuring program, server and component.
pub(crate) fn command(program: &Path, server: &Path, component: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(component_builder::workspace_root()).arg("--component").arg(component);
    command.arg("--disk").arg(build::target_folder()).arg("--server").arg(server);
    command
}
