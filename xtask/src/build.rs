//! `cargo xtask build`: the component and the host, ready to run, in `dist/`.

use crate::groups::Groups;
use crate::process;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Build `dist/instance-provisioner.wasm` and `dist/host-shim` (release).
///
/// Installs the WebAssembly target through rustup if the toolchain does not have it.
#[derive(clap::Args)]
pub struct Options {
    /// Build the component only.
    #[arg(long)]
    component: bool,
    /// Build the component with the names of its functions instead, for `host-shim profile`, into the target folder: the
    /// same code, and larger.
    #[arg(long, conflicts_with = "component")]
    named: bool,
}

/// Run the chore.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let build = if options.named { named_component } else { component };
    let component = groups.run("component", build)?;
    println!("{}", component.display());
    if !options.component && !options.named {
        let host = groups.run("host", host)?;
        println!("{}", host.display());
    }
    eprint!("{}", groups.summary());
    Ok(())
}

/// The folder of what is built.
pub fn dist() -> PathBuf {
    component_builder::workspace_root().join("dist")
}

/// Build the component and return its path.
pub fn component() -> Result<PathBuf> {
    let bytes = component_builder::build(component_builder::PROVISIONER)?;
    let path = dist().join("instance-provisioner.wasm");
    install(&path, |to| fs::write(to, &bytes))?;
    Ok(path)
}

/// Build the component with the names of its functions, for a profile, and return its path.
pub fn named_component() -> Result<PathBuf> {
    let bytes = component_builder::build_named(component_builder::PROVISIONER)?;
    let path = target_folder().join("instance-provisioner-named.wasm");
    install(&path, |to| fs::write(to, &bytes))?;
    Ok(path)
}

/// Build the host for release, as it is for replaying, and return where cargo put it. The local Stripe is left out: it
/// doubles what is to be compiled.
pub fn replay_host() -> Result<PathBuf> {
    process::run(&mut process::cargo(["build", "--release", "--package", "host-shim"]))?;
    Ok(target_folder().join("release").join(program("host-shim")))
}

/// Build the whole host for release and return its path.
pub fn host() -> Result<PathBuf> {
    process::run(&mut process::cargo(["build", "--release", "--package", "host-shim", "--features", "stripe,beside"]))?;
    let built = target_folder().join("release").join(program("host-shim"));
    let path = dist().join(program("host-shim"));
    install(&path, |to| fs::copy(&built, to).map(|_| ()))?;
    Ok(path)
}

/// Build the measuring program for release and return its path.
pub fn bench() -> Result<PathBuf> {
    process::run(&mut process::cargo(["build", "--release", "--package", "host-bench"]))?;
    Ok(target_folder().join("release").join(program("host-bench")))
}

/// Build the host for development and return its path. All default members are built with it, since cargo chooses the
/// features of shared dependencies by what it builds: so nothing is compiled that the tests do not use as well.
pub fn debug_host() -> Result<PathBuf> {
    process::run(&mut process::cargo(["build", "--all-targets"]))?;
    Ok(target_folder().join("debug").join(program("host-shim")))
}

/// Name of a program's file on this system.
pub fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// The folder that cargo builds into.
pub fn target_folder() -> PathBuf {
    let root = component_builder::workspace_root();
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Make a file beside its place and move it there, so that a running host keeps the file that it has open.
fn install(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let folder = dist();
    let part = path.with_extension("part");
    fs::create_dir_all(&folder)
        .and_then(|()| make(&part))
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
