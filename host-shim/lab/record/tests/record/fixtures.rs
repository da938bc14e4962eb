//! Every scenario of two businesses: each account comes out, and replays to the same state.

use crate::common::{Played, SALT, business, fixtures, played};
use host_record::Verdict;
use host_replay::inputs::{Input, collect};
use host_scenario::model::Scenario;
use std::path::Path;

/// Scenarios of which an account's story does not come out, each with the reason.
const EXCEPT: [(&str, &str); 0] = [];

fn stories(name: &str) -> Vec<Scenario> {
    let inputs = collect(&[fixtures().join(name)]).expect("scenarios");
    let scenarios = inputs.into_iter().filter_map(|input| match input {
        Input::Scenario(file) => Some(Scenario::read(&file).expect("a scenario")),
        _ => None,
    });
    let of_this = |scenario: &Scenario| scenario.given.business.as_deref().is_none_or(|named| named == name);
    scenarios.filter(of_this).collect()
}

fn is_except(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    EXCEPT.iter().any(|(except, _)| *except == name)
}

/// What does not come out as it was, a line an account.
fn wrong(scenario: &Scenario, played: &Played, salt: Option<[u8; 32]>) -> Vec<String> {
    let mut wrong = Vec::new();
    for scope in played.scopes() {
        let exported = played.export(&scope, salt);
        let told = match (&exported.verdict, salt) {
            (Verdict::Same, _) | (Verdict::SameButReplaced(_), Some(_)) => continue,
            // What was erased is gone; the file says so.
            (Verdict::NotCompared(_), _) if exported.text.contains("were erased") => continue,
            (verdict, _) => format!("{verdict:?}"),
        };
        if !is_except(&scenario.file) {
            wrong.push(format!("{} {}: {told}", scenario.file.display(), scope.account));
        }
    }
    wrong
}

fn assert_all_come_out(name: &str, at_least: usize) {
    let (mut seen, mut told) = (0, Vec::new());
    for scenario in stories(name) {
        let played = played(&scenario, business(name), host_native::runners());
        for salt in [None, Some(SALT)] {
            told.extend(wrong(&scenario, &played, salt));
        }
        seen += played.scopes().len();
    }
    assert!(told.is_empty(), "{} of {seen}:\n{}", told.len(), told.join("\n"));
    assert!(seen >= at_least, "{seen} accounts");
}

#[test]
fn every_story_of_twobot_comes_out() {
    assert_all_come_out("twobot", 60);
}

#[test]
fn every_story_of_tesslate_comes_out() {
    assert_all_come_out("tesslate", 80);
}

#[test]
fn every_story_of_podcasts_comes_out() {
    assert_all_come_out("podcasts", 6);
}
