use super::support::{cases, played, same_state, told};
use end_to_end::moves::{Kind, Move, moves};
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::story::{Part, VERSIONS};
use end_to_end::world::{Setup, World};
use host_store::testing::{Moment, Then};
use proptest::prelude::*;

/// Writes of an uninterrupted run.
fn writes(parts: &[Part]) -> u64 {
    let mut world = World::start(Setup::default());
    world.faults().fail_at(u64::MAX, Moment::Before, Then::Dead);
    play::whole(&mut world, parts);
    world.faults().writes()
}

/// The host is killed at a write, started again, and everything that had no answer is sent again.
fn killed(parts: &[Part], write: u64, moment: Moment) -> World {
    let mut world = World::start(Setup::default());
    world.faults().fail_at(write, moment, Then::Dead);
    for part in parts {
        world.insist(|world| play::part(world, part));
    }
    assert!(world.faults().struck(), "there is a write {write}");
    world
}

fn survives(parts: &[Part], expected: &World, write: u64, moment: Moment) -> Result<(), String> {
    let found = killed(parts, write, moment);
    let what = format!("killed {moment:?} write {write}");
    same_state(expected, &found, &what)?;
    if expected.scripted().inventory() != found.scripted().inventory() {
        return Err(format!("{what}: other resources exist"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(10))]

    /// Property 4: a kill anywhere, then redelivery.
    // covers: S21
    #[test]
    fn a_kill_and_redelivery_end_as_the_uninterrupted_run(
        moves in moves(7),
        version in 0..2usize,
        kills in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 8),
    ) {
        let story = story("A", &moves);
        let parts = story.told_in(VERSIONS[version]);
        let (expected, writes) = (played(&parts), writes(&parts));
        for (at, after) in kills {
            let moment = if after { Moment::After } else { Moment::Before };
            let law = survives(&parts, &expected, at.index(writes as usize) as u64 + 1, moment);
            told("crash", &[&story], law)?;
        }
    }
}

/// Property 4 at every boundary of one story: bought, provisioned, cancelled, archived.
#[test]
fn a_kill_at_every_write_ends_as_the_uninterrupted_run() {
    let story =
        story("A", &[Move::plain(Kind::Order, 1, 0), Move::plain(Kind::Buy, 0, 0), Move::plain(Kind::End, 0, 2)]);
    let parts = story.told_in(VERSIONS[1]);
    let expected = played(&parts);
    for write in 1..=writes(&parts) {
        for moment in [Moment::Before, Moment::After] {
            survives(&parts, &expected, write, moment).unwrap_or_else(|broken| panic!("{broken}"));
        }
    }
}
