//! The command line: parses options, prints reports and sets the exit code. Every command calls a library.

#[cfg(feature = "serve")]
mod api;
#[cfg(feature = "serve")]
mod bundle;
mod check;
#[cfg(feature = "lab")]
mod check_wit;
#[cfg(feature = "lab")]
mod compare;
#[cfg(feature = "serve")]
mod configured;
#[cfg(feature = "lab")]
mod coverage;
#[cfg(feature = "providers")]
mod database;
#[cfg(feature = "providers")]
mod drift;
#[cfg(feature = "lab")]
mod estimate;
mod exit;
#[cfg(feature = "lab")]
mod explore;
#[cfg(feature = "lab")]
mod export;
mod extension;
mod format;
mod inspect;
#[cfg(feature = "serve")]
mod keys;
#[cfg(feature = "providers")]
mod location;
#[cfg(feature = "serve")]
mod migrate;
#[cfg(feature = "serve")]
mod moving;
mod not_built;
#[cfg(feature = "serve")]
mod outbox;
mod plan;
#[cfg(feature = "lab")]
mod profile;
mod progress;
mod replay;
mod schema;
#[cfg(feature = "providers")]
mod secrets;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "lab")]
mod simulate;
mod source;
#[cfg(any(feature = "lab", feature = "serve"))]
mod span;
#[cfg(feature = "serve")]
mod store;
#[cfg(feature = "serve")]
mod tables;
mod terminal;
#[cfg(feature = "serve")]
mod users;
#[cfg(feature = "serve")]
mod verify;
#[cfg_attr(not(feature = "providers"), path = "world/not_built.rs")]
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
  host-shim serve my-business --local       serve a business on this machine, with a local Stripe
  host-shim api my-business                 list the routes of its HTTP API, or write a client
  host-shim check my-business               check a catalog and its scenarios for mistakes
  host-shim replay fixtures                 play every scenario and print a table
  host-shim replay --format json log.jsonl  replay recorded events, one JSON line per event
  host-shim explore my-business             play other orders, failures and crashes
  host-shim coverage fixtures               report decisions that no scenario reaches
  host-shim profile --svg p.svg fixtures    report and draw where the component's fuel goes
  host-shim compare old.wasm new.wasm my-business   report different decisions
  host-shim export user:A --store x.db      write an account's recording as a scenario
  host-shim plan my.yml                     list what a scenario would make, change and destroy
  host-shim drift --store x.db --providers local --world w   compare the record with the providers
  host-shim tables my-business --store sqlite:data/store.db   make the views of its tables.yml
  host-shim verify --store data/store.db    compare the store's money with Stripe
  host-shim bundle my-business              prepare a business for a block on a Solobase platform
  host-shim outbox --solobase URL --providers stripe   carry out the effects of that block
  host-shim migrate --from sqlite:data/store.db --to env:DATABASE_URL   copy a store into PostgreSQL
  host-shim secrets put --world w shop/test/user:A db < file   store a secret for an account
  host-shim check-wit old.wit new.wit       check whether older components still run
  host-shim inspect my-extension.wasm       check whether this host can load a component
  host-shim schema scenario                 print the JSON Schema of scenarios, for editors
  host-shim simulate solobase               simulate a year of customers and check it

Exit codes: 0 success, 1 a failed expectation or an event without outcome, 2 bad usage or input.";

