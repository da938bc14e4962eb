//! Runs test programs side by side and records which tests passed.
//!
//! A program that passed is not run again while its inputs stay the same: its own file, the files that it may read, and the counts set
//! in the environment. Each skipped program is reported.

use super::inputs::{self, Inputs};
use super::programs::{Compiled, Program};
use crate::build;
use crate::packages::{Package, Target};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Condvar, Mutex};
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

/// The last successful run of a program.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    /// Hash of its inputs.
    inputs: u64,
    /// How long it took, in milliseconds.
    took_ms: u64,
    passed: Passed,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// The programs that passed, including those that were skipped.
    pub passed: Vec<Passed>,
}

/// Programs that run alone, after the others, because they measure time or memory.
const ALONE: [(&str, &str); 1] = [("host-replay", "stream_memory")];
/// Programs that take minutes. They are started first if no program has run yet, so that both cores are busy until the end.
const LONG: [(&str, &str); 3] = [("end-to-end", "all"), ("provisioner", "cli"), ("host-explore", "all")];

/// The folder for what commands keep between runs.
pub fn folder() -> PathBuf {
    build::target_folder().join("xtask")
}

/// Runs all programs, two at a time on two cores. The output of a failed program is printed in full.
///
/// Programs that do not read the component run alongside `before`, all others once it has ended.
///
/// # Errors
///
/// Fails if a test fails, a program cannot be started, or `before` fails.
pub fn run<'c>(
    compiled: &'c Compiled,
    packages: &[Package],
    before: impl FnOnce() -> Result<()> + Send,
) -> Result<Summary> {
    let stamps = folder().join("passed");
    fs::create_dir_all(&stamps).with_context(|| format!("cannot make {}", stamps.display()))?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut inputs = Inputs::read()?;
    let runs = Runs::default();
    let queued = |programs: Vec<&'c Program>, inputs: &Inputs| {
        let keyed = programs.into_iter().map(|program| (program, inputs.of(program, compiled, packages)));
        runs.queue(keyed.collect(), &stamps)
    };
    let (readers, others): (Vec<_>, Vec<_>) =
        compiled.tests.iter().partition(|program| inputs::reads_component(program, packages));
    let mut first = queued(others, &inputs)?;
    let mut alone = take_alone(&mut first);
    let queue = Queue::of(first);
    let before = thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| runs.run(&queue));
        }
        // The queue is completed even if this fails, because the workers wait for it.
        let mut then = before().and_then(|()| {
            inputs.read_component();
            queued(readers, &inputs)
        });
        alone.extend(then.as_mut().map(take_alone).unwrap_or_default());
        let (rest, result) = then.map_or_else(|error| (Vec::new(), Err(error)), |rest| (rest, Ok(())));
        queue.complete(rest);
        result
    });
    before?;
    let queue = Queue::of(alone);
    queue.complete(Vec::new());
    runs.run(&queue);
    runs.report(compiled.tests.len())
}

/// The programs that wait for a worker, longest first.
struct Queue<'c> {
    waiting: Mutex<Waiting<'c>>,
    changed: Condvar,
}

struct Waiting<'c> {
    programs: VecDeque<Queued<'c>>,
    /// True if no further programs will be added.
    is_complete: bool,
}

impl<'c> Queue<'c> {
    fn of(mut programs: Vec<Queued<'c>>) -> Queue<'c> {
        sort(&mut programs);
        Queue {
            waiting: Mutex::new(Waiting { programs: programs.into(), is_complete: false }),
            changed: Condvar::new(),
        }
    }

    /// Adds the last programs.
    fn complete(&self, programs: Vec<Queued<'c>>) {
        let mut waiting = lock(&self.waiting);
        waiting.programs.extend(programs);
        sort(waiting.programs.make_contiguous());
        waiting.is_complete = true;
        self.changed.notify_all();
    }

    /// Returns the next program, and waits until there is one. Returns nothing after the last program.
    fn next(&self) -> Option<Queued<'c>> {
        let mut waiting = lock(&self.waiting);
        while waiting.programs.is_empty() && !waiting.is_complete {
            waiting = self.changed.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        waiting.programs.pop_front()
    }
}

/// A program that must run, since its inputs changed.
struct Queued<'c> {
    program: &'c Program,
    /// Hash of its inputs.
    key: u64,
    /// Time of its last run in milliseconds. If it never ran, the maximum for a program that takes minutes, and the minimum for others.
    took_ms: u64,
    /// File of its stamp.
    stamp: PathBuf,
}

/// Sorts by time. The longest program is started first, so that the cores finish together.
fn sort(queue: &mut [Queued<'_>]) {
    queue.sort_by_key(|queued| (std::cmp::Reverse(queued.took_ms), queued.program.title()));
}

/// Takes the programs that must run alone.
fn take_alone<'c>(queue: &mut Vec<Queued<'c>>) -> Vec<Queued<'c>> {
    let is_alone = |queued: &mut Queued<'_>| {
        ALONE.contains(&(queued.program.package.as_str(), queued.program.target.name.as_str()))
    };
    queue.extract_if(.., is_alone).collect()
}

