//! The workspace's crates and what cargo makes of them, as `cargo metadata` tells.

use crate::process;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Its libraries, programs and tests.
    pub targets: Vec<Target>,
    /// Cargo's id, which its messages name.
    pub id: String,
}

/// Something that cargo compiles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Target {
    /// Name.
    pub name: String,
    /// `lib`, `bin`, `test` and others.
    pub kind: Vec<String>,
    /// The root module's file.
    pub src_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// All crates of the workspace.
pub fn all() -> Result<Vec<Package>> {
    let output = process::cargo(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("what `cargo metadata` says")?;
    Ok(metadata.packages)
}
