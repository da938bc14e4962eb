//! Runs what must catch a mutant: scenarios with `provisioner replay --native`, or one test of a test program.

use super::copy::{self, VARIABLE};
use super::list::Test;
use super::results::Outcome;
use super::{Mutant, Verdict};
use crate::replay::PLAYED;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The compiled programs of the copy.
pub struct Programs {
    /// The host.
    pub host: PathBuf,
    /// Test programs by package and target, each with the folder in which it runs.
    pub tests: BTreeMap<(String, String), (PathBuf, PathBuf)>,
}

/// Time after which a run is stopped. A mutant that runs longer counts as caught: without a mutant, each run takes seconds.
const STOPPED_AFTER: Duration = Duration::from_secs(60);
/// Time after which the search for catchers is stopped, for one mutant.
const SEARCH_STOPPED_AFTER: Duration = Duration::from_secs(600);
/// Time after which the simulation of a business is stopped.
const SIMULATION_STOPPED_AFTER: Duration = Duration::from_secs(120);
/// Interval between checks of a running program.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Exit code of `provisioner replay` for input that it cannot play.
const BAD_INPUT: i32 = 2;

/// Checks that every catcher passes without a mutant.
///
/// # Errors
///
/// Fails with the first catcher that does not pass.
pub fn all_pass(mutants: &[&Mutant], programs: &Programs) -> Result<()> {
    let mut scenarios: BTreeSet<&str> = BTreeSet::new();
    let mut tests: BTreeSet<&Test> = BTreeSet::new();
    for mutant in mutants {
        match &mutant.verdict {
            Verdict::Scenarios(paths) => scenarios.extend(paths.iter().map(String::as_str)),
            Verdict::Test(test) => drop(tests.insert(test)),
            Verdict::Survives(_) => {}
        }
    }
    // All at once first: separate runs are needed only after a failure.
    if !scenarios.is_empty() && finish(&mut play(programs, scenarios.iter().copied()), None, STOPPED_AFTER)? != Some(0)
    {
        for scenario in scenarios {
            if finish(&mut play(programs, [scenario]), None, STOPPED_AFTER)? != Some(0) {
                bail!("{scenario} fails without a mutant:\n{}", output()?);
            }
        }
    }
    for test in tests {
        let code = finish(&mut command_of(test, programs)?, None, STOPPED_AFTER)?;
        if code != Some(0) || !output()?.contains("test result: ok. 1 passed") {
            bail!("test {} of {} does not pass without a mutant:\n{}", test.name, test.package, output()?);
        }
    }
    Ok(())
}

/// Runs the catchers of a mutant.
///
/// # Errors
///
/// Fails if a catcher can't be run.
pub fn run(mutant: &Mutant, programs: &Programs) -> Result<Outcome> {
    let start = Instant::now();
    let mut passed = None;
    match &mutant.verdict {
        Verdict::Scenarios(paths) => {
            for path in paths {
                match finish(&mut play(programs, [path.as_str()]), Some(mutant), STOPPED_AFTER)? {
                    Some(0) => passed = Some(path.clone()),
                    Some(BAD_INPUT) => bail!("mutant `{}`: {path} cannot be played:\n{}", mutant.id, output()?),
                    _ => {}
                }
            }
        }
        Verdict::Test(test) => {
            if finish(&mut command_of(test, programs)?, Some(mutant), STOPPED_AFTER)? == Some(0) {
                passed = Some(format!("test {} of {}", test.name, test.package));
            }
        }
        Verdict::Survives(_) => {}
    }
    Ok(Outcome { passed, seconds: start.elapsed().as_secs_f64() })
}

/// Plays all scenarios with a mutant, and returns the paths of those that fail.
///
/// # Errors
///
/// Fails if the host can't be run.
pub fn failing_scenarios(mutant: &Mutant, programs: &Programs) -> Result<Vec<String>> {
    let mut command = play(programs, ["--format", "json"]);
    command.args(PLAYED);
    if finish(&mut command, Some(mutant), SEARCH_STOPPED_AFTER)?.is_none() {
        return Ok(vec!["(the search was stopped)".to_owned()]);
    }
    Ok(failed_in(&output()?))
}

