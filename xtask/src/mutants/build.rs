//! Builds the copy of the workspace once: the host that plays scenarios, and the test programs that the mutants refer to.

use super::catcher::Programs;
use super::{Mutant, Verdict, copy};
use crate::packages::{self, Package};
use crate::{build, process, test};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Compiles the programs, and returns their paths. Judging by laws needs no test.
///
/// # Errors
///
/// Fails if the copy does not compile.
pub fn programs(mutants: &[Mutant], by_laws: bool) -> Result<Programs> {
    process::run(cargo("build").args(["--package", "provisioner", "--features", "native"]))?;
    let host = copy::folder().join("build/debug").join(build::program("provisioner"));
    if by_laws {
        return Ok(Programs { host, tests: BTreeMap::new() });
    }
    let wanted: BTreeSet<(&str, &str)> = mutants
        .iter()
        .filter_map(|mutant| match &mutant.verdict {
            Verdict::Test(test) => Some((test.package.as_str(), test.target.as_str())),
            Verdict::Scenarios(_) | Verdict::Survives(_) => None,
        })
        .collect();
    let mut tests = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(Programs { host, tests });
    }
    let packages = packages::all()?;
    for (key, executable) in test_programs(&wanted, &packages)? {
        let package = packages.iter().find(|package| package.name == key.0);
        let folder = package.map_or_else(copy::root, copy_of);
        tests.insert(key, (executable, folder));
    }
    match wanted.iter().find(|(package, target)| !tests.contains_key(&((*package).to_owned(), (*target).to_owned()))) {
        Some((package, target)) => bail!("package {package} has no test target `{target}`"),
        None => Ok(Programs { host, tests }),
    }
}

/// Returns the folder of a package in the copy.
fn copy_of(package: &Package) -> PathBuf {
    let root = component_builder::workspace_root();
    copy::root().join(package.folder().strip_prefix(&root).unwrap_or(package.folder()))
}

/// Returns a cargo command in the copy. It shares the builds of dependencies with the workspace; the builds of the copy's own crates
/// have a different profile, without debug information.
fn cargo(subcommand: &str) -> Command {
    let mut command = process::cargo([subcommand, "--quiet"]);
    command.current_dir(copy::root());
    command.env("CARGO_TARGET_DIR", copy::folder().join("build"));
    command.env("CARGO_BUILD_BUILD_DIR", build::target_folder());
    command.env("CARGO_PROFILE_DEV_DEBUG", "none");
    command
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    target: Option<packages::Target>,
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

/// Compiles the requested test targets, and returns their programs by package and target.
fn test_programs(wanted: &BTreeSet<(&str, &str)>, packages: &[Package]) -> Result<BTreeMap<(String, String), PathBuf>> {
    let mut command = cargo("test");
    command.args(["--no-run", "--message-format", "json"]);
    for package in wanted.iter().map(|(package, _)| package).collect::<BTreeSet<_>>() {
        command.args(["--package", package]);
    }
    let is_of_wanted = |feature: &&str| wanted.iter().any(|(package, _)| feature.split('/').next() == Some(package));
    // The program that tests providers with servers needs the SDKs.
    let features: Vec<&str> = [test::FEATURES, "host-providers/aws"].into_iter().filter(is_of_wanted).collect();
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    for target in wanted.iter().map(|(_, target)| *target).collect::<BTreeSet<_>>() {
        match target {
            "lib" => command.arg("--lib"),
            target => command.args(["--test", target]),
        };
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    let mut programs = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Message>(line) else { continue };
        if let Some(error) = message.message.filter(|error| error.level == "error") {
            eprint!("{}", error.rendered.unwrap_or_default());
        }
        let is_test = message.profile.is_some_and(|profile| profile.test) && message.reason == "compiler-artifact";
        let (true, Some(target), Some(executable)) = (is_test, message.target, message.executable) else { continue };
        let of_manifest = |package: &&Package| copy_of(package).join("Cargo.toml") == message.manifest_path;
        let Some(package) = packages.iter().find(of_manifest) else { continue };
        let name = if target.kind.iter().any(|kind| kind == "test") { target.name } else { "lib".to_owned() };
        programs.insert((package.name.clone(), name), executable);
    }
    match output.status.success() {
        true => Ok(programs),
        false => bail!("the tests of the copy do not compile"),
    }
}
