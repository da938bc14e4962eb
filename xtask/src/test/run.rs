//! Runs test programs side by side and records which tests passed.
//!
//! A program that passed is not run again while its inputs stay the same: its own file, the files that it may read, and what the
//! environment says about counts. Each skipped program is reported.

use super::inputs::Inputs;
use super::programs::{Compiled, Program};
use crate::build;
use crate::packages::{Package, Target};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The tests of a program that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Crate.
    pub package: String,
    /// Target.
    pub target: Target,
    /// Paths of its tests.
    pub tests: Vec<String>,
}

/// The last good run of a program.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    /// Hash of its inputs.
    inputs: u64,
    /// How long it took, in milliseconds.
    took_ms: u64,
    passed: Passed,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// The programs that passed, also those that were skipped.
    pub passed: Vec<Passed>,
    /// Programs that were skipped since their inputs did not change.
    pub skipped: usize,
}

/// Programs that run alone, after the others: they measure time or memory.
const ALONE: [(&str, &str); 1] = [("host-replay", "stream_memory")];

/// The folder of what chores keep between runs.
pub fn folder() -> PathBuf {
    build::target_folder().join("xtask")
}

/// Runs all programs, two at a time on two cores. The output of a failed program is printed whole.
///
/// # Errors
///
/// A test fails, or a program cannot be started.
pub fn run(compiled: &Compiled, packages: &[Package]) -> Result<Summary> {
    let inputs = Inputs::read()?;
    let stamps = folder().join("passed");
    fs::create_dir_all(&stamps).with_context(|| format!("cannot make {}", stamps.display()))?;
    let mut summary = Summary::default();
    let mut queue = Vec::new();
    for program in &compiled.tests {
        let key = inputs.of(program, compiled, packages);
        let file = stamps.join(program.executable.file_name().context("a program has a name")?).with_extension("json");
        let stamp = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok());
        match stamp {
            Some(stamp) if stamp.inputs == key => {
                summary.skipped += 1;
                summary.passed.push(stamp.passed);
            }
            // What took long before is started first, so that the cores end together; a new program counts as long.
            stamp => queue.push((stamp.map_or(u64::MAX, |stamp| stamp.took_ms), program, key, file)),
        }
    }
    queue.sort_by_key(|(took_ms, program, ..)| (std::cmp::Reverse(*took_ms), program.title()));
    let is_alone = |program: &Program| ALONE.contains(&(program.package.as_str(), program.target.name.as_str()));
    let (alone, together): (Vec<_>, Vec<_>) = queue.into_iter().partition(|(_, program, ..)| is_alone(program));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failed = Mutex::new(Vec::new());
    let passed = Mutex::new(Vec::new());
    for (queue, workers) in [(together, workers), (alone, 1)] {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((_, program, key, file)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                let end = Ended::of(program);
                println!("{}", end.line(program));
                match end.passed(program) {
                    Some(tests) => {
                        let took_ms = u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX);
                        let stamp = Stamp { inputs: *key, took_ms, passed: tests };
                        // Without its stamp the program only runs again.
                        let _ = serde_json::to_vec(&stamp).map(|text| fs::write(file, text));
                        lock(&passed).push(stamp.passed);
                    }
                    None => {
                        println!("{}", end.output);
                        lock(&failed).push(program.title());
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
    }
    summary.passed.extend(passed.into_inner().unwrap_or_default());
    let failed = failed.into_inner().unwrap_or_default();
    let tests: usize = summary.passed.iter().map(|passed| passed.tests.len()).sum();
    println!("tests: {tests} passed, {} failed", failed.len());
    if summary.skipped > 0 {
        println!(
            "{} of {} test programs were skipped: they passed, and nothing that they read has changed",
            summary.skipped,
            compiled.tests.len()
        );
    }
    if !failed.is_empty() {
        bail!("tests failed in {}", failed.join(", "));
    }
    Ok(summary)
}

/// A panic of another worker leaves the list as it was.
fn lock<T>(list: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    list.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A program that has ended.
struct Ended {
    succeeded: bool,
    output: String,
    took: Duration,
}

impl Ended {
    fn of(program: &Program) -> Ended {
        let start = Instant::now();
        let result = output(program);
        let (succeeded, output) = result.unwrap_or_else(|error| (false, format!("{error:#}")));
        Ended { succeeded, output, took: start.elapsed() }
    }

    fn line(&self, program: &Program) -> String {
        let end = if self.succeeded { "ok" } else { "FAILED" };
        let tests = tests(&self.output).count();
        format!("{end:6}  {:7.1} s  {:5} tests  {}", self.took.as_secs_f64(), tests, program.title())
    }

    /// The tests that passed, if all did.
    fn passed(&self, program: &Program) -> Option<Passed> {
        let tests = tests(&self.output).map(str::to_owned).collect();
        self.succeeded.then(|| Passed { package: program.package.clone(), target: program.target.clone(), tests })
    }
}

/// Runs a program as `cargo test` does: in the folder of its crate. Both streams of its output are read as one.
fn output(program: &Program) -> Result<(bool, String)> {
    let (mut reader, writer) = std::io::pipe()?;
    let mut command = Command::new(&program.executable);
    command.current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder);
    command.envs(program.counts.iter().copied()).env_remove("RUST_TEST_NOCAPTURE");
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.executable.display()))?;
    // The command holds the pipe's other end, which must close for the reading to end.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok((child.wait()?.success(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// The paths of the tests that an output reports as passed.
fn tests(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| {
        let path = line.trim_end().strip_prefix("test ")?.strip_suffix(" ... ok")?;
        Some(path.strip_suffix(" - should panic").unwrap_or(path))
    })
}

/// Keeps the list of passed tests for `cargo xtask coverage`.
///
/// # Errors
///
/// The target folder cannot be written.
pub fn keep(passed: &[Passed]) -> Result<PathBuf> {
    let file = folder().join("passed.json");
    write(&file, &serde_json::to_vec(passed)?)?;
    Ok(file)
}

/// Writes a file of the chores' folder.
///
/// # Errors
///
/// The target folder cannot be written.
pub fn write(file: &Path, text: &[u8]) -> Result<()> {
    fs::create_dir_all(folder())
        .and_then(|()| fs::write(file, text))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod unit {
    use super::tests;

    #[test]
    fn only_passed_tests_are_listed() {
        let output = "running 4 tests\ntest m::good ... ok\ntest m::bad ... FAILED\ntest m::left ... ignored\n\
                      test m::panics - should panic ... ok\n\ntest result: ok. 2 passed\n";
        assert_eq!(tests(output).collect::<Vec<_>>(), ["m::good", "m::panics"]);
    }
}
