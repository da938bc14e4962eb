//! The command alone, for development: `cargo run -p local-stripe --example local-stripe -- --port 0`.

use std::process::ExitCode;

use clap::Parser;
use local_stripe::cli::{StripeArgs, run};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: StripeArgs,
}

fn main() -> anyhow::Result<ExitCode> {
    run(&Command::parse().args)
}
