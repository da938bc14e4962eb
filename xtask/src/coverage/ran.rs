//! Runs the tests and remembers which passed, by what the test programs print.

use super::packages::{Package, Target};
use crate::process;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is tested: the workspace's default members, and this program, which is built apart from them. Doc-tests are a
/// group of their own.
const TESTED: [&[&str]; 2] = [&["--lib", "--bins", "--tests"], &["--package", "xtask"]];

/// The variable that names the folder of Stripe's example objects, which are no part of the repository: a test of the
/// local Stripe passes without looking at anything where it is not set.
pub const OBJECTS: &str = "STRIPE_OBJECTS";

/// That folder, if it is named.
pub fn objects() -> Option<PathBuf> {
    std::env::var_os(OBJECTS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The tests that passed: of each target of each crate, by their paths.
#[derive(Debug, Default)]
pub struct Passed(BTreeMap<(String, Target), BTreeSet<String>>);

impl Passed {
    /// Whether the test at `path` in this target ran and passed.
    pub fn has(&self, package: &str, target: &Target, path: &str) -> bool {
        self.0.get(&(package.to_owned(), target.clone())).is_some_and(|paths| paths.contains(path))
    }

    /// How many passed.
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}

/// Test programs by the names of their files: the crate and the target that each is of.
type Programs = BTreeMap<String, (String, Target)>;

/// Run all tests of the workspace, their output as it comes. It is an error if one fails.
pub fn run(packages: &[Package]) -> Result<Passed> {
    let mut passed = Passed::default();
    for tested in TESTED {
        run_some(tested, &compile(tested, packages)?, &mut passed)?;
    }
    Ok(passed)
}

fn cargo_test(tested: &[&'static str]) -> Command {
    process::cargo(["test"].into_iter().chain(tested.iter().copied()))
}

fn run_some(tested: &[&'static str], programs: &Programs, passed: &mut Passed) -> Result<()> {
    let mut command = cargo_test(tested);
    // Cargo names each program on one stream and the program its tests on the other, so both are read as one.
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false").env_remove("RUST_TEST_NOCAPTURE");
    match objects() {
        // It is meant from here; the tests run in the folders of their crates.
        Some(folder) => command.env(OBJECTS, std::path::absolute(folder)?),
        None => command.env_remove(OBJECTS),
    };
    let mut child = command.spawn().context("cannot run `cargo test`")?;
    // The command holds the pipe's other end, which must close for the reading to end.
    drop(command);
    let mut listener = Listener { programs, current: None, passed };
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    let mut out = io::stdout().lock();
    while lines.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        listener.hear(&String::from_utf8_lossy(&line));
        line.clear();
    }
    out.flush()?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`cargo test {}` failed with {status}", tested.join(" "));
    }
    Ok(())
}

/// A message of cargo about something that it built.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Target,
    executable: Option<String>,
}

/// Compile test programs and say of which target each is.
fn compile(tested: &[&'static str], packages: &[Package]) -> Result<Programs> {
    let mut command = cargo_test(tested);
    command.args(["--no-run", "--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = command.output().context("cannot run `cargo test --no-run`")?;
    if !output.status.success() {
        bail!("`cargo test {} --no-run` failed with {}", tested.join(" "), output.status);
    }
    Ok(programs(&String::from_utf8_lossy(&output.stdout), packages))
}

fn programs(messages: &str, packages: &[Package]) -> Programs {
    let name_of = |id: &str| packages.iter().find(|package| package.id == id).map(|package| package.name.clone());
    // Other messages have no executable, or lack a field.
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter_map(|artifact| {
            let program = file_name(&artifact.executable?)?;
            Some((program, (name_of(&artifact.package_id)?, artifact.target)))
        })
        .collect()
}

fn file_name(path: &str) -> Option<String> {
    Some(Path::new(path).file_name()?.to_str()?.to_owned())
}

/// Reads the lines of `cargo test`.
struct Listener<'p> {
    programs: &'p Programs,
    /// The program that runs.
    current: Option<&'p (String, Target)>,
    passed: &'p mut Passed,
}

impl Listener<'_> {
    fn hear(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(started) = line.trim_start().strip_prefix("Running ") {
            let program = started.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')).map(|(_, path)| path);
            self.current = program.and_then(file_name).and_then(|name| self.programs.get(&name));
        } else if let (Some(target), Some(path)) = (self.current, passed(line)) {
            self.passed.0.entry(target.clone()).or_default().insert(path.to_owned());
        }
    }
}

/// The path of the test whose end this line tells, if it passed.
fn passed(line: &str) -> Option<&str> {
    let path = line.strip_prefix("test ")?.strip_suffix(" ... ok")?;
    Some(path.strip_suffix(" - should panic").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: &str, name: &str) -> Target {
        Target { name: name.into(), kind: vec![kind.into()], src_path: "x.rs".into() }
    }

    #[test]
    fn programs_are_known_by_their_files() {
        let packages =
            [Package { name: "host-store".into(), targets: Vec::new(), id: "path+file:///x#host-store@0.1.0".into() }];
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///x#host-store@0.1.0","target":{"kind":["lib"],"name":"host_store","src_path":"x.rs"},"executable":"/t/debug/deps/host_store-1a"}"#;
        let library = message.replace("\"/t/debug/deps/host_store-1a\"", "null");
        let found = programs(&format!("{message}\n{library}\n{{\"reason\":\"build-finished\"}}\n"), &packages);
        let expected = ("host_store-1a".to_owned(), ("host-store".to_owned(), target("lib", "host_store")));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn only_tests_that_passed_count_each_for_its_program() {
        let programs: Programs = [
            ("a-1".to_owned(), ("one".to_owned(), target("test", "a"))),
            ("a-2".to_owned(), ("two".to_owned(), target("test", "a"))),
        ]
        .into();
        let mut passed = Passed::default();
        let mut listener = Listener { programs: &programs, current: None, passed: &mut passed };
        let output = "   Compiling x\n     Running tests/a.rs (target/debug/deps/a-1)\n\nrunning 4 tests\ntest m::good ... ok\n\
                      test m::bad ... FAILED\ntest m::left ... ignored\ntest m::panics - should panic ... ok\n\n\
                      \x20    Running unittests src/main.rs (target/debug/deps/unknown-3)\ntest lost ... ok\n\
                      \x20    Running tests/a.rs (target/debug/deps/a-2)\ntest m::other ... ok\n";
        output.lines().for_each(|line| listener.hear(line));
        let has = |package: &str, path: &str| passed.has(package, &target("test", "a"), path);
        assert!(has("one", "m::good") && has("one", "m::panics") && has("two", "m::other"));
        assert!(!has("one", "m::bad") && !has("one", "m::left") && !has("two", "m::good") && !has("one", "m::other"));
        assert_eq!(passed.count(), 3);
    }
}
