//! `provisioner bundle BUSINESS`.

use crate::exit::ended;
use clap::Parser;
use host_business::Setup;
use host_business::bundle::{self, plain_secrets};
use host_replay::command::ExtensionArgs;
use host_replay::command::refuse;
use host_replay::runners::Workload;
use host_run::config::catalog_faults;
use host_scenario::business::BusinessFolder;
use host_scenario::error::{Mistakes, ReplayError};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Prepare a business for a block on a Solobase platform
///
/// The block cannot read a folder. This prints the whole business as one JSON text, after all checks of the folder and its catalog: it is
/// the value of the configuration key EXTENSIONS__INSTANCE_PROVISIONER__BUSINESS. A secret must be a reference in it, as
/// secret:config/KEY; the value of a secret is refused.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder of the business, with catalog.yml
    #[arg(value_name = "BUSINESS")]
    business: PathBuf,

    /// Use live mode: real money
    #[arg(long)]
    live: bool,

    /// A configuration value that overrides config.yml; repeatable
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,

    #[command(flatten)]
    extension: ExtensionArgs,

    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const AFTER_HELP: &str = "Example:
  provisioner bundle my-business --config cdn_zone_id=Z1 -o business.json

Exit codes: 0 written, 1 the file can't be written, 2 bad usage or input.";

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let setup = match checked(args) {
        Ok(setup) => setup,
        Err(error) => return Ok(refuse(&error)),
    };
    let text = serde_json::to_string(&bundle::of(&setup))? + "\n";
    match &args.output {
        Some(file) => std::fs::write(file, text)?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the folder, checks it for secrets, and lets the extension check the catalog.
fn checked(args: &Args) -> Result<Setup, ReplayError> {
    let folder = BusinessFolder::load(&args.business)?;
    let runner = args.extension.runners(false, Workload::Scenarios)?.make()?;
    let setup = Setup::new(folder, args.live, &args.config, None);
    let plain = plain_secrets(&setup, runner.declarations());
    if !plain.is_empty() {
        let problem = |key: &String| {
            format!(
                "configuration key `{key}` is a secret; expected no value, or a reference such as `secret:config/{key}`"
            )
        };
        return Err(ReplayError::Usage(plain.iter().map(problem).collect::<Vec<_>>().join("; ")));
    }
    match catalog_faults(&setup, runner) {
        mistakes if mistakes.is_empty() => Ok(setup),
        mistakes => Err(Mistakes(mistakes).into()),
    }
}
