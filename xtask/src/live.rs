//! `cargo xtask live`: plays a story, from a signed checkout to a destroyed instance, on servers that it starts.

use crate::{process, test};
use anyhow::{Context, Result};
use clap::ValueEnum;

/// Play a business's story on real servers, through the component, and show what was called when; or what operators meet.
///
/// A plan is bought at a checkout of the local Stripe, which reports the purchase in signed webhooks. The instance is
/// created, suspended, archived, restored and destroyed; after each step, the servers must have the resources that the
/// story expects. This command installs, starts and stops the servers. Stories: `examples`.
///
/// `operation` is played only if its name is given, and takes about half an hour: a slow provider, outages, a host that dies, a
/// restored database, and more events at Stripe than one list has.
#[derive(clap::Args)]
pub struct Options {
    /// Places where the story is played, or `operation`; by default all places.
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
    /// Solobase with a service that is slow, down or counts its calls.
    Operation,
}

impl Place {
    /// Returns the filter for the names of this place's tests.
    fn tests(self) -> &'static str {
        match self {
            Place::Local => "instance_on_this_machine",
            Place::Clouds => "instance_on_moto",
            Place::Orchestra => "orchestra",
            Place::Operation => "serve::operation::",
        }
    }

    /// Returns the test program of this place.
    fn program(self) -> &'static str {
        if self == Place::Operation { "cli" } else { "clouds" }
    }
}

/// Runs the command.
///
/// # Errors
///
/// Fails if a test fails or does not compile.
pub fn run(options: &Options) -> Result<()> {
    let stories = [Place::Local, Place::Clouds, Place::Orchestra];
    let places = if options.places.is_empty() { &stories[..] } else { &options.places };
    let compiled = test::compile(test::Extent::Whole)?;
    for name in ["clouds", "cli"] {
        let mut of_program =
            places.iter().filter(|place| place.program() == name).map(|place| place.tests()).peekable();
        if of_program.peek().is_none() {
            continue;
        }
        let program = compiled.tests.iter().find(|program| program.target.name == name);
        let mut command = program.with_context(|| format!("cargo built no tests of {name}"))?.command();
        command.args(["--nocapture", "--include-ignored", "--test-threads", "1"]);
        process::run(command.args(of_program))?;
    }
    Ok(())
}
