//! Scenarios with providers that do something in the world, and what is left there after a crash.

#[path = "providers/killed.rs"]
mod killed;
#[path = "providers/local.rs"]
mod local;

use end_to_end::world::root;
use host_replay::host::StoreKind;
use host_replay::library::{Sources, Story, stories};
use host_replay::play::{CaseReport, Order, PlayOptions, play};
use host_replay::runners::Runners;
use host_replay::world::World;
use host_world::{Name, Opened, Options, open};
use std::path::PathBuf;
use std::time::Duration;

/// How long a step may wait for a provider: none of this machine works for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The scenarios of these files and folders under `fixtures`.
fn told(paths: &[&str]) -> Vec<Story> {
    let fixtures = root().join("fixtures");
    let paths: Vec<PathBuf> = paths.iter().map(|path| fixtures.join(path)).collect();
    let sources = Sources { business: None, fixtures: Some(fixtures) };
    stories(&paths, sources, &Runners::native()).expect("the project's own scenarios can be read")
}

/// What this machine makes, in a folder that goes with it.
fn machine() -> (World, Opened) {
    let opened = open(&Options { names: vec![Name::Local], ..Options::default() }).expect("a scratch folder");
    (World::new(opened.registry.clone()).with_patience(PATIENCE), opened)
}

/// A story in its first version, in a world of its own.
fn played(story: &Story, world: &World) -> CaseReport {
    let options = PlayOptions {
        runners: Runners::native(),
        store: StoreKind::Memory,
        order: Order::Written,
        repeat: 1,
        bless: false,
        world: Some(world.clone()),
    };
    let case = story.cases.first().expect("a story has a version");
    let played = play(&story.scenario, case, &story.business, &options);
    played.unwrap_or_else(|error| panic!("{}: {error}", story.scenario.file.display()))
}

/// What did not hold, a line each.
fn failures(report: &CaseReport) -> Vec<String> {
    report.failures.iter().map(|it| format!("{}:{}: {}", it.file.display(), it.line, it.title)).collect()
}
