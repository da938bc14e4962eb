//! `provisioner plan [OPTIONS] SCENARIO`.

use crate::world::open_local_stripe;
use anyhow::Context;
use clap::Parser;
use host_replay::command::ExtensionArgs;
use host_replay::command::SourceArgs;
use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::library::stories;
use host_replay::live::PATIENCE;
use host_replay::plan::{human, json, plan};
use host_replay::play::PlayOptions;
use host_replay::report::printable;
use host_replay::runners::Workload;
use host_scenario::error::ReplayError;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Report what a scenario would make, change and destroy, without doing it
///
/// Plays the scenario with the scripted provider and lists its calls in order, with the step that causes them: + makes
/// a resource, ~ changes one, with each setting before and after, - destroys one, > is any other call. A scenario with
/// `at_stripe` steps is played with a local Stripe.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A scenario (.yml)
    #[arg(value_name = "SCENARIO")]
    path: PathBuf,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// The report format; json prints one line per call, then a summary
    #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner plan my.yml                        list the calls
  provisioner plan --format json my.yml | jq 'select(.do == \"make\")'
  provisioner replay --providers local my.yml    make the resources on this machine

Exit codes: 0 planned, 1 the scenario fails (see `replay`), 2 bad usage or input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    crate::exit::ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let runners = args.extension.runners(false, Workload::Scenarios)?;
    let stories = stories(std::slice::from_ref(&args.path), args.source.sources(), &runners)?;
    let [story] = stories.as_slice() else {
        let problem = format!("found {} scenarios; expected one", stories.len());
        return Ok(refuse(&ReplayError::Usage(problem)));
    };
    let Some(case) = story.cases.first() else {
        return Ok(refuse(&ReplayError::Usage("the scenario has no API version to play".to_owned())));
    };
    let live = if story.scenario.has_stripe_steps() { Some(open_local_stripe(PATIENCE)?) } else { None };
    let options = PlayOptions { live, ..PlayOptions::new(runners) };
    let (planned, report) = plan(&story.scenario, case, &story.business, &options)?;
    let text = match args.format {
        Format::Json => json(&planned),
        _ => human(&planned),
    };
    io::stdout().write_all(text.as_bytes()).context("the plan can't be written")?;
    if report.held() {
        return Ok(ExitCode::SUCCESS);
    }
    for failure in &report.failures {
        eprintln!("failed: {}", printable(&format!("line {}: {}", failure.line, failure.title)));
    }
    Ok(ExitCode::from(EXIT_FAILED))
}
