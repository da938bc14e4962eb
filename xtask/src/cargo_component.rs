//! `cargo xtask cargo-component`: checks that the host also loads a component that `cargo component` builds.

use crate::groups::{Done, Groups};
use crate::tool::Tool;
use crate::{build, process, test};
use anyhow::{Context, Result, bail};
use std::process::Command;

const TOOL: Tool = Tool { name: "cargo-component", version: "0.21.1" };

/// Build the component with `cargo component build` and let the host inspect it.
///
/// If the tool is not installed, print how to install it; that is not a failure. With CI=true, the tool is installed.
#[derive(clap::Args)]
pub struct Options {}

/// Runs the command.
///
/// # Errors
///
/// Fails like [`check`].
pub fn run(_: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let result = groups.run_or_tell("cargo-component", check);
    println!("\n{}", groups.summary());
    result
}

/// Builds the component and lets the host inspect it, if the tool is installed.
///
/// # Errors
///
/// Fails if a build fails or the host does not load the component.
pub fn check() -> Result<Done> {
    component_builder::ensure_target(component_builder::TARGET)?;
    if let Some(missing) = TOOL.missing()? {
        return Ok(Done::Nothing(missing));
    }
    // The tool has its own target folder, since it writes the component to the path of the module that cargo builds.
    let folder = build::target_folder().join("cargo-component");
    let target = component_builder::TARGET;
    let package = component_builder::PROVISIONER;
    process::run(
        TOOL.command(["build", "--profile", "component", "--target", target, "--package", package])
            .env("CARGO_TARGET_DIR", &folder)
            .env_remove("RUSTFLAGS"),
    )?;
    let component = folder.join(target).join("component").join(package.replace('-', "_")).with_extension("wasm");
    let compiled = test::compile(test::Extent::Plain)?;
    let host = compiled.binary("provisioner", "provisioner").context("cargo built no provisioner")?;
    let status = Command::new(host).arg("inspect").arg(&component).status()?;
    if !status.success() {
        bail!("the host does not load {}, built by cargo-component", component.display());
    }
    Ok(Done::Whole)
}
