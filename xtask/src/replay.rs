//! `cargo xtask replay`: builds everything, then replays.

use crate::build;
use crate::groups::Groups;
use crate::launch;
use anyhow::Result;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// The folders whose scenarios need nothing apart from a host: the fixtures, and those of the examples. The scenarios in their `at-stripe`
/// folders are played against a local Stripe.
pub const PLAYED: [&str; 7] = [
    "fixtures",
    "examples/credits/scenarios",
    "examples/database-per-customer/scenarios",
    "examples/downloads/scenarios",
    "examples/per-seat/scenarios",
    "examples/podcasts/scenarios",
    "examples/usage/scenarios",
];

/// Build the component and a program that replays, then replay: all fixtures and the businesses of the examples, or what the arguments say.
///
/// Takes about four minutes on two cores the first time, and seconds afterwards. It leaves the component and the program `replay` in
/// `dist`; `cargo xtask build` makes the host, which also serves.
///
/// The arguments go to `replay` as they are; `cargo xtask replay -- --help` lists them. The exit code is its
/// own: 0 all held, 1 an expectation failed, 2 bad usage or input.
#[derive(clap::Args)]
pub struct Options {
    /// Options and paths of `replay`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Runs the command.
pub fn run(options: &Options) -> ExitCode {
    let mut groups = Groups::default();
    let code = replay(options, &mut groups);
    // On standard error, so that standard output contains only what `--format json` prints.
    eprint!("{}", groups.summary());
    launch::exit(code)
}

fn replay(options: &Options, groups: &mut Groups) -> Result<u8> {
    let (component, replayer) = groups.run("build", || build::both(&build::replayer()))?;
    groups.run("replay", || {
        launch::with(Command::new(replayer), &component, &options.args, |command| {
            command.current_dir(component_builder::workspace_root()).args(PLAYED);
        })
    })
}
