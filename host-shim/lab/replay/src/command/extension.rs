//! The options with which several commands select the extension.

use crate::runners::{Runners, Workload};
use clap::Parser;
use host_scenario::error::ReplayError;
use std::path::{Path, PathBuf};

/// The choice of the extension.
#[derive(Debug, Parser)]
pub struct ExtensionArgs {
    /// The component to run [default: instance-provisioner.wasm next to the program]
    #[arg(long, value_name = "FILE", conflicts_with = "native")]
    component: Option<PathBuf>,

    /// Run the extension's library instead of a component
    #[arg(long)]
    native: bool,
}

impl ExtensionArgs {
    /// Returns the given options, each after a space.
    pub fn as_options(&self) -> String {
        match (&self.component, self.native) {
            (_, true) => " --native".to_owned(),
            (Some(file), false) => format!(" --component {}", file.display()),
            (None, false) => String::new(),
        }
    }

    /// Returns runners of the library or the component; with `fresh`, each event has a new instance of the component.
    pub fn runners(&self, fresh: bool, workload: Workload) -> Result<Runners, ReplayError> {
        if self.native {
            return native();
        }
        let file = component_or_default(self.component.as_deref(), "--component FILE or --native")?;
        Runners::component(&file, fresh, workload)
    }
}

/// Returns runners of the extension's library, if this program links it.
#[cfg(feature = "native")]
pub fn native() -> Result<Runners, ReplayError> {
    Ok(crate::native::runners())
}

/// Returns runners of the extension's library, if this program links it.
#[cfg(not(feature = "native"))]
pub fn native() -> Result<Runners, ReplayError> {
    Err(ReplayError::Usage(
        "this program does not link the extension's library: give --component FILE, or build the host with \
         `cargo build --package provisioner --features native`"
            .to_owned(),
    ))
}

/// Returns the given component, or the default one; `instead` lists the alternatives for the error.
pub fn component_or_default(named: Option<&Path>, instead: &str) -> Result<PathBuf, ReplayError> {
    named.map(Path::to_owned).or_else(default_component).ok_or_else(|| {
        ReplayError::Usage(format!(
            "no instance-provisioner.wasm next to the program: run `cargo xtask build`, or give {instead}"
        ))
    })
}

/// Finds the component next to the program, or in `dist`, where `cargo xtask build` puts it, if the program runs from
/// the target folder.
fn default_component() -> Option<PathBuf> {
    const NAME: &str = "instance-provisioner.wasm";
    let program = std::env::current_exe().ok()?;
    let next_to_it = program.parent().map(|folder| folder.join(NAME));
    let in_dist = program.ancestors().map(|folder: &Path| folder.join("dist").join(NAME));
    next_to_it.into_iter().chain(in_dist).find(|file| file.is_file())
}
