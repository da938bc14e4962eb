//! The workspace's crates and their targets, as `cargo metadata` reports them.

use crate::process;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Name of the crate.
    pub name: String,
    /// Libraries, programs and tests of the crate.
    pub targets: Vec<Target>,
    /// Id of the crate in cargo's messages.
    pub id: String,
    /// Path of the crate's `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// Direct dependencies, including those of tests.
    pub dependencies: Vec<Dependency>,
}

/// A direct dependency of a crate.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// Name of the dependency.
    pub name: String,
}

/// A target of cargo, for example a library, a program or a test program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Target {
    /// Name of the target.
    pub name: String,
    /// `lib`, `bin`, `test` and others.
    pub kind: Vec<String>,
    /// File of the root module.
    pub src_path: PathBuf,
}

impl Package {
    /// Returns the folder of the crate. Its tests run in this folder.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// Returns true if the crate or its tests depend directly on the crate `name`.
    pub fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_default_members: Vec<String>,
}

/// Returns all crates of the workspace.
///
/// # Errors
///
/// Fails if cargo can't read a manifest.
pub fn all() -> Result<Vec<Package>> {
    Ok(metadata()?.packages)
}

/// Returns the names of the crates that a plain `cargo build` builds.
///
/// # Errors
///
/// Fails if cargo can't read a manifest.
pub fn default_members() -> Result<Vec<String>> {
    let Metadata { packages, workspace_default_members } = metadata()?;
    let is_default = |package: &Package| workspace_default_members.contains(&package.id);
    Ok(packages.into_iter().filter(is_default).map(|package| package.name).collect())
}

fn metadata() -> Result<Metadata> {
    let output = process::cargo(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("unexpected output of `cargo metadata`")
}
