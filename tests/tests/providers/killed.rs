//! A host that is killed at any write of a saga, and started again: in the end the world has what the record says.

use crate::machine;
use end_to_end::acting::{failures, found_in, played, told};
use end_to_end::world::root;
use host_replay::runners::Runners;
use host_replay::scenario::{Action, Kill, Step};
use host_store::fault::Moment;
use std::sync::Arc;

/// Writes of one step at most; a kill at one that does not come changes nothing.
const WRITES: u64 = 14;
/// Made, suspended, archived, restored, archived again, destroyed: with the inventory after each.
const LIFE: &str = "solobase/scenarios/requirements/cancel-archive-restore-terminate.yml";

#[test]
fn a_life_with_a_kill_at_any_write_ends_alike() {
    let story = told(root().join("fixtures").join(LIFE), None).remove(0);
    let is_killed = |at: &usize| !matches!(story.scenario.steps[*at].action, Action::Check(_));
    let steps: Vec<usize> = (0..story.scenario.steps.len()).filter(is_killed).collect();
    let kills: Vec<(usize, Kill)> = steps
        .into_iter()
        .flat_map(|at| {
            let kill = move |write, moment| (at, Kill { write, moment, again: None });
            (1..=WRITES).flat_map(move |write| [kill(write, Moment::Before), kill(write, Moment::After)])
        })
        .collect();
    let found = found_in(&kills, |(at, kill)| {
        let mut story = story.clone();
        let step = &mut Arc::make_mut(&mut story.scenario).steps[*at];
        // What was in before the kill is a duplicate when it is told again; what came of it is checked after the step.
        *step = Step { kill: Some(*kill), ..step.without_expectations() };
        let (world, opened) = machine();
        let mut found = failures(&played(&story, &world, &Runners::native()));
        let held = opened.registry.held().expect("a list");
        if !held.is_empty() {
            found.push(format!("left {held:?}"));
        }
        found.into_iter().map(|it| format!("step {at}, {kill:?}: {it}")).collect()
    });
    assert_eq!(found, [""; 0]);
    assert!(kills.len() > 200, "{} kills", kills.len());
}
