//! `provisioner replay [OPTIONS] PATH…`.

use crate::exit::ended;
use crate::world::{WorldArgs, stripe_of_scenario};
use clap::Parser;
use host_replay::command::{Format, ReplayArgs};
use std::io;
use std::process::ExitCode;

/// Replay scenarios and recorded events
///
/// Inputs are scenarios (.yml), raw Stripe events, product events and commands (JSON, one per line or one per file),
/// folders of them, or - for standard input. All files are checked before the first event is applied.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    replay: ReplayArgs,

    /// Play every scenario with a local Stripe of its own: `stripe` effects and `at_stripe` steps call its API, and it
    /// sends signed webhooks. Without this option, only scenarios with `at_stripe` steps get one
    #[arg(long, help_heading = "Live providers")]
    local_stripe: bool,

    #[command(flatten)]
    world: WorldArgs,
}

const AFTER_HELP: &str = "Examples:
  provisioner replay fixtures/businesses/solobase         every scenario of a business
  provisioner replay --bless my.yml                       accept the state as the new snapshot
  provisioner replay --shuffle 7 fixtures                 the same scenarios in another order
  provisioner replay --format json --business solobase - < log.jsonl
  provisioner replay --format github fixtures             annotations at failed expectations
  provisioner replay --providers local --keep my.yml      make the resources on this machine
  provisioner replay --local-stripe --providers local --keep examples/checkout.yml   a whole checkout
  provisioner replay --until 2026-02-01T00:00:00Z log.jsonl

Exit codes: 0 success, also of scenarios that are known to fail or need scripted answers; 1 a failed
expectation or an event without outcome; 2 bad usage or input.";

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    ended(try_run(&args), args.replay.format == Format::Github)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    // Only one input can use providers that keep their resources; otherwise each scenario gets its own local Stripe.
    let is_single = matches!(args.replay.paths.as_slice(), [path] if !path.is_dir());
    let opened = match args.world.has_providers() || (args.local_stripe && is_single) {
        true => args.world.open_for(args.replay.store.as_deref(), args.local_stripe)?,
        false => None,
    };
    let live = opened.as_ref().map(|(live, _)| live.clone());
    let code = args.replay.replay(live, stripe_of_scenario(args.local_stripe, args.world.patience()))?;
    if let Some((_, opened)) = &opened {
        match args.replay.format {
            Format::Human => args.world.end(opened, &mut io::stdout())?,
            // Standard output is for programs, so the providers' report goes to standard error.
            Format::Json | Format::Junit | Format::Github => args.world.end(opened, &mut io::stderr())?,
        }
    }
    Ok(code)
}
