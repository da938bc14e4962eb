//! Programs that a group needs and cargo doesn't have: subcommands of cargo, each at the version that is known to work.

use crate::{build, process};
use anyhow::Result;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A subcommand of cargo.
#[derive(Debug)]
pub struct Tool {
    /// Its crate, `cargo-` and the subcommand.
    pub name: &'static str,
    /// The version that is installed where it is missing.
    pub version: &'static str,
}

impl Tool {
    /// Whether the tool can be run, and if not, what is missing and the line that installs it. In CI it is installed
    /// first, into the target folder; it is an error if that fails, unless the registry doesn't have it.
    pub fn missing(&self) -> Result<Option<String>> {
        if self.runs() {
            return Ok(None);
        }
        if !in_ci() {
            return Ok(Some(format!("{} is not installed; to install it: {}", self.name, self.install_line())));
        }
        let version = format!("{}@{}", self.name, self.version);
        if !process::succeeds(&mut process::cargo(["info", "--quiet", &version])) {
            return Ok(Some(format!("the registry has no {version}; elsewhere: {}", self.install_line())));
        }
        let mut command = process::cargo(self.install_words());
        // Compiling takes longer than all that the tools do here: cargo-component 2 minutes so on two cores.
        command.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "none");
        // A folder of its own to build in, so that the workspace's is not locked.
        command.arg("--root").arg(folder()).env_remove("CARGO_TARGET_DIR");
        process::run(&mut command)?;
        Ok(None)
    }

    /// The subcommand with arguments, in the root folder of the workspace.
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

    /// The line that installs it, for people.
    fn install_line(&self) -> String {
        format!("cargo {}", self.install_words().join(" "))
    }
}

/// Whether this is a machine of continuous integration, which has nothing but what it installs.
fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| ["true", "1"].contains(&value.as_str()))
}

/// Where CI installs tools: kept with the target folder from one run to the next.
fn folder() -> PathBuf {
    build::target_folder().join("tools")
}

/// The folders in which programs are looked for, that of the tools first.
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
