//! `cargo xtask replay`: build everything, then replay.

use crate::build;
use crate::groups::Groups;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

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

/// Exit code of a chore that could not be done; 1 is the replay's own.
const CANNOT_RUN: u8 = 2;

/// Run the chore.
pub fn run(options: &Options) -> ExitCode {
    let mut groups = Groups::default();
    let code = replay(options, &mut groups);
    // On the error stream, so that what `--format json` prints stays alone on the other.
    eprint!("{}", groups.summary());
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn replay(options: &Options, groups: &mut Groups) -> Result<u8> {
    let (component, host) = groups.run("build", || build::both(&build::lean_host()))?;
    groups.run("replay", || {
        let mut command = Command::new(&host);
        command.arg("replay");
        let chosen = |arg: &OsString| arg == "--native" || arg.to_string_lossy().starts_with("--component");
        if !options.args.iter().any(chosen) {
            command.arg("--component").arg(&component);
        }
        if options.args.is_empty() {
            command.current_dir(component_builder::workspace_root()).arg("fixtures");
        } else {
            command.args(&options.args);
        }
        let status = command.status().with_context(|| format!("cannot run {}", host.display()))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(CANNOT_RUN))
    })
}
