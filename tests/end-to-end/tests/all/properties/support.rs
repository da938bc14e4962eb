//! Functions that several property tests use.

use end_to_end::books::Books;
use end_to_end::compare::{difference, of_account};
use end_to_end::judged::holds;
use end_to_end::play;
use end_to_end::story::{Part, Story};
use end_to_end::traders::CheckedStory;
use end_to_end::world::{Setup, World};
use proptest::prelude::TestCaseError;
use proptest::test_runner::Config;
use serde_json::Value;

/// Returns a configuration with `default` fixed cases, or with `PROPTEST_CASES` random cases.
pub fn cases(default: u32) -> Config {
    end_to_end::cases::cases(default, 500)
}

/// Reports a broken law, and writes its stories to files. Shrinking ends with the smallest failing story, so at the end
/// the files contain that story.
pub fn report_failure(property: &str, stories: &[&Story], law: Result<(), String>) -> Result<(), TestCaseError> {
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

/// Plays parts on a new host.
pub fn played(setup: &Setup, parts: &[Part]) -> World {
    let mut world = World::start(setup.clone());
    play::whole(&mut world, parts);
    world
}

/// Plays parts of a story on a new host, and checks each with the oracle.
pub fn judged(setup: &Setup, checked: &CheckedStory, parts: &[Part]) -> Result<World, String> {
    let mut world = World::start(setup.clone());
    holds(checked, parts, &mut world, true)?;
    Ok(world)
}

/// The amount that a ledger entry moves into an account of the ledger, in minor units.
pub fn moved(entry: &Value, into: &str) -> i64 {
    let postings = entry["postings"].as_array().into_iter().flatten();
    postings.filter(|posting| posting["account"] == into).filter_map(|p| p["amount_minor"].as_i64()).sum()
}

/// Checks that the cash in the ledger of an account equals Stripe's books.
pub fn cash_is_there(document: &Value, account: &str, books: &Books) -> Result<(), String> {
    let own = of_account(document, account);
    let entries = own.pointer("/rows/0/records/ledger").and_then(Value::as_array).into_iter().flatten();
    let ours: i64 = entries.map(|row| moved(&row["value"], "cash:stripe")).sum();
    match ours == books.takings {
        true => Ok(()),
        false => Err(format!("Stripe took {} of {account}, the ledger has {ours}", books.takings)),
    }
}

/// Checks that two hosts have the same state.
pub fn same_state(expected: &World, found: &World, what: &str) -> Result<(), String> {
    if let Some(report) = found.reports.iter().find(|report| report.result.name() == "failed") {
        return Err(format!("{what}: {} failed: {}", report.event_id, report.result.reason().unwrap_or_default()));
    }
    if expected.state() == found.state() {
        return Ok(());
    }
    let difference = difference(&expected.document(), &found.document());
    Err(format!("{what}: {}", difference.unwrap_or_else(|| "the hashes differ for the same document".to_owned())))
}
