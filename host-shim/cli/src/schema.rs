//! `host-shim schema NAME`.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_scenario::schema::{BUSINESS, CATALOG, SCENARIO};
use std::io::Write;
use std::process::ExitCode;

/// Print the JSON Schema of a file format, for editors
///
/// An editor that knows the schema (JSON Schema 2020-12) of a YAML file completes names, shows what they mean and marks
/// what is wrong while it is written. `host-shim check` finds more: what a catalog or a Stripe body doesn't have.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The format
    #[arg(value_enum, value_name = "NAME")]
    name: Name,
}

const AFTER_HELP: &str = "Examples:
  host-shim schema scenario > scenario.json
  host-shim schema catalog > catalog.json

Then name the file in the editor's settings, or in the first line of a scenario or catalog:
  # yaml-language-server: $schema=../scenario.json";

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// A scenario (.yml)
    Scenario,
    /// What a business sells (catalog.yml), as this project's extension reads it
    Catalog,
    /// Who in an organization may what, and what a business has of its own (business.yml)
    Business,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match args.name {
        Name::Scenario => SCENARIO,
        Name::Catalog => CATALOG,
        Name::Business => BUSINESS,
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("the schema can't be written")?;
    Ok(ExitCode::SUCCESS)
}