#[derive(Debug, Subcommand)]
enum Command {
    Replay(Box<replay::Args>),
    Check(check::Args),
    #[cfg(feature = "lab")]
    Explore(Box<explore::Args>),
    #[cfg(not(feature = "lab"))]
    /// Play variants of scenarios and report broken laws (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Explore(not_built::Args),
    #[cfg(feature = "lab")]
    Coverage(coverage::Args),
    #[cfg(not(feature = "lab"))]
    /// Report decisions that no scenario reaches (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Coverage(not_built::Args),
    #[cfg(feature = "lab")]
    Profile(Box<profile::Args>),
    #[cfg(not(feature = "lab"))]
    /// Report where the component's fuel goes (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Profile(not_built::Args),
    #[cfg(feature = "lab")]
    Compare(Box<compare::Args>),
    #[cfg(not(feature = "lab"))]
    /// Report what another component decides differently (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Compare(not_built::Args),
    #[cfg(feature = "lab")]
    Export(Box<export::Args>),
    #[cfg(not(feature = "lab"))]
    /// Write the recording of an account as a scenario (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Export(not_built::Args),
    Plan(plan::Args),
    #[cfg(feature = "providers")]
    Drift(Box<drift::Args>),
    #[cfg(not(feature = "providers"))]
    /// Report differences between the record and the providers' resources (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Drift(not_built::Args),
    #[cfg(feature = "lab")]
    CheckWit(check_wit::Args),
    #[cfg(not(feature = "lab"))]
    /// Check whether components built against an older contract still run (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    CheckWit(not_built::Args),
    Inspect(inspect::Args),
    Schema(schema::Args),
    #[cfg(feature = "serve")]
    Serve(Box<serve::Args>),
    #[cfg(not(feature = "serve"))]
    /// Serve a business over HTTP (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Serve(not_built::Args),
    #[cfg(feature = "serve")]
    Migrate(migrate::Args),
    #[cfg(not(feature = "serve"))]
    /// Copy the accounts of a server into another kind of store (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Migrate(not_built::Args),
    #[cfg(feature = "serve")]
    Bundle(bundle::Args),
    #[cfg(not(feature = "serve"))]
    /// Prepare a business for a block on a Solobase platform (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Bundle(not_built::Args),
    #[cfg(feature = "serve")]
    Outbox(Box<outbox::Args>),
    #[cfg(not(feature = "serve"))]
    /// Carry out the effects of a block on a Solobase platform (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Outbox(not_built::Args),
    #[cfg(feature = "serve")]
    Import(moving::Args),
    #[cfg(not(feature = "serve"))]
    /// Read all data into a store or a block (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Import(not_built::Args),
    #[cfg(feature = "serve")]
    Api(api::Args),
    #[cfg(not(feature = "serve"))]
    /// Print a business's HTTP API: routes, OpenAPI, TypeScript (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Api(not_built::Args),
    #[cfg(feature = "serve")]
    Keys(keys::Args),
    #[cfg(not(feature = "serve"))]
    /// Make, list and revoke API keys of a server (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Keys(not_built::Args),
    #[cfg(feature = "serve")]
    Users(users::Args),
    #[cfg(not(feature = "serve"))]
    /// Add users to a server (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Users(not_built::Args),
    #[cfg(feature = "serve")]
    Tables(tables::Args),
    #[cfg(not(feature = "serve"))]
    /// Make or remove the views of a business in its store (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Tables(not_built::Args),
    #[cfg(feature = "serve")]
    Verify(verify::Args),
    #[cfg(not(feature = "serve"))]
    /// Compare subscriptions, invoices, payments, refunds and transfers with Stripe (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Verify(not_built::Args),
    #[cfg(feature = "providers")]
    Secrets(secrets::Args),
    #[cfg(not(feature = "providers"))]
    /// List, store and rotate secrets (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Secrets(not_built::Args),
    #[cfg(feature = "lab")]
    Stripe(Box<local_stripe::cli::StripeArgs>),
    #[cfg(not(feature = "lab"))]
    /// Run a local Stripe (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Stripe(not_built::Args),
    #[cfg(feature = "lab")]
    Simulate(Box<simulate::Args>),
    #[cfg(not(feature = "lab"))]
    /// Simulate a year of a business and check it with an oracle (not in this program: `cargo xtask build`)
    #[command(disable_help_flag = true)]
    Simulate(not_built::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Replay(args) => replay::run(*args),
        Command::Check(args) => check::run(&args),
        #[cfg(feature = "lab")]
        Command::Explore(args) => explore::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Explore(args) => args.refuse("explore"),
        #[cfg(feature = "lab")]
        Command::Coverage(args) => coverage::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Coverage(args) => args.refuse("coverage"),
        #[cfg(feature = "lab")]
        Command::Profile(args) => profile::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Profile(args) => args.refuse("profile"),
        #[cfg(feature = "lab")]
        Command::Compare(args) => compare::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Compare(args) => args.refuse("compare"),
        #[cfg(feature = "lab")]
        Command::Export(args) => export::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Export(args) => args.refuse("export"),
        Command::Plan(args) => plan::run(&args),
        #[cfg(feature = "providers")]
        Command::Drift(args) => drift::run(&args),
        #[cfg(not(feature = "providers"))]
        Command::Drift(args) => args.refuse("drift"),
        #[cfg(feature = "lab")]
        Command::CheckWit(args) => check_wit::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::CheckWit(args) => args.refuse("check-wit"),
        Command::Inspect(args) => inspect::run(&args),
        Command::Schema(args) => schema::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(*args),
        #[cfg(not(feature = "serve"))]
        Command::Serve(args) => args.refuse("serve"),
        #[cfg(feature = "serve")]
        Command::Bundle(args) => bundle::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Bundle(args) => args.refuse("bundle"),
        #[cfg(feature = "serve")]
        Command::Outbox(args) => outbox::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Outbox(args) => args.refuse("outbox"),
        #[cfg(feature = "serve")]
        Command::Import(args) => moving::import(&args),
        #[cfg(not(feature = "serve"))]
        Command::Import(args) => args.refuse("import"),
        #[cfg(feature = "serve")]
        Command::Api(args) => api::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Api(args) => args.refuse("api"),
        #[cfg(feature = "serve")]
        Command::Migrate(args) => migrate::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Migrate(args) => args.refuse("migrate"),
        #[cfg(feature = "serve")]
        Command::Keys(args) => keys::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Keys(args) => args.refuse("keys"),
        #[cfg(feature = "serve")]
        Command::Users(args) => users::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Users(args) => args.refuse("users"),
        #[cfg(feature = "serve")]
        Command::Tables(args) => tables::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Tables(args) => args.refuse("tables"),
        #[cfg(feature = "serve")]
        Command::Verify(args) => verify::run(&args),
        #[cfg(not(feature = "serve"))]
        Command::Verify(args) => args.refuse("verify"),
        #[cfg(feature = "providers")]
        Command::Secrets(args) => secrets::run(&args),
        #[cfg(not(feature = "providers"))]
        Command::Secrets(args) => args.refuse("secrets"),
        #[cfg(feature = "lab")]
        Command::Stripe(args) => local_stripe::cli::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Stripe(args) => args.refuse("stripe"),
        #[cfg(feature = "lab")]
        Command::Simulate(args) => simulate::run(&args),
        #[cfg(not(feature = "lab"))]
        Command::Simulate(args) => args.refuse("simulate"),
    };
    result.unwrap_or_else(|error| exit::failed(&error))
}
