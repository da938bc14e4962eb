//! `provisioner simulate [OPTIONS] [BUSINESS]`.

use crate::estimate::{DAY_OF_CUSTOMER, Estimate, times};
use anyhow::Context;
use clap::Parser;
use host_replay::command::ExtensionArgs;
use host_replay::command::bar_of;
use host_replay::command::{EXIT_BAD_INPUT, EXIT_FAILED, refuse};
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::report::printable;
use host_replay::runners::Workload;
use host_scenario::business::{BusinessFolder, Fixtures};
use host_scenario::error::ReplayError;
use host_simulate::report;
use host_simulate::simulate::{Options, SimulateError, simulate};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Simulate months of a whole business and check them with an oracle
///
/// At random, customers subscribe, change plans, fail to pay, cancel, use, buy, get refunds and dispute, each at a
/// local Stripe on one clock. The host receives the events in any order, some of them twice or days late; providers
/// and Stripe's API fail, and hosts are killed at a write. Each simulated day, an oracle that shares no code with the
/// extension compares money, shares, entitlements, subscriptions, credits, tokens and instances with the catalog and
/// with Stripe's objects and balance transactions.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The business: its name in the fixtures, or a folder with catalog.yml [default: the business of the fixtures]
    #[arg(value_name = "BUSINESS")]
    business: Option<String>,

    /// The fixtures folder [default: found above the working folder or the program]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,

    /// The number of customers
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    customers: u32,

    /// Simulate only the customers who share a host with the customer of this number; their days are the same as in the
    /// full run
    #[arg(long, value_name = "NUMBER")]
    only: Option<u32>,

    /// The number of days
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,

    /// The seed: the same seed gives the same days [default: random, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Begin no further day after this time: 60s, 10m, 2h
    #[arg(long, value_name = "SPAN", value_parser = crate::span::parse)]
    budget: Option<Duration>,

    /// The number of threads [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,

    /// Write the days of each customer with a difference into this folder, as a scenario for `provisioner replay`
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// The report format; json prints one line per difference, then a summary
    #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner simulate                                     the default business, 200 customers, 90 days
  provisioner simulate my-business --customers 200 --days 60
  provisioner simulate solobase --budget 60s --native      a minute, without a component
  provisioner simulate solobase --seed 7 --write broken    write differences as failing scenarios

A difference is reported with the day, the account, the actual and the expected value, and the
command that repeats it.

Exit codes: 0 no difference, 1 a difference, or the host failed, 2 bad usage or input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(number) = args.only.filter(|number| *number >= args.customers) {
        let problem = format!("--only {number}: expected the number of a customer, below {}", args.customers);
        return Ok(refuse(&ReplayError::Usage(problem)));
    }
    let simulated = options(args).map_err(SimulateError::from).and_then(|options| {
        let bar = bar_of(u64::from(args.customers) * u64::from(args.days), "days of customers");
        if args.only.is_none() {
            estimate(&options).print(&bar);
        }
        let simulated = simulate(&options, &|days| bar.inc(days));
        bar.finish_and_clear();
        Ok((simulated?, options))
    });
    let (simulated, options) = match simulated {
        Ok(simulated) => simulated,
        Err(error) => {
            error.messages().iter().for_each(|message| eprintln!("error: {}", printable(message)));
            return Ok(ExitCode::from(if error.is_bad_input() { EXIT_BAD_INPUT } else { EXIT_FAILED }));
        }
    };
    let extension = args.extension.as_options();
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => report::json(&mut out, &simulated, &options, &extension),
        _ => report::human(&mut out, &simulated, &options, &extension),
    }
    .and_then(|()| out.flush())
    .context("the report can't be written")?;
    Ok(if simulated.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Estimates the time for all days of all customers.
fn estimate(options: &Options) -> Estimate {
    let days = options.customers.saturating_mul(options.days as usize);
    let work = format!("{} customers for {} days", options.customers, options.days);
    Estimate { work, time: times(DAY_OF_CUSTOMER, days.div_ceil(options.jobs.max(1))), budget: options.budget }
}

fn options(args: &Args) -> Result<Options, ReplayError> {
    let folder = business(args)?;
    Ok(Options {
        business: BusinessFolder::load(&folder)?,
        runners: args.extension.runners(false, Workload::ManyEvents)?,
        customers: args.customers as usize,
        only: args.only.map(|number| number as usize),
        days: args.days,
        seed: args.seed.unwrap_or_else(random_seed),
        jobs: args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), |jobs| jobs as usize),
        budget: args.budget,
        write: args.write.clone(),
    })
}

/// Returns the folder of the business.
fn business(args: &Args) -> Result<PathBuf, ReplayError> {
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let starts: Vec<PathBuf> = starts.into_iter().flatten().collect();
    let fixtures = match args.fixtures.clone().or_else(|| Fixtures::find(&starts)) {
        Some(folder) => Fixtures::load(&folder)?,
        None => Fixtures::built_in()?,
    };
    match &args.business {
        Some(name) => fixtures.business(name),
        None => fixtures.business_default()?.ok_or_else(|| {
            ReplayError::Usage(
                "no default business in the fixtures: give BUSINESS, such as a folder with catalog.yml".to_owned(),
            )
        }),
    }
}

/// Returns a seed from the current time.
fn random_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() % 100_000)
}
