//! What the properties share.

use end_to_end::compare::difference;
use end_to_end::play;
use end_to_end::story::{Part, Story};
use end_to_end::world::{Setup, World};
use proptest::prelude::TestCaseError;
use proptest::test_runner::{Config, FileFailurePersistence};
use serde_json::{Value, json};

/// `default` cases, or as many as `PROPTEST_CASES` says.
pub fn cases(default: u32) -> Config {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    Config {
        cases: if given { Config::default().cases } else { default },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 500,
        ..Config::default()
    }
}

/// A broken law is told with its stories, which are written down. Shrinking ends with the smallest one that fails, so
/// that is what the files hold at the end.
pub fn told(property: &str, stories: &[&Story], law: Result<(), String>) -> Result<(), TestCaseError> {
    law.map_err(|problem| {
        let files = stories.iter().map(|story| {
            let name = match stories {
                [_] => property.to_owned(),
                _ => format!("{property}-{}", story.account.replace(':', "-")),
            };
            story.write(&name).display().to_string()
        });
        let files: Vec<String> = files.collect();
        TestCaseError::fail(format!("{problem}\nwritten to {}", files.join(" and ")))
    })
}

/// A host on which these parts were played.
pub fn played(parts: &[Part]) -> World {
    let mut world = World::start(Setup::default());
    play::whole(&mut world, parts);
    world
}

/// Two hosts are in one state.
pub fn same_state(expected: &World, found: &World, what: &str) -> Result<(), String> {
    if let Some(report) = found.reports.iter().find(|report| report.result.name() == "failed") {
        return Err(format!("{what}: {} failed: {}", report.event_id, report.result.reason().unwrap_or_default()));
    }
    if expected.state() == found.state() {
        return Ok(());
    }
    match difference(&without_absent(expected.document()), &without_absent(found.document())) {
        Some(difference) => Err(format!("{what}: {difference}")),
        None => Ok(()),
    }
}

/// A state without resources that are absent: one that was asked for and taken back before it began leaves its entry
/// behind, which says the same as none.
fn without_absent(mut document: Value) -> Value {
    let accounts = document["accounts"].as_array_mut().into_iter().flatten();
    let sagas = accounts.filter_map(|rows| rows.pointer_mut("/records/sagas")).filter_map(Value::as_array_mut);
    for saga in sagas.flatten() {
        if let Some(resources) = saga.pointer_mut("/value/resources").and_then(Value::as_object_mut) {
            resources.retain(|_, resource| *resource != json!({"state": "absent"}));
        }
    }
    document
}