/// Returns the law that a mutant breaks in a variant of its scenarios, or the first difference in a simulation of its business and of
/// the others; `None` if there is none. The expectations of scenarios are not checked.
///
/// # Errors
///
/// Fails if the host can't be run.
pub fn broken_law(mutant: &Mutant, programs: &Programs) -> Result<Option<String>> {
    let mut businesses = BUSINESSES.to_vec();
    if let Verdict::Scenarios(paths) = &mutant.verdict {
        let mut command = Command::new(&programs.host);
        command.current_dir(copy::root()).args(["explore", "--native", "--samples", "20", "--jobs", "1"]);
        command.args(["--only", "orders,repeats,drops,failures,endings,edits", "--budget", "40s", "--format", "json"]);
        command.arg("--write").arg(copy::folder().join("explored")).args(paths);
        finish(&mut command, Some(mutant), STOPPED_AFTER)?;
        let broken = output()?.lines().find_map(|line| serde_json::from_str::<Explored>(line).ok());
        if let Some(Explored { broken }) = broken {
            return Ok(Some(format!("explore, {}: {}: {}", broken.kind, broken.law, broken.what)));
        }
        // The business of the scenario comes first.
        businesses.sort_by_key(|business| !paths.iter().any(|path| path.contains(&format!("{business}/"))));
    }
    for business in businesses {
        let mut command = Command::new(&programs.host);
        command.current_dir(copy::root()).args(["simulate", business, "--native", "--seed", "1", "--jobs", "1"]);
        command.args(["--customers", "50", "--days", "60", "--format", "json"]);
        if finish(&mut command, Some(mutant), SIMULATION_STOPPED_AFTER)? != Some(0) {
            let line = output()?.lines().next().unwrap_or_default().to_owned();
            return Ok(Some(format!("simulate {business}: {line}")));
        }
    }
    Ok(None)
}

/// The businesses that can be simulated: their names in the fixtures, or their folders.
const BUSINESSES: [&str; 8] =
    ["tesslate", "full-podcasts", "solobase", "seats", "orchestra", "twobot", "families-and-add-ons", "saas-plugins"];

/// A line of an `explore` report about a broken law.
#[derive(Deserialize)]
struct Explored {
    broken: Broken,
}

/// A broken law.
#[derive(Deserialize)]
struct Broken {
    kind: String,
    law: String,
    what: String,
}

/// A line of a JSON report; only lines about a case have the member.
#[derive(Deserialize)]
struct Line {
    case: Option<Case>,
}

/// The end of a scenario in one API version.
#[derive(Deserialize)]
struct Case {
    file: String,
    status: String,
}

/// Returns the paths of the scenarios with failed cases in a JSON report.
fn failed_in(report: &str) -> Vec<String> {
    let lines = report.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let failed = lines.filter_map(|line| line.case).filter(|case| case.status == "failed");
    failed.map(|case| case.file).collect::<BTreeSet<String>>().into_iter().collect()
}

/// Returns the command that plays scenarios in the copy.
fn play<'a>(programs: &Programs, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(&programs.host);
    command.current_dir(copy::root()).args(["replay", "--native"]).args(args);
    command
}

/// Returns the command that runs one test.
fn command_of(test: &Test, programs: &Programs) -> Result<Command> {
    let key = (test.package.clone(), test.target.clone());
    let (program, folder) = programs.tests.get(&key).with_context(|| format!("no program for {key:?}"))?;
    let mut command = Command::new(program);
    command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder).args(["--exact", &test.name]);
    Ok(command)
}

/// Returns the output of the last run.
fn output() -> Result<String> {
    let bytes = fs::read(copy::folder().join("output.txt")).context("cannot read the output of a run")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a command with a mutant. Returns the exit code; none if the program was stopped or ended by a signal.
fn finish(command: &mut Command, mutant: Option<&Mutant>, stopped_after: Duration) -> Result<Option<i32>> {
    match mutant {
        Some(mutant) => command.env(VARIABLE, &mutant.id),
        None => command.env_remove(VARIABLE),
    };
    let file = File::create(copy::folder().join("output.txt")).context("cannot write the output of a run")?;
    let errors = file.try_clone().context("cannot write the output of a run")?;
    let program = command.get_program().to_owned();
    let start = Instant::now();
    let mut child = command
        .stdout(file)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("cannot run {}", program.to_string_lossy()))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if start.elapsed() > stopped_after {
            child.kill().and_then(|()| child.wait())?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::failed_in;

    #[test]
    fn a_report_names_the_files_of_failed_cases_once() {
        let case = |file: &str, status: &str| format!("{{\"case\":{{\"file\":\"{file}\",\"status\":\"{status}\"}}}}\n");
        let report = [case("a.yml", "held"), case("b.yml", "failed"), case("b.yml", "failed"), "{}\n".into()].concat();
        assert_eq!(failed_in(&report), ["b.yml"]);
    }
}
