//! `cargo xtask serve`: builds everything, then serves a business on this machine.

use crate::build;
use crate::groups::Groups;
use crate::launch;
use anyhow::Result;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Build the component and the server, then serve a business on this machine: `fixtures/businesses/solobase`, or what the arguments
/// say.
///
/// Takes about five minutes on two cores the first time, and seconds afterwards. The server has a local Stripe with checkout
/// pages, and local providers; everything that it keeps is in `./data`. Ctrl-C stops it.
///
/// The arguments go to `provisioner serve` as they are; `cargo xtask serve -- --help` lists them.
#[derive(clap::Args)]
pub struct Options {
    /// The folder of a business, and options of `provisioner serve`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// Runs the command.
pub fn run(options: &Options) -> ExitCode {
    launch::exit(serve(options))
}

fn serve(options: &Options) -> Result<u8> {
    let mut groups = Groups::default();
    let built = groups.run("build", || build::both(&build::serving_host()));
    eprint!("{}", groups.summary());
    let (component, host) = built?;
    let mut serve = Command::new(host);
    serve.arg("serve");
    launch::with(serve, &component, &options.args, |command| {
        command.arg(component_builder::workspace_root().join("fixtures/businesses/solobase")).arg("--local");
    })
}
