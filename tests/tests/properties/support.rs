//! What the properties share.

use end_to_end::compare::difference;
use end_to_end::play;
use end_to_end::story::{Part, Story};
use end_to_end::world::{Setup, World};
use proptest::prelude::TestCaseError;
use proptest::test_runner::Config;

/// `default` cases, or as many as `PROPTEST_CASES` says.
pub fn cases(default: u32) -> Config {
    end_to_end::cases::cases(default, 500)
}

/// A broken law is told with its stories, which are written down. Shrinking ends with the smallest one that fails, so
/// that is what the files hold at the end.
pub fn told(property: &str, stories: &[&Story], law: Result<(), String>) -> Result<(), TestCaseError> {
    law.map_err(|problem| {
        let files = stories.iter().flat_map(|story| {
            let name = match stories {
                [_] => property.to_owned(),
                _ => format!("{property}-{}", story.account.replace(':', "-")),
            };
            end_to_end::story::write(story, &name)
        });
        let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
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
    let difference = difference(&expected.document(), &found.document());
    Err(format!("{what}: {}", difference.unwrap_or_else(|| "another hash of the same document".to_owned())))
}
