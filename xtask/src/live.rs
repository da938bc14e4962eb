//! `cargo xtask live`: plays a story, from a signed checkout to a destroyed instance, on servers that it starts.

use crate::{process, test};
use anyhow::{Context, Result};
use clap::ValueEnum;

/// Play a business's story on real servers, through the component, and show what was called when.
///
/// A plan is bought at a checkout of the local Stripe, which reports the purchase in signed webhooks. The instance is
/// created, suspended, archived, restored and destroyed; after each step, the servers must have the resources that the
/// story expects. This command installs, starts and stops the servers. Stories: `examples`.
#[derive(clap::Args)]
pub struct Options {
    /// Places where the story is played; by default all places.
    #[arg(value_enum)]
    places: Vec<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// Solobase on this machine, its instance opened by a browser.
    Local,
    /// Solobase on moto (AWS) and PostgreSQL, mails to an SMTP server.
    Clouds,
    /// Orchestra at a double of Supabase, its databases on PostgreSQL, also created by a person if Supabase refuses.
    Orchestra,
}

impl Place {
    /// Returns the filter for the names of the place's tests.
    fn tests(self) -> &'static str {
        match self {
            Place::Local => "instance_on_this_machine",
            Place::Clouds => "instance_on_moto",
            Place::Orchestra => "orchestra",
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// Fails if a test fails or does not compile.
pub fn run(options: &Options) -> Result<()> {
    let places = if options.places.is_empty() { Place::value_variants() } else { &options.places };
    let compiled = test::everything()?;
    let program = compiled.tests.iter().find(|program| program.target.name == "clouds");
    let mut command = program.context("cargo built no tests of clouds")?.command();
    command.args(["--nocapture", "--test-threads", "1"]);
    process::run(command.args(places.iter().map(|place| place.tests())))
}
