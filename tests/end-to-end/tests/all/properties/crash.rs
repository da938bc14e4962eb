//! Tests that a run with a kill at a write and a redelivery ends in the same state as the uninterrupted run.

use super::support::{judged, report_failure, same_state};
use end_to_end::cases::one_story_in;
use end_to_end::hosts::{Counts, HostKind, on_each_kind};
use end_to_end::judged::judge_end;
use end_to_end::kept::Storage;
use end_to_end::moves::{Kind, Move, moves};
use end_to_end::people::checked_story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::traders::CheckedStory;
use end_to_end::world::{Setup, World};
use host_store::testing::{Moment, Then};
use proptest::prelude::*;

/// Plays the story without a kill, and checks it with the oracle. Returns the host and the number of its writes.
fn uninterrupted(setup: &Setup, checked: &CheckedStory, parts: &[Part]) -> Result<(World, u64), String> {
    let mut world = World::start(setup.clone());
    world.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
    play::whole(&mut world, parts);
    let writes = world.faults().writes();
    judge_end(&mut world, checked)?;
    Ok((world, writes))
}

/// Plays the story with a kill at a write. After the restart, plays the interrupted part again.
fn killed(setup: &Setup, parts: &[Part], write: u64, moment: Moment) -> World {
    let mut world = World::start(setup.clone());
    world.faults().fail_at(write, moment, Then::Dead);
    for part in parts {
        world.insist(|world| play::part(world, part));
    }
    assert!(world.faults().struck(), "write {write} exists");
    world
}

fn survives(setup: &Setup, parts: &[Part], expected: &World, write: u64, moment: Moment) -> Result<(), String> {
    let found = killed(setup, parts, write, moment);
    let what = format!("killed {moment:?} write {write}");
    same_state(expected, &found, &what)?;
    if expected.scripted().inventory() != found.scripted().inventory() {
        return Err(format!("{what}: the resources differ"));
    }
    Ok(())
}

/// Property 4: a kill at any write, then redelivery.
// covers: S21, D-40, D-41
#[test]
fn a_kill_and_redelivery_end_as_the_uninterrupted_run() {
    let kills = proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 8);
    let cases = (moves(7), 0..2usize, kills);
    on_each_kind(file!(), Counts { quick: 10, shipped: 2 }, cases, |setup, (moves, version, kills)| {
        let checked = checked_story("A", &moves);
        let parts = checked.story.parts_in(VERSIONS[version]);
        let law = uninterrupted(setup, &checked, &parts).and_then(|(expected, writes)| {
            kills.into_iter().try_for_each(|(at, after)| {
                let moment = if after { Moment::After } else { Moment::Before };
                survives(setup, &parts, &expected, at.index(writes as usize) as u64 + 1, moment)
            })
        });
        report_failure("crash", &[&checked.story], law)?;
        Ok(())
    });
}

/// Property 4 for one story, in which an instance is bought, provisioned, cancelled and archived: at every write in
/// memory and on a file, and at some writes with the component.
#[test]
fn a_run_with_a_kill_at_any_write_ends_as_the_uninterrupted_run() {
    let checked = checked_story(
        "A",
        &[Move::plain(Kind::Order, 1, 0), Move::plain(Kind::Buy, 0, 0), Move::plain(Kind::End, 0, 2)],
    );
    let parts = checked.story.parts_in(VERSIONS[1]);
    let in_a_file = Setup { storage: Storage::Sqlite, ..Setup::default() };
    for (setup, step) in [(HostKind::Quick.setup(), 1), (in_a_file, 1), (HostKind::Shipped.setup(), 12)] {
        judged(&setup, &checked, &parts).unwrap_or_else(|broken| panic!("{broken}"));
        let (expected, writes) = uninterrupted(&setup, &checked, &parts).unwrap_or_else(|broken| panic!("{broken}"));
        for write in (1..=writes).step_by(step * one_story_in()) {
            for moment in [Moment::Before, Moment::After] {
                survives(&setup, &parts, &expected, write, moment)
                    .unwrap_or_else(|broken| panic!("{}, {:?}: {broken}", setup.runners.name(), setup.storage));
            }
        }
    }
}
