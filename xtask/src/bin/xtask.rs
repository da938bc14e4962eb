//! `cargo xtask`: the commands that build, test and measure this repository. `--help` describes each command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{bench, bindings, build, cargo_component, coverage, keywords, lines, live, mutants, replay, serve, test};

/// The chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Options {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Build(build::Options),
    Replay(replay::Options),
    Serve(serve::Options),
    Test(test::Options),
    Live(live::Options),
    Mutants(mutants::Options),
    Bench(bench::Options),
    Bindings(bindings::Options),
    Coverage(coverage::Options),
    Keywords(keywords::Options),
    Lines(lines::Options),
    CargoComponent(cargo_component::Options),
}

fn main() -> ExitCode {
    let done = match Options::parse().chore {
        Chore::Build(options) => build::run(&options),
        Chore::Replay(options) => return replay::run(&options),
        Chore::Serve(options) => return serve::run(&options),
        Chore::Test(options) => test::run(&options),
        Chore::Live(options) => live::run(&options),
        Chore::Mutants(options) => mutants::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Bindings(options) => bindings::run(&options),
        Chore::Coverage(options) => coverage::run(&options),
        Chore::Keywords(options) => keywords::run(&options),
        Chore::Lines(options) => lines::run(&options),
        Chore::CargoComponent(options) => cargo_component::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