/// The results of programs.
#[derive(Default)]
struct Runs {
    skipped: Mutex<Vec<Passed>>,
    passed: Mutex<Vec<Passed>>,
    failed: Mutex<Vec<String>>,
}

impl Runs {
    /// Returns the programs that must run. Each has the hash of its inputs. A program that passed with the same inputs is
    /// skipped.
    fn queue<'c>(&self, programs: Vec<(&'c Program, u64)>, stamps: &Path) -> Result<Vec<Queued<'c>>> {
        let mut queue = Vec::new();
        for (program, key) in programs {
            let name = program.executable.file_name().context("a program has a name")?;
            let kind = if program.only.is_empty() { "json" } else { "counts.json" };
            let stamp = stamps.join(name).with_extension(kind);
            let last = fs::read(&stamp).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok());
            match last {
                Some(last) if last.inputs == key => lock(&self.skipped).push(last.passed),
                last => {
                    let is_long = LONG.contains(&(program.package.as_str(), program.target.name.as_str()));
                    let took_ms = last.map_or(if is_long { u64::MAX } else { 1 }, |last| last.took_ms);
                    queue.push(Queued { program, key, took_ms, stamp });
                }
            }
        }
        Ok(queue)
    }

    /// Runs the programs of a queue, one after another.
    fn run(&self, queue: &Queue<'_>) {
        while let Some(queued) = queue.next() {
            self.run_one(&queued);
        }
    }

    fn run_one(&self, queued: &Queued<'_>) {
        let end = Ended::of(queued.program);
        println!("{}", end.line(queued.program));
        match end.passed(queued.program) {
            Some(tests) => {
                let took_ms = u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX);
                let stamp = Stamp { inputs: queued.key, took_ms, passed: tests };
                // Without its stamp, the program merely runs again.
                let _ = serde_json::to_vec(&stamp).map(|text| fs::write(&queued.stamp, text));
                lock(&self.passed).push(stamp.passed);
            }
            None => {
                println!("{}", end.output);
                lock(&self.failed).push(queued.program.title());
            }
        }
    }

    /// Prints the totals.
    fn report(self, programs: usize) -> Result<Summary> {
        let mut passed = self.skipped.into_inner().unwrap_or_default();
        let skipped = passed.len();
        passed.extend(self.passed.into_inner().unwrap_or_default());
        let failed = self.failed.into_inner().unwrap_or_default();
        let tests: usize = passed.iter().map(|passed| passed.tests.len()).sum();
        println!("tests: {tests} passed, {} failed", failed.len());
        if skipped > 0 {
            println!(
                "{skipped} of {programs} test programs were skipped: they passed before, and their inputs have not changed"
            );
        }
        if !failed.is_empty() {
            bail!("tests failed in {}", failed.join(", "));
        }
        Ok(Summary { passed })
    }
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
        let (mut succeeded, mut output) = result.unwrap_or_else(|error| (false, format!("{error:#}")));
        let unused = program.only.iter().filter(|start| !tests(&output).any(|test| test.starts_with(**start)));
        let unused: Vec<&str> = unused.copied().collect();
        if succeeded && !unused.is_empty() {
            succeeded = false;
            output = format!("{} has no test whose path begins with {}", program.title(), unused.join(" or "));
        }
        Ended { succeeded, output, took: start.elapsed() }
    }

    fn line(&self, program: &Program) -> String {
        let end = if self.succeeded { "ok" } else { "FAILED" };
        let tests = tests(&self.output).count();
        format!("{end:6}  {:7.1} s  {:5} tests  {}", self.took.as_secs_f64(), tests, program.title())
    }

    /// Returns the tests that passed, if all did.
    fn passed(&self, program: &Program) -> Option<Passed> {
        let tests = tests(&self.output).map(str::to_owned).collect();
        self.succeeded.then(|| Passed { package: program.package.clone(), target: program.target.clone(), tests })
    }
}

/// Runs a program. Both streams of its output are read as one.
fn output(program: &Program) -> Result<(bool, String)> {
    let (mut reader, writer) = std::io::pipe()?;
    let mut command = program.command();
    command.env_remove("RUST_TEST_NOCAPTURE");
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.executable.display()))?;
    // The command holds the other end of the pipe, which must close for the reading to end.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok((child.wait()?.success(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns the paths of the tests that an output reports as passed.
fn tests(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| {
        let path = line.trim_end().strip_prefix("test ")?.strip_suffix(" ... ok")?;
        Some(path.strip_suffix(" - should panic").unwrap_or(path))
    })
}

/// Saves the list of passed tests for `cargo xtask coverage`.
///
/// # Errors
///
/// Fails if the target folder cannot be written.
pub fn keep(passed: &[Passed]) -> Result<PathBuf> {
    let file = folder().join("passed.json");
    write(&file, &serde_json::to_vec(passed)?)?;
    Ok(file)
}

/// Writes a file in the commands' folder.
///
/// # Errors
///
/// Fails if the target folder cannot be written.
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
