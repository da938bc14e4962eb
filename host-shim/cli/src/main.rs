//! The command line: options in, report out, exit code. Every command is a library call.

mod beside;
mod check;
mod check_wit;
mod compare;
mod coverage;
mod drift;
mod explore;
mod export;
mod extension;
mod format;
mod inspect;
mod plan;
mod profile;
mod progress;
mod replay;
mod schema;
mod secrets;
#[cfg(feature = "stripe")]
mod simulate;
mod source;
mod span;
mod world;

use clap::{Parser, Subcommand};
use host_replay::error::ReplayError;
use host_replay::report::{github, printable};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bad usage or bad input.
pub(crate) const EXIT_BAD_INPUT: u8 = 2;
/// An expectation failed, or the host could not go on.
pub(crate) const EXIT_FAILED: u8 = 1;

/// Runs SaaS businesses: events in, decisions by a WASM component, effects out.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Examples:
  host-shim check my-business               say what is wrong with a catalog and its scenarios
  host-shim replay fixtures                 play every scenario and print a table
  host-shim replay --format json log.jsonl  replay recorded events, one JSON line an event
  host-shim explore my-business             play other orders, failures and crashes, and say which law broke
  host-shim coverage fixtures               say which decisions no scenario reaches
  host-shim profile --svg p.svg fixtures    say where the component's fuel goes, and draw it
  host-shim compare old.wasm new.wasm my-business   say what another component decides otherwise
  host-shim export user:A --store x.db      write an account's story as a scenario
  host-shim plan my.yml                     say what a scenario would make, change and destroy
  host-shim drift --store x.db --providers local --world w   say what the record and the world differ in
  host-shim secrets put --world w shop/test/user:A db < file   keep a secret for an account
  host-shim check-wit old.wit new.wit       say whether components of before still run
  host-shim inspect my-extension.wasm       say whether this host can load a component
  host-shim schema scenario                 print the JSON Schema of scenarios, for editors
  host-shim simulate solobase               let customers live for a year, an oracle beside them (with feature `stripe`)

Exit codes: 0 all held, 1 an expectation failed or an event ended without outcome, 2 bad usage or input.";

#[derive(Debug, Subcommand)]
enum Command {
    Replay(Box<replay::Args>),
    Check(check::Args),
    Explore(Box<explore::Args>),
    Coverage(coverage::Args),
    Profile(Box<profile::Args>),
    Compare(Box<compare::Args>),
    Export(Box<export::Args>),
    Plan(plan::Args),
    Drift(Box<drift::Args>),
    CheckWit(check_wit::Args),
    Inspect(inspect::Args),
    Schema(schema::Args),
    Secrets(secrets::Args),
    #[cfg(feature = "stripe")]
    Stripe(Box<local_stripe::cli::StripeArgs>),
    #[cfg(feature = "stripe")]
    Simulate(Box<simulate::Args>),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Replay(args) => replay::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Drift(args) => drift::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::CheckWit(args) => check_wit::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Secrets(args) => secrets::run(&args),
        #[cfg(feature = "stripe")]
        Command::Stripe(args) => local_stripe::cli::run(&args),
        #[cfg(feature = "stripe")]
        Command::Simulate(args) => simulate::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(EXIT_FAILED)
    })
}

/// Ends a command: what its inputs keep it from is told, with `annotated` as annotations of GitHub Actions as well; any other
/// error goes on.
pub(crate) fn ended(result: anyhow::Result<ExitCode>, annotated: bool) -> anyhow::Result<ExitCode> {
    result.or_else(|error| {
        let known = error.downcast::<ReplayError>()?;
        if let (true, ReplayError::Input(mistakes)) = (annotated, &known) {
            mistakes.iter().for_each(|bad| print!("{}", github::mistake(bad)));
        }
        Ok(refuse(&known))
    })
}

/// Tells why nothing was done, a line a mistake, and gives the exit code.
pub(crate) fn refuse(error: &ReplayError) -> ExitCode {
    for message in error.messages() {
        eprintln!("error: {}", printable(&message));
    }
    ExitCode::from(if error.is_bad_input() { EXIT_BAD_INPUT } else { EXIT_FAILED })
}
