//! `provisioner outbox --solobase URL`.

use crate::exit::ended;
use crate::world::WorldArgs;
use clap::{Args as ClapArgs, Parser};
use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::report::printable;
use host_scenario::error::ReplayError;
use host_worker::{Block, Worker};
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// The variable with the service key of a block.
const KEY: &str = "SOLOBASE_SERVICE_KEY";
/// Longest wait between two rounds, in milliseconds. New effects are noticed after that time at the latest.
const WAIT_MAX_MS: i64 = 2_000;
/// Longest wait after a failed round, in milliseconds.
const WAIT_FAILED_MAX_MS: u64 = 60_000;

/// The block of a command.
#[derive(Debug, ClapArgs)]
pub(crate) struct BlockArgs {
    /// The address of the block's route on a Solobase platform, as https://example.com/b/provisioner; the variable
    /// SOLOBASE_SERVICE_KEY has the block's service key
    #[arg(long, value_name = "URL")]
    solobase: Option<String>,
}

impl BlockArgs {
    /// Returns the block given on the command line.
    pub(crate) fn block(&self) -> Result<Option<Block>, String> {
        let Some(url) = &self.solobase else { return Ok(None) };
        let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| format!("the variable `{KEY}` is missing; expected the block's service key"))?;
        Block::new(url, key).map(Some).map_err(|error| format!("--solobase: {error}"))
    }
}

/// Carry out the effects of a block on a Solobase platform
///
/// The block decides and stores; this program takes the effects that are due, calls the providers, and reports back. It also lets the
/// block do what is due at a time, such as the end of a grace period. Run one, and let a supervisor start it again.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    block: BlockArgs,

    /// The name of this worker: the same after each start, and no other worker of the block may have it
    #[arg(long, value_name = "NAME", default_value = "outbox")]
    owner: String,

    #[command(flatten)]
    world: WorldArgs,

    /// End when nothing is due
    #[arg(long)]
    once: bool,
}

const AFTER_HELP: &str = "Example:
  SOLOBASE_SERVICE_KEY=… provisioner outbox --solobase https://example.com/b/provisioner \\
    --providers stripe,aws,smtp --provider-settings providers.yml

Exit codes: 0 nothing is due (--once), 1 the block failed or did not take an answer (--once), 2 bad usage or input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let block = match args.block.block() {
        Ok(Some(block)) => block,
        Ok(None) => return usage("expected --solobase URL".to_owned()),
        Err(problem) => return usage(problem),
    };
    let Some((_, opened)) = args.world.open()? else {
        return usage(
            "no providers selected; expected --providers NAME,… with the providers that carry out the effects"
                .to_owned(),
        );
    };
    let mut worker = Worker::new(block, opened.registry.clone(), &args.owner);
    let (mut failed_ms, mut all_reported) = (1_000, true);
    loop {
        match worker.round() {
            Ok(round) => {
                failed_ms = 1_000;
                let mut out = io::stdout().lock();
                for (call, outcome) in &round.calls {
                    writeln!(out, "{outcome}: {}", printable(call))?;
                }
                out.flush()?;
                for (call, reason) in &round.unreported {
                    eprintln!(
                        "warning: the block did not take the answer of {}: {}",
                        printable(call),
                        printable(reason)
                    );
                }
                all_reported &= round.unreported.is_empty();
                if round.more || !round.calls.is_empty() {
                    continue;
                }
                if args.once {
                    return Ok(if all_reported { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) });
                }
                thread::sleep(Duration::from_millis(wait_ms(round.next)));
            }
            Err(error) if error.is_transient() && !args.once => {
                eprintln!("warning: {}", printable(&error.to_string()));
                thread::sleep(Duration::from_millis(failed_ms));
                failed_ms = (failed_ms * 2).min(WAIT_FAILED_MAX_MS);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the milliseconds until the next round.
fn wait_ms(next: Option<i64>) -> u64 {
    let now = host_engine::clock::Clock::system().latest();
    let until = next.map_or(WAIT_MAX_MS, |next| next.saturating_sub(now));
    u64::try_from(until.clamp(50, WAIT_MAX_MS)).unwrap_or(50)
}
