//! `cargo xtask serve`: build everything, then serve a business on this machine.

use crate::build;
use crate::groups::Groups;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Build the component and the server, then serve a business on this machine: `fixtures/solobase`, or what the arguments say.
///
/// Takes about five minutes on two cores the first time, and seconds afterwards. The server has a local Stripe with checkout
/// pages, and local providers; everything that it keeps is in `./data`. Ctrl-C stops it.
///
/// The arguments go to `host-shim serve` as they are; `cargo xtask serve -- --help` lists them.
#[derive(clap::Args)]
pub struct Options {
    /// The folder of a business, and options of `host-shim serve`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Exit code of a chore that could not be done; 1 is the server's own.
const CANNOT_RUN: u8 = 2;

/// Runs the chore.
pub fn run(options: &Options) -> ExitCode {
    match serve(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn serve(options: &Options) -> Result<u8> {
    let mut groups = Groups::default();
    let built = groups.run("build", || build::both(&build::serving_host()));
    eprint!("{}", groups.summary());
    let (component, host) = built?;
    let mut command = Command::new(&host);
    command.arg("serve");
    let chosen = |arg: &OsString| arg == "--native" || arg.to_string_lossy().starts_with("--component");
    if !options.args.iter().any(chosen) {
        command.arg("--component").arg(&component);
    }
    if options.args.is_empty() {
        command.arg(component_builder::workspace_root().join("fixtures/solobase")).arg("--local");
    } else {
        command.args(&options.args);
    }
    let status = command.status().with_context(|| format!("cannot run {}", host.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(CANNOT_RUN))
}
