//! Exports each account of scenarios of three businesses, and checks that the export replays to the same state. A plain run
//! takes one scenario of sixteen; `ONE_STORY_IN=1` takes all.

use crate::record::common::{Played, SALT, business, played};
use host_explore::record::Verdict;
use host_replay::inputs::{Input, collect};
use host_scenario::model::Scenario;
use std::path::Path;
use test_support::{in_business, one_story_in};

/// Scenarios with an account that can't be exported, each with the reason.
const EXCEPT: [(&str, &str); 0] = [];

fn stories(name: &str) -> Vec<Scenario> {
    let inputs = collect(&[in_business(name)]).expect("scenarios");
    let scenarios = inputs.into_iter().filter_map(|input| match input {
        Input::Scenario(file) => Some(Scenario::read(&file).expect("a scenario")),
        _ => None,
    });
    let of_this = |scenario: &Scenario| scenario.given.business.as_deref().is_none_or(|named| named == name);
    scenarios.filter(of_this).step_by(one_story_in()).collect()
}

fn is_except(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    EXCEPT.iter().any(|(except, _)| *except == name)
}

/// Returns the accounts whose export differs, one line for each.
fn wrong(scenario: &Scenario, played: &Played, salt: Option<[u8; 32]>) -> Vec<String> {
    let mut wrong = Vec::new();
    for scope in played.scopes() {
        let exported = played.export(&scope, salt);
        let problem = match (&exported.verdict, salt) {
            (Verdict::Same, _) | (Verdict::SameButReplaced(_), Some(_)) => continue,
            // Erased events can't be exported; the file says so.
            (Verdict::NotCompared(_), _) if exported.text.contains("were erased") => continue,
            (verdict, _) => format!("{verdict:?}"),
        };
        if !is_except(&scenario.file) {
            wrong.push(format!("{} {}: {problem}", scenario.file.display(), scope.account));
        }
    }
    wrong
}

fn assert_all_are_exported(name: &str, at_least: usize) {
    let (mut seen, mut problems) = (0, Vec::new());
    for scenario in stories(name) {
        let played = played(&scenario, business(name), host_replay::native::runners());
        for salt in [None, Some(SALT)] {
            problems.extend(wrong(&scenario, &played, salt));
        }
        seen += played.scopes().len();
    }
    assert!(problems.is_empty(), "{} of {seen}:\n{}", problems.len(), problems.join("\n"));
    assert!(seen >= (at_least / one_story_in()).max(1), "{seen} accounts");
}

#[test]
fn every_account_of_twobot_is_exported() {
    assert_all_are_exported("twobot", 60);
}

#[test]
fn every_account_of_tesslate_is_exported() {
    assert_all_are_exported("tesslate", 80);
}

#[test]
fn every_account_of_full_podcasts_is_exported() {
    assert_all_are_exported("full-podcasts", 6);
}
