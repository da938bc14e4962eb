//! `provisioner check --config FILE`: reports what would prevent a server from starting with this file.

use super::print;
use crate::configured::{ConfiguredBusiness, Overrides, configured, read_file};
use host_business::Setup;
use host_replay::check::Checked;
use host_replay::command::EXIT_FAILED;
use host_replay::command::ExtensionArgs;
use host_replay::command::Format;
use host_replay::report::printable;
use host_replay::runners::{Runners, Workload};
use host_run::config::catalog_faults;
use host_scenario::error::BadInput;
use std::path::Path;
use std::process::ExitCode;

/// Checks a configuration file with its businesses and the settings of their providers. Starts nothing.
pub(super) fn check(file: &Path, extension: &ExtensionArgs, format: Format) -> anyhow::Result<ExitCode> {
    let runners = extension.runners(false, Workload::Scenarios)?;
    let (businesses, mistakes) = match found(file, &runners) {
        Ok(found) => found,
        Err(mistakes) => (Vec::new(), mistakes),
    };
    if format == Format::Human {
        for unused in businesses.iter().flat_map(|business| &business.prepared.unused) {
            println!("{}", printable(&unused.to_string()));
        }
    }
    let is_right = mistakes.is_empty();
    print(&Checked { businesses: businesses.len(), mistakes, ..Checked::default() }, format)?;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Returns the businesses in the file, and what prevents a server from starting with it.
fn found(file: &Path, runners: &Runners) -> Result<(Vec<ConfiguredBusiness>, Vec<BadInput>), Vec<BadInput>> {
    let failed =
        |error: String| vec![BadInput::new(host_scenario::error::Place::file(file), error, "an extension that runs")];
    let runner = runners.make().map_err(|error| failed(error.to_string()))?;
    let manifest = runners.manifest(runner.declarations())?;
    let (read, environment) = read_file(file)?;
    let mut mistakes = read.unserved().to_vec();
    let businesses = match configured(Some(&read), &environment, &Overrides::default(), runner.declarations()) {
        Ok(businesses) => businesses,
        Err(more) => {
            mistakes.extend(more);
            return Err(mistakes);
        }
    };
    for business in &businesses {
        mistakes.extend(business.lacking.iter().cloned());
        let prepared = &business.prepared;
        let setup = Setup::new(prepared.business.clone(), business.is_live(), &prepared.config, manifest.clone());
        let runner = runners.make().map_err(|error| failed(error.to_string()))?;
        mistakes.extend(catalog_faults(&setup, runner));
    }
    Ok((businesses, mistakes))
}
