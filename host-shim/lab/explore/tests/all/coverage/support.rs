//! Makes folders of scenarios, and measures their coverage.

use host_explore::coverage::{CoverOptions, Coverage, Item, cover, human, json};
use host_replay::runners::Runners;
use serde_json::Value;
use std::fs;
use std::path::Path;
use test_support::in_business;

/// A new folder with the catalog and some scenarios of `fixtures/catalogs/full-podcasts`.
pub fn podcasts(scenarios: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = in_business("full-podcasts");
    fs::copy(from.join("catalog.yml"), folder.path().join("catalog.yml")).expect("copied");
    for name in scenarios {
        let name = format!("{name}.yml");
        fs::copy(from.join("scenarios").join(&name), folder.path().join(&name)).expect("copied");
    }
    folder
}

pub fn write(folder: &tempfile::TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("written");
}

/// The coverage of a folder with our extension.
pub fn covered(folder: &Path) -> Coverage {
    covered_by(folder, host_replay::native::runners())
}

pub fn covered_by(folder: &Path, runners: Runners) -> Coverage {
    let options = CoverOptions { business: None, fixtures: None, runners, stripe: None };
    let mut steps = 0;
    let found = cover(&[folder.to_owned()], &mut std::io::empty(), &options, &mut |_| steps += 1);
    let found = found.expect("playable scenarios");
    assert!(steps > 1, "progress is reported");
    found
}

/// The items of a section.
pub fn section<'c>(coverage: &'c Coverage, begins: &str) -> &'c [Item] {
    let found = coverage.sections.iter().find(|section| section.name.starts_with(begins));
    &found.unwrap_or_else(|| panic!("no section {begins}")).items
}

/// Number of times that an item of a section was reached.
pub fn reached(coverage: &Coverage, of: &str, name: &str) -> u64 {
    let found = section(coverage, of).iter().find(|item| item.name == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {of}")).reached
}

/// Names of the items of a section that were not reached.
pub fn holes<'c>(coverage: &'c Coverage, of: &str) -> Vec<&'c str> {
    let missing = section(coverage, of).iter().filter(|item| item.reached == 0);
    missing.map(|item| item.name.as_str()).collect()
}

pub fn report(coverage: &Coverage, min: u32) -> String {
    let mut out = Vec::new();
    human(coverage, min, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

pub fn lines(coverage: &Coverage, min: u32) -> Vec<Value> {
    let mut out = Vec::new();
    json(coverage, min, &mut out).expect("written");
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
