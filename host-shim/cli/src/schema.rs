//! `provisioner schema NAME`.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_scenario::schema::{BUSINESS, CATALOG, ROUTES, SCENARIO, TABLES};
use std::io::Write;
use std::process::ExitCode;

/// Print the JSON Schema of a file format, for editors
///
/// With the schema (JSON Schema 2020-12) of a YAML file, an editor completes names, shows their meaning and marks
/// mistakes. `provisioner check` finds more: names that a catalog or a Stripe body doesn't have.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The format
    #[arg(value_enum, value_name = "NAME")]
    name: Name,
}

const AFTER_HELP: &str = "Examples:
  provisioner schema scenario > scenario.json
  provisioner schema catalog > catalog.json

Then name the file in the editor's settings, or in the first line of a scenario or catalog:
  # yaml-language-server: $schema=../scenario.json";

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// A scenario (.yml)
    Scenario,
    /// The products of a business (catalog.yml), as this project's extension reads it
    Catalog,
    /// Roles in organizations, and the business's own declarations (business.yml)
    Business,
    /// The HTTP API of a business (routes.yml)
    Routes,
    /// The views of a business in its store (tables.yml)
    Tables,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match args.name {
        Name::Scenario => SCENARIO,
        Name::Catalog => CATALOG,
        Name::Business => BUSINESS,
        Name::Routes => ROUTES,
        Name::Tables => TABLES,
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("the schema can't be written")?;
    Ok(ExitCode::SUCCESS)
}
