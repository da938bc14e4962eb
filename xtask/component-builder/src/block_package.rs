//! The files with which a Solobase platform loads the block: the module, `wafer.toml` for the platform's cache of blocks, and
//! `manifest.json` for its registry.

use crate::{BuildError, block};
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the module's file.
pub const MODULE: &str = "block.wasm";
/// The organization in the block's name. Its tables and configuration keys begin with it.
const ORGANIZATION: &str = "extensions";
/// Version of the platform's frames that the block speaks.
const ABI: u32 = 1;
const MANIFEST: &str = include_str!("../../../manifest.yml");

/// The reason why the files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The module cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// Builds the block and writes its files into a folder. `url` is the address at which the module will be published; without it,
/// `manifest.json` names the file beside it. Returns the path of the module.
///
/// # Errors
///
/// The block does not compile, or a file cannot be written.
pub fn block_package(folder: &Path, url: Option<&str>) -> Result<PathBuf, PackageError> {
    let module = block()?;
    let to = folder.join(MODULE);
    write(&to, |part| fs::copy(&module, part).map(drop))?;
    write(&folder.join("wafer.toml"), |part| fs::write(part, wafer_toml()))?;
    write(&folder.join("manifest.json"), |part| fs::write(part, registry_manifest(url.unwrap_or(MODULE))))?;
    Ok(to)
}

/// Writes a file next to its place and renames it, so that nobody reads a part of it.
fn write(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), PackageError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let folder = path.parent().unwrap_or(Path::new("."));
    let made = fs::create_dir_all(folder).and_then(|()| make(&part)).and_then(|()| fs::rename(&part, path));
    made.map_err(|source| PackageError::Write { path: path.to_owned(), source })
}

/// Returns a text of the extension's manifest, by its name at the beginning of a line.
fn of_manifest(name: &str) -> &'static str {
    let mut lines = MANIFEST.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    lines.next().unwrap_or_default().trim_matches('"')
}

fn wafer_toml() -> String {
    // A text of JSON is a text of TOML, too.
    let text = |value: &str| json!(value).to_string();
    format!(
        "[package]\norg = {}\nname = {}\nversion = {}\nabi = {ABI}\nsummary = {}\n",
        text(ORGANIZATION),
        text(of_manifest("name")),
        text(of_manifest("version")),
        text(of_manifest("description")),
    )
}

/// Returns the entry of the platform's registry: `ORGANIZATION/NAME/manifest.json` there.
fn registry_manifest(url: &str) -> String {
    let version = of_manifest("version");
    let manifest = json!({
        "name": format!("{ORGANIZATION}/{}", of_manifest("name")),
        "summary": of_manifest("description"),
        "latest": version,
        "versions": {version: {"abi": ABI, "wasm_url": url}},
    });
    format!("{manifest:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_have_name_and_version_of_the_extensions_manifest() {
        assert_eq!(
            wafer_toml(),
            "[package]\norg = \"extensions\"\nname = \"instance-provisioner\"\nversion = \"0.1.0\"\nabi = 1\n\
             summary = \"Decides about plans, subscriptions and the provisioning of customer instances\"\n"
        );
        let manifest: serde_json::Value =
            serde_json::from_str(&registry_manifest("https://a.example/b.wasm")).expect("JSON");
        assert_eq!(manifest["name"], "extensions/instance-provisioner");
        assert_eq!(manifest["latest"], "0.1.0");
        assert_eq!(manifest["versions"]["0.1.0"], json!({"abi": 1, "wasm_url": "https://a.example/b.wasm"}));
    }
}
