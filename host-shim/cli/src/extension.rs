//! Which extension is run: the options that commands share.

use clap::Parser;
use host_replay::runners::Runners;
use host_scenario::error::ReplayError;
use std::path::{Path, PathBuf};

/// Which extension is run.
#[derive(Debug, Parser)]
pub(crate) struct ExtensionArgs {
    /// The component to run [default: instance-provisioner.wasm beside the program]
    #[arg(long, value_name = "FILE", conflicts_with = "native")]
    component: Option<PathBuf>,

    /// Run the extension's library instead of a component
    #[arg(long)]
    native: bool,
}

impl ExtensionArgs {
    /// The options as they were given, each after a space.
    #[cfg(feature = "lab")]
    pub(crate) fn as_options(&self) -> String {
        match (&self.component, self.native) {
            (_, true) => " --native".to_owned(),
            (Some(file), false) => format!(" --component {}", file.display()),
            (None, false) => String::new(),
        }
    }

    /// The library or the component, which is made anew for every event if `fresh`.
    pub(crate) fn runners(&self, fresh: bool) -> Result<Runners, ReplayError> {
        if self.native {
            return native();
        }
        Runners::component(&component_or_default(self.component.as_deref(), "--component FILE or --native")?, fresh)
    }
}

/// The extension's library, if this program links it.
#[cfg(feature = "native")]
pub(crate) fn native() -> Result<Runners, ReplayError> {
    Ok(host_native::runners())
}

/// The extension's library, if this program links it.
#[cfg(not(feature = "native"))]
pub(crate) fn native() -> Result<Runners, ReplayError> {
    Err(ReplayError::Usage(
        "this program does not link the extension's library: give --component FILE, or build the host with \
         `cargo build --package host-shim --features native`"
            .to_owned(),
    ))
}

/// The component that is named, or the one beside the program; `instead` says what can be given where there is none.
pub(crate) fn component_or_default(named: Option<&Path>, instead: &str) -> Result<PathBuf, ReplayError> {
    named.map(Path::to_owned).or_else(default_component).ok_or_else(|| {
        ReplayError::Usage(format!(
            "no instance-provisioner.wasm beside the program: run `cargo xtask build`, or give {instead}"
        ))
    })
}

/// Beside the program, or where `cargo xtask build` puts it when the program is run from the target folder.
fn default_component() -> Option<PathBuf> {
    const NAME: &str = "instance-provisioner.wasm";
    let program = std::env::current_exe().ok()?;
    let beside = program.parent().map(|folder| folder.join(NAME));
    let in_dist = program.ancestors().map(|folder: &Path| folder.join("dist").join(NAME));
    beside.into_iter().chain(in_dist).find(|file| file.is_file())
}
