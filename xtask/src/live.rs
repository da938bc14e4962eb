//! `cargo xtask live`: a story from a signed checkout to a destroyed instance, on servers that it starts itself.

use crate::{process, test};
use anyhow::Result;
use clap::ValueEnum;

/// Play a business's story on real servers, through the component, and show what was called when.
///
/// A plan is bought at a checkout of the local Stripe, which says so in signed webhooks; what it leads to is made, suspended,
/// archived, restored and destroyed, and after each step the other sides have what the story says. The servers are installed
/// and started by this command, and stopped with it. Stories: `examples`.
#[derive(clap::Args)]
pub struct Options {
    /// Where it is played; all of them if none is named.
    #[arg(value_enum)]
    places: Vec<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// Solobase on this machine, its instance opened by a browser.
    Local,
    /// Solobase on moto (AWS) and PostgreSQL, mails to a server of mails.
    Clouds,
    /// Orchestra at a double of Supabase, its databases on PostgreSQL, also made by hand where Supabase refuses.
    Orchestra,
}

impl Place {
    /// What the tests of it are named after.
    fn tests(self) -> &'static str {
        match self {
            Place::Local => "instance_on_this_machine",
            Place::Clouds => "instance_on_moto",
            Place::Orchestra => "orchestra",
        }
    }
}

/// Run the chore.
pub fn run(options: &Options) -> Result<()> {
    let places = if options.places.is_empty() { Place::value_variants() } else { &options.places };
    let mut command = test::with_providers("test");
    command.args(["--test", "clouds", "--", "--nocapture", "--test-threads", "1"]);
    process::run(command.args(places.iter().map(|place| place.tests())))
}
