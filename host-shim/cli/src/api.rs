//! `provisioner api FOLDER`.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_business::folder::BusinessFolder;
use host_scenario::error::ReplayError;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print a business's HTTP API: who may use which route, the OpenAPI document, or a client in TypeScript
///
/// All of it comes from `routes.yml` of the business and its features. A server has the same document at `/openapi.json`, and
/// shows it to people at `/docs/api`.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder of the business
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Routes)]
    format: Form,
    /// The name of the client's object in TypeScript
    #[arg(long, value_name = "NAME", default_value = "api", value_parser = name)]
    client: String,
}

const AFTER_HELP: &str = "Examples:
  provisioner api my-business
  provisioner api my-business --format openapi > openapi.json
  provisioner api my-business --format typescript --client billingApi > billing.ts";

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table: method, path, who may use it, and its name
    Routes,
    /// The OpenAPI document, version 3.1
    Openapi,
    /// A client in TypeScript, which needs only `fetch`
    Typescript,
}

/// The object with the routes of every server.
const OF_SERVER: &str = "server";

fn name(text: &str) -> Result<String, String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_letter) && text != OF_SERVER {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("expected a name of letters and digits, the first a lower-case letter, and not `{OF_SERVER}`"))
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let business = BusinessFolder::load(&args.folder).map_err(ReplayError::from)?;
    let text = match args.format {
        Form::Routes => table(&business),
        Form::Openapi => {
            let (has_platform_paths, version) = (business.own.has_platform_paths, env!("CARGO_PKG_VERSION"));
            let document = host_api::document(&business.routes, &business.name, has_platform_paths, version);
            format!("{document:#}\n")
        }
        Form::Typescript => host_api::typescript(&business.routes, &args.client),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("the API cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn table(business: &BusinessFolder) -> String {
    let routes = &business.routes.routes;
    let path = routes.iter().map(|route| route.pattern.as_str().len()).max().unwrap_or(0);
    routes.iter().fold(String::new(), |mut text, route| {
        let (method, who) = (route.method.name(), route.who.name());
        let _ = writeln!(text, "{method:<6} {:<path$}  {who:<9}  {}", route.pattern.as_str(), route.name);
        text
    })
}
