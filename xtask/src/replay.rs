//! `cargo xtask replay`: build everything, then replay.

use crate::build;
use crate::groups::Groups;
use crate::launch;
use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

/// Build the component and the host, then replay: all fixtures, or what the arguments say.
///
/// Takes about four minutes on two cores the first time, and seconds afterwards. It leaves the component and the host in `dist`; that
/// host has the commands `replay`, `check`, `inspect`, `plan` and `schema`, and `cargo xtask build` makes the full one.
///
/// The arguments go to `host-shim replay` as they are; `cargo xtask replay -- --help` lists them. The exit code is its
/// own: 0 all held, 1 an expectation failed, 2 bad usage or input.
#[derive(clap::Args)]
pub struct Options {
    /// Options and paths of `host-shim replay`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Run the chore.
pub fn run(options: &Options) -> ExitCode {
    let mut groups = Groups::default();
    let code = replay(options, &mut groups);
    // On the error stream, so that what `--format json` prints stays alone on the other.
    eprint!("{}", groups.summary());
    launch::exit(code)
}

fn replay(options: &Options, groups: &mut Groups) -> Result<u8> {
    let (component, host) = groups.run("build", || build::both(&build::lean_host()))?;
    groups.run("replay", || {
        launch::host(&host, &component, "replay", &options.args, |command| {
            command.current_dir(component_builder::workspace_root()).arg("fixtures");
        })
    })
}
