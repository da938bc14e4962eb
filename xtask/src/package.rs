//! `dist/provisioner_VERSION-1_ARCHITECTURE.deb`: the Debian package of the server, as `host-shim/cli/Cargo.toml` describes it.

use crate::build::{dist, program};
use crate::process;
use crate::tool::Tool;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tool that writes the package.
const TOOL: Tool = Tool { name: "cargo-deb", version: "3.8.0" };

/// Returns why the package cannot be tested on this machine, and how it could be; none if it can.
pub fn untestable() -> Option<String> {
    let needed = ["/usr/bin/dpkg", "/usr/bin/apt-get", "/lib/systemd/systemd"];
    if let Some(missing) = needed.iter().find(|file| !Path::new(file).exists()) {
        return Some(format!("there is no {missing}; the package is tested on Debian"));
    }
    let is_root = process::succeeds(Command::new("sh").args(["-c", "[ \"$(id -u)\" = 0 ]"]));
    (!is_root).then(|| {
        "it starts a machine, as root; to run it: sudo --preserve-env=PATH,HOME cargo xtask test package".into()
    })
}

/// How well the package is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For people who install it: compressed by the program `xz`, since the tool's own copy may be unoptimised.
    Small,
    /// For tests: compressed in seconds, and a quarter larger.
    Large,
}

/// Packages `dist/provisioner` and the component, and returns the path. The program is packaged without its symbols.
///
/// # Errors
///
/// Fails if the tool cannot be installed, a program is missing, or `dist` cannot be written.
pub fn make(size: Size) -> Result<PathBuf> {
    TOOL.ensure()?;
    let stripped = dist().join("stripped");
    fs::create_dir_all(&stripped).with_context(|| format!("cannot make {}", stripped.display()))?;
    let mut strip = Command::new("strip");
    strip.args(["--strip-unneeded", "-o"]).arg(stripped.join(program("provisioner")));
    process::run(strip.arg(dist().join(program("provisioner"))))?;
    let mut command = TOOL.command(["deb", "--no-build", "--package", "provisioner", "--output"]);
    command.arg(dist());
    command.arg(match size {
        Size::Small => "--compress-system",
        Size::Large => "--fast",
    });
    let output = command.output().context("cannot run `cargo deb`")?;
    if !output.status.success() {
        bail!("`cargo deb` failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let path = text.lines().last().context("`cargo deb` does not name the package that it has made")?;
    Ok(PathBuf::from(path))
}
