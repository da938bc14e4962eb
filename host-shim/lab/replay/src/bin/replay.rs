//! Replays scenarios and recorded events with as few dependencies as possible. `cargo xtask replay` compiles this program instead of
//! `provisioner`, whose command `replay` also supports live providers and a local Stripe.

use clap::Parser;
use host_replay::command::{ReplayArgs, refuse};
use host_replay::live::StripeOfScenario;
use host_scenario::error::ReplayError;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Replay scenarios and recorded events
///
/// Inputs are scenarios (.yml), raw Stripe events, product events and commands (JSON, one per line or one per file),
/// folders of them, or - for standard input. All files are checked before the first event is applied.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 100)]
struct Args {
    #[command(flatten)]
    replay: ReplayArgs,
}

const AFTER_HELP: &str = "Examples:
  replay fixtures/businesses/solobase  every scenario of a business
  replay --bless my.yml                accept the state as the new snapshot
  replay --shuffle 7 fixtures          the same scenarios in another order
  replay --format json --business solobase - < log.jsonl

This program has no live providers and no local Stripe; `cargo xtask build` makes dist/provisioner with every
command and provider.

Exit codes: 0 success, also of scenarios that are known to fail or need scripted answers; 1 a failed
expectation or an event without outcome; 2 bad usage or input.";

fn main() -> ExitCode {
    let no_stripe = || {
        Err(ReplayError::Usage(
            "`at_stripe` steps need a local Stripe: `cargo xtask build` makes dist/provisioner, which has one"
                .to_owned(),
        ))
    };
    let stripe = StripeOfScenario::new(false, no_stripe);
    Args::parse().replay.replay(None, stripe).unwrap_or_else(|error| refuse(&error))
}
