//! `provisioner inspect FILE.wasm`.

mod manifest;

use clap::Parser;
use host_replay::command::EXIT_BAD_INPUT;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::inspect::{InspectError, inspect_file};
use std::path::PathBuf;
use std::process::ExitCode;

/// Report what a component imports and exports, what its manifest permits, and whether this host can load it
///
/// Shows imports, exports, contract version and size; if the component can't be loaded, also what is missing or has
/// another version, and what to do. Also shows the manifest: the file manifest.yml in the component's folder, or the
/// one of the shipped extension; and all that the component imports or declares and the manifest doesn't permit.
/// Exit codes: 0 it can be loaded, 1 it can't or its manifest doesn't permit it, 2 the file can't be read.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  provisioner inspect dist/instance-provisioner.wasm")]
pub(crate) struct Args {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let inspection = match inspect_file(&args.file, ComponentCache::of_user().as_ref()) {
        Ok(inspection) => inspection,
        Err(error @ InspectError::CoreModule) => {
            println!("{file}: can't be loaded: {error}");
            return Ok(ExitCode::from(1));
        }
        Err(error) => {
            eprintln!("error: {file}: {error}");
            return Ok(ExitCode::from(EXIT_BAD_INPUT));
        }
    };
    println!("{file}: {} bytes", inspection.size);
    println!(
        "contract: {}",
        match inspection.wit_version.is_empty() {
            true => "none".to_owned(),
            false => inspection.wit_version.join(", "),
        }
    );
    for (name, list) in [("imports", &inspection.imports), ("exports", &inspection.exports)] {
        println!("{name}:");
        list.iter().for_each(|entry| println!("  {entry}"));
    }
    match inspection.loadable {
        Ok(declarations) => {
            if !manifest::print(&args.file, &declarations, &inspection.imports) {
                println!("this host can't load it: its manifest doesn't permit it");
                return Ok(ExitCode::from(1));
            }
            println!("this host can load it");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("this host can't load it: {error}");
            print_advice(&args.file);
            Ok(ExitCode::from(1))
        }
    }
}

/// Prints where the component does not match the host's contract, each with its remedy.
fn print_advice(file: &std::path::Path) {
    let advice = std::fs::read(file)
        .map_err(|error| error.to_string())
        .and_then(|bytes| host_explore::wit_check::advice(&bytes));
    for host_explore::wit_check::Advice { problem, remedy } in advice.unwrap_or_default() {
        println!("- {problem}\n  {remedy}");
    }
}
