//! Budgets apply to the events of any extension.

use super::toy::ToyRunner;
use host_replay::run::{Finished, ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::fs;
use std::path::Path;

/// A scenario of the toy extension. Its events contain the number of additional host calls.
const STORY: &str = "name: x\ngiven: {account: user:a}\nbudget: {host_calls: 12}  # of each\nevents:\n  \
    - {command: few, payload: {calls: 2}, expect: applied}\n  - {command: many, payload: {calls: 20}, expect: applied}\n  \
    - command: more\n    payload: {calls: 20}\n    budget: {host_calls: 100}\n    expect: applied\n";

fn played(file: &Path, bless: bool) -> Finished {
    let runners = Runners::new("toy", || Ok(Box::new(ToyRunner::new(1))));
    let options = ReplayOptions { bless, ..ReplayOptions::new(runners) };
    replay(&[file.to_owned()], &mut std::io::empty(), &options, &mut Silent).expect("it can be played")
}

fn titles(finished: &Finished) -> Vec<String> {
    let failures = finished.cases.iter().flat_map(|case| &case.failures);
    failures.map(|failure| format!("{}: {}", failure.line, failure.title)).collect()
}

fn written(folder: &Path, budgets: [&str; 2]) -> std::path::PathBuf {
    fs::write(folder.join("catalog.yml"), "{}\n").expect("written");
    let file = folder.join("story.yml");
    let text = STORY.replace("host_calls: 12}", budgets[0]).replace("host_calls: 100}", budgets[1]);
    fs::write(&file, text).expect("written");
    file
}

#[test]
fn an_event_that_calls_its_host_too_often_fails_its_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), ["host_calls: 12}", "host_calls: 100}"]);
    let finished = played(&file, false);
    let found = titles(&finished);
    assert_eq!(found.len(), 1, "the first is within its budget, the last has its own: {found:?}");
    assert!(
        found[0].starts_with("3: cmd_2.budget.host_calls: used 2") && found[0].ends_with(" more than 12"),
        "{found:?}"
    );
    assert_eq!((finished.exit_code(), finished.cases[0].over.len()), (1, 1));
}

#[test]
fn a_steps_budget_overrides_the_scenarios_and_fuel_is_checked_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), ["host_calls: 100, fuel: 1}", "host_calls: 3}"]);
    let found = titles(&played(&file, false));
    let fuel = found.iter().filter(|title| title.starts_with("3: ") && title.contains("budget.fuel: used ")).count();
    let calls = found.iter().filter(|title| title.starts_with("9: cmd_3.budget.host_calls: used ")).count();
    assert_eq!((fuel, calls, found.len()), (3, 1, 4), "{found:?}");
}

#[test]
fn bless_raises_only_exceeded_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), ["host_calls: 12}", "host_calls: 100}"]);
    let before = fs::read_to_string(&file).expect("the file");
    let finished = played(&file, true);
    assert_eq!(titles(&finished), [""; 0]);
    assert_eq!(finished.raised.len(), 1);
    let max = finished.raised[0].max;
    assert!(max > 20, "{max}");
    assert_eq!(
        fs::read_to_string(&file).expect("the file"),
        before.replace("host_calls: 12}", &format!("host_calls: {max}}}"))
    );
    let again = played(&file, false);
    assert_eq!(titles(&again), [""; 0], "the raised limits hold");
    assert!(played(&file, true).raised.is_empty(), "and is not raised again");
}
