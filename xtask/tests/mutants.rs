//! Tests the list of hand-made mutants without building them: each place occurs once in today's sources, and each catcher exists.

use component_builder::workspace_root as root;
use std::fs;
use xtask::mutants::{FILE, Mutant, Test, Verdict, find, read};

/// Maximum number of mutants that may survive.
const SURVIVORS_MAX: usize = 3;
/// Minimum number of mutants that must be caught.
const CAUGHT_MIN: usize = 150;

fn mutants() -> Vec<Mutant> {
    read(&root()).expect("a list without mistakes")
}

#[test]
fn each_mutants_place_occurs_once_in_its_file() {
    let wrong = mutants().into_iter().filter_map(|mutant| {
        let source = fs::read_to_string(root().join(&mutant.file));
        match source {
            Ok(source) => find(&mutant, &source).err().map(|error| error.to_string()),
            Err(error) => Some(format!("mutant `{}`: {}: {error}", mutant.id, mutant.file)),
        }
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0], "correct the lines in {FILE}");
}

#[test]
fn each_mutants_catcher_exists() {
    let mut wrong = Vec::new();
    for mutant in mutants() {
        match &mutant.verdict {
            Verdict::Scenarios(paths) => {
                for path in paths {
                    match fs::read_to_string(root().join(path)) {
                        Ok(text) if text.contains("\nknown_to_fail:") => {
                            wrong.push(format!("mutant `{}`: {path} is known to fail", mutant.id));
                        }
                        Ok(_) => {}
                        Err(error) => wrong.push(format!("mutant `{}`: {path}: {error}", mutant.id)),
                    }
                }
            }
            Verdict::Test(test) if !exists(test) => {
                wrong.push(format!(
                    "mutant `{}`: {} {} has no test {}",
                    mutant.id, test.package, test.target, test.name
                ));
            }
            Verdict::Test(_) | Verdict::Survives(_) => {}
        }
    }
    assert_eq!(wrong, [""; 0], "correct the lines in {FILE}");
}

#[test]
fn almost_all_mutants_must_be_caught() {
    let (survivors, caught): (Vec<_>, Vec<_>) =
        mutants().into_iter().partition(|mutant| matches!(mutant.verdict, Verdict::Survives(_)));
    assert!(survivors.len() <= SURVIVORS_MAX, "{} mutants survive: expected at most {SURVIVORS_MAX}", survivors.len());
    assert!(caught.len() >= CAUGHT_MIN, "{} mutants are caught: expected at least {CAUGHT_MIN}", caught.len());
}

/// Returns whether a source of the test's target has a function with the last part of the test's name. A target may run the cases of
/// a suite, which are in its package's library.
fn exists(test: &Test) -> bool {
    let package = xtask::packages::all().expect("the workspace's packages");
    let Some(package) = package.iter().find(|package| package.name == test.package) else { return false };
    let folders: &[&str] = if test.target == "lib" { &["src"] } else { &["tests", "src"] };
    let function = format!("fn {}(", test.name.rsplit("::").next().unwrap_or(&test.name));
    folders.iter().any(|folder| contains(&package.folder().join(folder), &function))
}

/// Returns whether a Rust source in a folder contains a text.
fn contains(folder: &std::path::Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => contains(&path, text),
        false => {
            path.extension().is_some_and(|extension| extension == "rs")
                && fs::read_to_string(&path).is_ok_and(|source| source.contains(text))
        }
    })
}
