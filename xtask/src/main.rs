//! The chores behind the two commands of the README. Each says with `--help` what it does, and does its own set-up:
//! a bare machine needs rustup's cargo and a C compiler.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod build;
mod cargo_component;
mod coverage;
mod groups;
mod live;
mod process;
mod replay;
mod test;
mod tool;

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
    Test(test::Options),
    Live(live::Options),
    Bench(bench::Options),
    Coverage(coverage::Options),
    CargoComponent(cargo_component::Options),
}

fn main() -> ExitCode {
    // Cargo runs this program in the compiler's place where lines are counted.
    if std::env::var_os(coverage::lines::WRAPPER).is_some() {
        return coverage::lines::wrap();
    }
    let done = match Options::parse().chore {
        Chore::Build(options) => build::run(&options),
        Chore::Replay(options) => return replay::run(&options),
        Chore::Test(options) => test::run(&options),
        Chore::Live(options) => live::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Coverage(options) => coverage::run(&options),
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
