//! The workspace's crates and their targets, as `cargo metadata` reports them.

use crate::process;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Its libraries, programs and tests.
    pub targets: Vec<Target>,
    /// Cargo's id, which its messages name.
    pub id: String,
    /// Its `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// What it depends on directly, also for tests.
    pub dependencies: Vec<Dependency>,
}

/// A direct dependency of a crate.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// Name.
    pub name: String,
}

/// Something that cargo compiles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Target {
    /// Name.
    pub name: String,
    /// `lib`, `bin`, `test` and others.
    pub kind: Vec<String>,
    /// The root module's file.
    pub src_path: PathBuf,
}

impl Package {
    /// The crate's folder, in which its tests run.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// True if the crate depends directly on the crate `name`, also for its tests alone.
    pub fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// All crates of the workspace.
///
/// # Errors
///
/// Cargo cannot read a manifest.
pub fn all() -> Result<Vec<Package>> {
    let output = process::cargo(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("unexpected output of `cargo metadata`")?;
    Ok(metadata.packages)
}
