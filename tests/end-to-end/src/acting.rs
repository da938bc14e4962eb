//! Plays scenarios with providers that act on real or local systems.

use crate::world::root;
use host_replay::library::{Sources, Story, stories};
use host_replay::live::LiveProviders;
use host_replay::parallel::in_order;
use host_replay::play::{CaseReport, PlayOptions, play};
use host_replay::runners::Runners;
use host_scenario::model::{Action, Kill, Step};
use host_store::fault::Moment;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

/// Number of stories played at a time.
const THREADS: usize = 2;

/// Loads the scenarios of a file or a folder, for `business` or the business of their folder.
pub fn load_stories(path: PathBuf, business: Option<&str>) -> Vec<Story> {
    let sources = Sources { business: business.map(str::to_owned), fixtures: Some(root().join("fixtures")) };
    stories(&[path], sources, &host_replay::native::runners()).expect("readable scenarios")
}

/// Plays a story in its first API version.
pub fn played(story: &Story, live: &LiveProviders, runners: &Runners) -> CaseReport {
    played_with(story, &PlayOptions { live: Some(live.clone()), ..PlayOptions::new(runners.clone()) })
}

/// Plays a story in its first API version with these options.
pub fn played_with(story: &Story, options: &PlayOptions) -> CaseReport {
    let case = story.cases.first().expect("a story has a version");
    let played = play(&story.scenario, case, &story.business, options);
    played.unwrap_or_else(|error| panic!("{}: {error}", story.scenario.file.display()))
}

/// The failures of a report, one line each.
pub fn failures(report: &CaseReport) -> Vec<String> {
    report.failures.iter().map(|it| format!("{}:{}: {}", it.file.display(), it.line, it.title)).collect()
}

/// Returns the kills for a story: at each step that is not a check, one before and one after each of the first `writes`
/// writes. Each kill comes with the index of its step. A kill at a write that does not occur has no effect.
pub fn kills(story: &Story, writes: u64) -> Vec<(usize, Kill)> {
    let steps = story.scenario.steps.iter().enumerate();
    let acting = steps.filter(|(_, step)| !matches!(step.action, Action::Check(_)));
    let moments = |write| [Moment::Before, Moment::After].map(|moment| Kill { write, moment, again: None });
    acting.flat_map(|(at, _)| (1..=writes).flat_map(moments).map(move |kill| (at, kill))).collect()
}

/// Returns a copy of a story in which the host is killed at step `at`. The event is delivered again after the kill and
/// may be a duplicate, so the step has no expectations.
pub fn killed_at(story: &Story, at: usize, kill: Kill) -> Story {
    let mut story = story.clone();
    let step = &mut Arc::make_mut(&mut story.scenario).steps[at];
    *step = Step { kill: Some(kill), ..step.without_expectations() };
    story
}

/// Runs `find` on each item, on several threads, and collects the results in item order.
pub fn found_in<T: Sync>(all: &[T], find: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(()) = in_order::<_, _, Infallible>(
        all.iter().collect(),
        THREADS,
        |one| find(one),
        |_, of_one| {
            found.extend(of_one);
            Ok(())
        },
    );
    found
}
