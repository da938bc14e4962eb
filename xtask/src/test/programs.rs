//! Compiles the test programs, with clippy's lints in the same pass, and lists them.
//!
//! Cargo calls `clippy-driver` in place of the compiler for the workspace's crates, so that one pass compiles and lints; a separate
//! `cargo clippy` would read every dependency a second time.

use crate::packages::{Package, Target};
use crate::process;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The number of random cases of each property.
const CASES: &str = "PROPTEST_CASES";
/// The seed of the cases, which proptest reads. It is fixed unless a number of random cases is set, so that each run tries the same
/// cases.
const SEED: &str = "PROPTEST_RNG_SEED";

/// A program whose tests are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its crate.
    pub package: String,
    /// Its target.
    pub target: Target,
    /// The file.
    pub executable: PathBuf,
    /// The folder in which it runs.
    pub folder: PathBuf,
    /// Variables that it gets in addition to the environment, for example counts.
    pub variables: Vec<(&'static str, &'static str)>,
    /// Prefixes of the paths of the tests to run; if there are none, all tests run.
    pub only: &'static [&'static str],
}

impl Program {
    /// Returns the command that runs the program like `cargo test`: in the folder of its crate.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        if [CASES, SEED].iter().all(|variable| std::env::var_os(variable).is_none()) {
            command.env(SEED, "1");
        }
        command.envs(self.variables.iter().copied()).args(self.only);
        command
    }

    /// Crate, target and counts, for people.
    pub fn title(&self) -> String {
        let mut title = self.package.clone();
        if self.target.kind.iter().any(|kind| kind == "test") {
            title = format!("{title} {}", self.target.name);
        }
        let counts = self.variables.iter().map(|(name, count)| format!(" {name}={count}"));
        counts.fold(title, |title, count| title + &count)
    }
}

/// The compiled programs.
#[derive(Debug, Default)]
pub struct Compiled {
    /// Programs with tests.
    pub tests: Vec<Program>,
    /// Other programs by crate, which the tests of that crate may start.
    pub binaries: BTreeMap<String, Vec<PathBuf>>,
}

impl Compiled {
    /// Adds what another command has compiled.
    pub fn add(&mut self, other: Compiled) {
        self.tests.extend(other.tests);
        for (package, files) in other.binaries {
            self.binaries.entry(package).or_default().extend(files);
        }
    }

    /// Returns the program `name` of a crate.
    pub fn binary(&self, package: &str, name: &str) -> Option<&Path> {
        let files = self.binaries.get(package)?;
        files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name)).map(PathBuf::as_path)
    }
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

/// The crates in which the tests spend most of their time. They are optimised for the tests only; `cargo xtask replay` does not share
/// these builds, because the tests compile the workspace's crates with clippy.
const OPTIMISED: [&str; 10] = [
    "host-engine",
    "host-intake",
    "host-provider-api",
    "host-replay",
    "host-scenario",
    "host-simulate",
    "host-store",
    "host-store-conformance",
    "host-wasm-runner",
    "local-stripe",
];

/// Compiles all targets that `args` of `cargo build` select.
///
/// # Errors
///
/// Fails if something does not compile, or a lint warns.
pub fn compile(args: &[&str], packages: &[Package]) -> Result<Compiled> {
    let mut command =
        process::cargo(["build", "--all-targets", "--message-format", "json"].iter().chain(args).copied());
    for name in OPTIMISED {
        command.arg("--config").arg(format!("profile.dev.package.{name}.opt-level=1"));
    }
    lint(&mut command)?;
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run `cargo build`")?;
    let output = child.stdout.take().context("the output of `cargo build` is piped")?;
    let mut compiled = Compiled::default();
    let mut warnings = 0;
    for line in BufReader::new(output).lines() {
        // Lines with other reasons lack fields, and are not needed.
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        match (message.reason.as_str(), &message.message) {
            ("compiler-message", Some(diagnostic)) => {
                eprint!("{}", diagnostic.rendered.as_deref().unwrap_or_default());
                // The last line of a crate only counts the others.
                let is_sum = diagnostic.rendered.as_deref().is_some_and(|text| text.contains("generated"));
                warnings += usize::from(diagnostic.level == "warning" && !is_sum);
            }
            ("compiler-artifact", _) => compiled.take(message, packages),
            _ => {}
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`cargo build {}` failed with {status}", args.join(" "));
    }
    if warnings > 0 {
        bail!("the compiler and clippy give {warnings} warnings, expected none");
    }
    Ok(compiled)
}

impl Compiled {
    fn take(&mut self, message: Message, packages: &[Package]) {
        let package = packages.iter().find(|package| package.id == message.package_id);
        let (Some(package), Some(target), Some(executable)) = (package, message.target, message.executable) else {
            return;
        };
        if message.profile.is_some_and(|profile| profile.test) {
            let (package, folder) = (package.name.clone(), package.folder().to_owned());
            self.tests.push(Program { package, target, executable, folder, variables: Vec::new(), only: &[] });
        } else {
            self.binaries.entry(package.name.clone()).or_default().push(executable);
        }
    }
}

/// Makes a cargo command lint the workspace's crates while it compiles them.
///
/// # Errors
///
/// Fails if the toolchain has no clippy.
pub fn lint(command: &mut Command) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().context("cannot run `rustc`")?;
    let driver = Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("bin").join("clippy-driver");
    let driver = driver.with_extension(std::env::consts::EXE_EXTENSION);
    if !driver.is_file() {
        bail!("the toolchain has no clippy; to install it: rustup component add clippy");
    }
    command.env("RUSTC_WORKSPACE_WRAPPER", driver);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Package {
        Package {
            name: name.into(),
            targets: Vec::new(),
            id: format!("path+file:///x#{name}@0.1.0"),
            manifest_path: "/x/Cargo.toml".into(),
            dependencies: Vec::new(),
        }
    }

    fn artifact(kind: &str, name: &str, test: bool, executable: Option<&str>) -> Message {
        let text = serde_json::json!({
            "reason": "compiler-artifact",
            "package_id": "path+file:///x#host-store@0.1.0",
            "target": {"kind": [kind], "name": name, "src_path": "x.rs"},
            "profile": {"test": test},
            "executable": executable,
        });
        serde_json::from_value(text).expect("a message")
    }

    #[test]
    fn test_programs_and_binaries_are_listed_and_libraries_are_not() {
        let packages = [package("host-store")];
        let mut compiled = Compiled::default();
        compiled.take(artifact("lib", "host_store", false, None), &packages);
        compiled.take(artifact("lib", "host_store", true, Some("/t/deps/host_store-1")), &packages);
        compiled.take(artifact("test", "kill", true, Some("/t/deps/kill-1")), &packages);
        compiled.take(artifact("bin", "tool", false, Some("/t/tool")), &packages);
        let titles: Vec<String> = compiled.tests.iter().map(Program::title).collect();
        assert_eq!(titles, ["host-store", "host-store kill"]);
        assert_eq!(compiled.tests[1].folder, Path::new("/x"));
        assert_eq!(compiled.binary("host-store", "tool"), Some(Path::new("/t/tool")));
        assert_eq!(compiled.binary("host-store", "other"), None);
    }
}
