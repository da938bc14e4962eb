//! The command line: parses options, prints reports and sets the exit code. Every command calls a library.

mod api;
mod bundle;
mod check;
mod check_wit;
mod compare;
mod configured;
mod coverage;
mod database;
mod drift;
mod estimate;
mod exit;
mod explore;
mod export;
mod inspect;
mod keys;
mod location;
mod migrate;
mod moving;
mod new;
mod outbox;
mod plan;
mod profile;
mod replay;
mod schema;
mod secrets;
mod serve;
mod simulate;
mod span;
mod store;
mod tables;
mod users;
mod verify;
mod world;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs SaaS businesses: events in, decisions by a WASM component, effects out.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Examples:
  provisioner new my-business                 make the folder of a business that sells
  provisioner serve my-business --local       serve a business on this machine, with a local Stripe
  provisioner api my-business                 list the routes of its HTTP API, or write a client
  provisioner check my-business               check a catalog and its scenarios for mistakes
  provisioner replay fixtures                 play every scenario and print a table
  provisioner replay --format json log.jsonl  replay recorded events, one JSON line per event
  provisioner explore my-business             play other orders, failures and crashes
  provisioner coverage fixtures               report decisions that no scenario reaches
  provisioner profile --svg p.svg fixtures    report and draw where the component's fuel goes
  provisioner compare old.wasm new.wasm my-business   report different decisions
  provisioner export user:A --store x.db      write an account's recording as a scenario
  provisioner plan my.yml                     list what a scenario would make, change and destroy
  provisioner drift --store x.db --providers local --world w   compare the record with the providers
  provisioner tables my-business --store sqlite:data/store.db   make the views of its tables.yml
  provisioner verify --store data/store.db    compare the store's money with Stripe
  provisioner bundle my-business              prepare a business for a block on a Solobase platform
  provisioner outbox --solobase URL --providers stripe   carry out the effects of that block
  provisioner migrate --from sqlite:data/store.db --to env:DATABASE_URL   copy a store into PostgreSQL
  provisioner secrets put --world w shop/test/user:A db < file   store a secret for an account
  provisioner check-wit old.wit new.wit       check whether older components still run
  provisioner inspect my-extension.wasm       check whether this host can load a component
  provisioner schema scenario                 print the JSON Schema of scenarios, for editors
  provisioner simulate solobase               simulate a year of customers and check it

Exit codes: 0 success, 1 a failed expectation or an event without outcome, 2 bad usage or input.";

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
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
    Serve(Box<serve::Args>),
    Migrate(migrate::Args),
    Bundle(bundle::Args),
    Outbox(Box<outbox::Args>),
    Import(moving::Args),
    Api(api::Args),
    Keys(keys::Args),
    Users(users::Args),
    Tables(tables::Args),
    Verify(verify::Args),
    Secrets(secrets::Args),
    Stripe(Box<local_stripe::cli::StripeArgs>),
    Simulate(Box<simulate::Args>),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::New(args) => new::run(&args),
        Command::Replay(args) => replay::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Drift(args) => drift::run(&args),
        Command::CheckWit(args) => check_wit::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Outbox(args) => outbox::run(&args),
        Command::Import(args) => moving::import(&args),
        Command::Api(args) => api::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Users(args) => users::run(&args),
        Command::Tables(args) => tables::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Secrets(args) => secrets::run(&args),
        Command::Stripe(args) => local_stripe::cli::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    result.unwrap_or_else(|error| exit::failed(&error))
}
