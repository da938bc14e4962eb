//! A repeated event is a duplicate and changes nothing.

use super::support::{cases, report_failure};
use end_to_end::judged::judge_end;
use end_to_end::moves::moves;
use end_to_end::people::checked_story;
use end_to_end::story::{Delivery, VERSIONS};
use end_to_end::traders::CheckedStory;
use end_to_end::world::{Setup, World};
use host_replay::shuffle::Random;
use proptest::prelude::*;

/// Repeats an event and checks that it is a duplicate without changes and effects.
fn again(world: &mut World, delivery: &Delivery) -> Result<(), String> {
    let before = world.state();
    let reports = world.deliver(&delivery.bytes).expect("the store has no fault");
    let outcomes: Vec<&str> = reports.iter().map(|report| report.result.name()).collect();
    if outcomes != ["duplicate"] || !reports[0].effects.is_empty() {
        return Err(format!("{} again is {outcomes:?}, with effects {:?}", delivery.id, reports[0].effects));
    }
    if world.state() != before {
        return Err(format!("{} again changes the state", delivery.id));
    }
    Ok(())
}

/// Delivers the content of an event under another id, and checks that nothing changes.
fn twin(world: &mut World, delivery: &Delivery) -> Result<(), String> {
    let text = std::str::from_utf8(&delivery.bytes).expect("bodies are text");
    let other = text.replace(&format!("\"{}\"", delivery.id), &format!("\"{}_twin\"", delivery.id));
    let before = (world.state(), world.document());
    let reports = world.deliver(other.as_bytes()).expect("the store has no fault");
    let (name, effects) = (reports[0].result.name(), &reports[0].effects);
    if !matches!(name, "duplicate" | "stale" | "ignored") || !effects.is_empty() {
        let reason = reports[0].result.reason();
        return Err(format!("the content of {} again is {name} {reason:?}, with effects {effects:?}", delivery.id));
    }
    match end_to_end::compare::difference(&before.1, &world.document()) {
        Some(difference) => Err(format!("the content of {} again changes {difference}", delivery.id)),
        None => Ok(()),
    }
}

fn repeated(checked: &CheckedStory, version: &str, seed: u64) -> Result<(), String> {
    let parts = checked.story.parts_in(version);
    let mut world = World::start(Setup::default());
    let mut random = Random::new(seed);
    let mut past: Vec<&Delivery> = Vec::new();
    for part in &parts {
        world.advance_to(part.clock).expect("the store has no fault");
        for event in &part.events {
            world.deliver(&event.bytes).expect("the store has no fault");
            past.push(event);
            let mut any = past.clone();
            random.shuffle(&mut any);
            again(&mut world, any[0])?;
        }
        world.settle().expect("the store has no fault");
        for command in &part.commands {
            world.deliver(&command.bytes).expect("the store has no fault");
            again(&mut world, command)?;
            world.settle().expect("the store has no fault");
            past.push(command);
        }
    }
    for delivery in past {
        again(&mut world, delivery)?;
    }
    judge_end(&mut world, checked)
}

proptest! {
    #![proptest_config(cases(16))]

    /// Properties 2 and 10: a repeated event at any point. The end is checked with the oracle.
    // covers: S17
    #[test]
    fn a_repeated_event_is_a_duplicate_and_changes_nothing(moves in moves(7), version in 0..2usize, seed: u64) {
        let checked = checked_story("A", &moves);
        report_failure("duplication", &[&checked.story], repeated(&checked, VERSIONS[version], seed))?;
    }

    /// The content of two equal events with different ids is applied once. The end is checked with the oracle.
    // covers: S19
    #[test]
    fn the_same_content_under_another_event_id_changes_nothing(moves in moves(7), version in 0..2usize) {
        let checked = checked_story("A", &moves);
        let parts = checked.story.parts_in(VERSIONS[version]);
        let mut world = super::support::played(&Setup::default(), &parts);
        for event in parts.iter().flat_map(|part| &part.events) {
            report_failure("twins", &[&checked.story], twin(&mut world, event))?;
        }
        report_failure("twins", &[&checked.story], judge_end(&mut world, &checked))?;
    }
}
