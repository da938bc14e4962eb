//! Kills a host at each write of a saga and restarts it: at the end no resource remains.

use super::machine;
use end_to_end::acting::{failures, found_in, killed_at, kills, load_stories, played};
use end_to_end::cases::one_story_in;
use test_support::in_business;

/// Maximum number of writes of one step; a kill at a write that does not occur has no effect.
const WRITES: u64 = 14;
/// A scenario in which an instance is created, suspended, archived, restored, archived again and destroyed. It expects
/// an inventory after each step.
const LIFE: &str = "solobase/scenarios/requirements/cancel-archive-restore-terminate.yml";

#[test]
fn an_instance_life_with_a_kill_at_any_write_leaves_no_resources() {
    let story = load_stories(in_business(LIFE), None).remove(0);
    let kills = kills(&story, WRITES);
    assert!(kills.len() > 200, "{} kills", kills.len());
    let kills: Vec<_> = kills.into_iter().step_by(one_story_in()).collect();
    let found = found_in(&kills, |(at, kill)| {
        let story = killed_at(&story, *at, *kill);
        let (world, opened) = machine();
        let mut found = failures(&played(&story, &world, &host_replay::native::runners()));
        let held = opened.registry.held().expect("lists").held;
        if !held.is_empty() {
            found.push(format!("remaining: {held:?}"));
        }
        found.into_iter().map(|it| format!("step {at}, {kill:?}: {it}")).collect()
    });
    assert_eq!(found, [""; 0]);
}
