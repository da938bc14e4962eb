//! Tests of the server over HTTP. Every scenario of the fixtures ends in the same state when its events come over HTTP:
//! webhooks are signed, commands and events are posted. Only the clock, the ids and the scripted provider are given through
//! the library.

mod alerts;

mod away;
mod beside_providers;
mod clock_jumps;
mod commands;
mod console;
mod document;
mod endpoints;
mod identity;
mod issuers;
mod leaving;
mod limits;
mod links;
mod matrix;
mod measured;
mod operations;
mod operator;
mod orchestra;
mod overdue;
mod pages;
mod player;
mod products;
mod proof;
mod rates;
mod raw;
mod registry;
mod revenue;
mod rights;
mod saas_plugins;
mod self_service;
mod server;
mod shares;
mod stream;
mod surface;
mod sweep;
mod tesslate;
mod twobot;
mod webhooks;

use end_to_end::cases::one_story_in;
use end_to_end::world::root;
use host_replay::library::{Sources, Story, stories};
use player::{holds_effects, play};
use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Number of threads that play scenarios.
const THREADS: usize = 2;

/// The state hash that each case must have, by scenario and API version, or by scenario alone if all versions agree.
fn expected() -> HashMap<String, String> {
    let text = fs::read_to_string(root().join("fixtures/states.txt")).expect("fixtures/states.txt");
    let mut expected = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(scenario), Some(hash)) = (words.next(), words.next()) else { panic!("{line}") };
        match words.next() {
            None => drop(expected.insert(scenario.to_owned(), hash.to_owned())),
            Some(versions) => versions.split(',').for_each(|version| {
                expected.insert(format!("{scenario} {version}"), hash.to_owned());
            }),
        }
    }
    expected
}

/// Plays the cases of a scenario and returns those that end in another state.
fn differing(story: &Story, expected: &HashMap<String, String>) -> Vec<String> {
    let path = story.scenario.file.strip_prefix(root()).expect("a file of this repository").display().to_string();
    let mut differing = Vec::new();
    for case in &story.cases {
        let wanted = expected.get(&path).or_else(|| expected.get(&format!("{path} {}", case.version)));
        let wanted = wanted.unwrap_or_else(|| panic!("{path} {}: not in fixtures/states.txt", case.version));
        let state = play(story, case);
        if state != *wanted {
            differing.push(format!("{path} {}: {state}", case.version));
        }
    }
    differing
}

/// A plain run plays one scenario of [`one_story_in`].
#[test]
fn every_scenario_of_the_fixtures_ends_in_the_same_state_over_http() {
    let sources = Sources { business: None, fixtures: Some(test_support::fixtures()) };
    let mut stories =
        stories(&test_support::played(), sources, &host_replay::native::runners()).expect("valid fixtures");
    let all = stories.len();
    stories.retain(|story| !holds_effects(story));
    assert_eq!(all - stories.len(), 1, "scenarios that no requests can play");
    assert!(stories.len() > 700, "{} scenarios", stories.len());
    let stories: Vec<_> = stories.into_iter().step_by(one_story_in()).collect();
    let (expected, next) = (expected(), AtomicUsize::new(0));
    let differing: Vec<String> = thread::scope(|scope| {
        let play_some = || {
            let mut found = Vec::new();
            while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.extend(differing(story, &expected));
            }
            found
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(play_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(differing, [""; 0]);
}
