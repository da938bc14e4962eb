//! Tools that a group needs and that are not part of cargo: cargo subcommands, each with a version that is known to work.

use crate::{build, process};
use anyhow::{Result, bail};
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A cargo subcommand.
#[derive(Debug)]
pub struct Tool {
    /// Name of the tool's crate: `cargo-` and the subcommand.
    pub name: &'static str,
    /// Version that is installed if the tool is missing.
    pub version: &'static str,
}

impl Tool {
    /// Returns none if the tool can be run; otherwise a message with the command that installs it. In CI, a missing
    /// tool is installed into the target folder first, unless the registry does not have it.
    ///
    /// # Errors
    ///
    /// Fails if the installation fails.
    pub fn missing(&self) -> Result<Option<String>> {
        if self.runs() {
            return Ok(None);
        }
        if !in_ci() {
            return Ok(Some(format!("{} is not installed; to install it: {}", self.name, self.install_line())));
        }
        self.install()
    }

    /// Installs the tool into the target folder, unless it can be run.
    ///
    /// # Errors
    ///
    /// Fails if the installation fails, or if the registry does not have the tool.
    pub fn ensure(&self) -> Result<()> {
        match self.runs() {
            true => Ok(()),
            false => self.install()?.map_or(Ok(()), |missing| bail!("{missing}")),
        }
    }

    /// Installs the tool into the target folder. Returns the command that installs it elsewhere if the registry does not have it.
    fn install(&self) -> Result<Option<String>> {
        let version = format!("{}@{}", self.name, self.version);
        if !process::succeeds(&mut process::cargo(["info", "--quiet", &version])) {
            return Ok(Some(format!("the registry has no {version}; elsewhere: {}", self.install_line())));
        }
        let mut command = process::cargo(self.install_words());
        // The tools are compiled without optimization, since compiling takes longer than their work: 2 minutes for
        // cargo-component on two cores.
        command.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "none");
        // The tool is built outside the workspace's target folder, so that the folder is not locked.
        command.arg("--root").arg(folder()).env_remove("CARGO_TARGET_DIR");
        process::run(&mut command)?;
        Ok(None)
    }

    /// Returns the command that runs the subcommand with `args` in the root folder of the workspace.
    pub fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = process::cargo([self.subcommand()]);
        command.args(args).env("PATH", search_path());
        command
    }

    fn runs(&self) -> bool {
        process::succeeds(&mut self.command(["--version"]))
    }

    fn subcommand(&self) -> &'static str {
        self.name.strip_prefix("cargo-").unwrap_or(self.name)
    }

    fn install_words(&self) -> [&'static str; 5] {
        ["install", self.name, "--locked", "--version", self.version]
    }

    /// Returns the command that installs the tool, as a person would type it.
    fn install_line(&self) -> String {
        format!("cargo {}", self.install_words().join(" "))
    }
}

/// Returns true in continuous integration, where missing tools are installed.
fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| ["true", "1"].contains(&value.as_str()))
}

/// Returns the folder into which CI installs tools. CI keeps it with the target folder between runs.
fn folder() -> PathBuf {
    build::target_folder().join("tools")
}

/// Returns the search path for programs, with the folder of the tools first.
fn search_path() -> OsString {
    let known = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder().join("bin")).chain(env::split_paths(&known));
    env::join_paths(folders).unwrap_or(known)
}

#[cfg(test)]
mod tests {
    use super::Tool;

    const NONE: Tool = Tool { name: "cargo-no-such-tool", version: "1.2.3" };

    #[test]
    fn the_line_that_installs_a_tool_pins_it() {
        assert_eq!(NONE.install_line(), "cargo install cargo-no-such-tool --locked --version 1.2.3");
        assert_eq!(NONE.subcommand(), "no-such-tool");
        assert!(!NONE.runs());
    }
}
