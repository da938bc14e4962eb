//! A host that is killed at any write of a saga, and started again: in the end the world has what the record says.

use crate::{failures, machine, played, told};
use host_replay::scenario::{Action, Kill, Step};
use host_store::fault::Moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Writes of one step at most; a kill at one that does not come changes nothing.
const WRITES: u64 = 14;
/// Made, suspended, archived, restored, archived again, destroyed: with the inventory after each.
const LIFE: &str = "solobase/scenarios/requirements/cancel-archive-restore-terminate.yml";

#[test]
fn a_life_with_a_kill_at_any_write_ends_alike() {
    let story = told(&[LIFE]).remove(0);
    let is_killed = |at: &usize| !matches!(story.scenario.steps[*at].action, Action::Check(_));
    let steps: Vec<usize> = (0..story.scenario.steps.len()).filter(is_killed).collect();
    let kills: Vec<(usize, Kill)> = steps
        .into_iter()
        .flat_map(|at| {
            let kill = move |write, moment| (at, Kill { write, moment, again: None });
            (1..=WRITES).flat_map(move |write| [kill(write, Moment::Before), kill(write, Moment::After)])
        })
        .collect();
    let next = AtomicUsize::new(0);
    let play = || {
        let mut found = Vec::new();
        while let Some((at, kill)) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut story = story.clone();
            let step = &mut Arc::make_mut(&mut story.scenario).steps[*at];
            // What was in before the kill is a duplicate when it is told again; what came of it is checked after the step.
            *step = Step { kill: Some(*kill), ..step.without_expectations() };
            let (world, opened) = machine();
            let report = played(&story, &world);
            found.extend(failures(&report).into_iter().map(|it| format!("step {at}, {kill:?}: {it}")));
            let held = opened.registry.held().expect("a list");
            if !held.is_empty() {
                found.push(format!("step {at}, {kill:?}: left {held:?}"));
            }
        }
        found
    };
    let found: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(play)).collect();
        threads.into_iter().flat_map(|it| it.join().expect("a thread that plays")).collect()
    });
    assert_eq!(found, [""; 0]);
    assert!(kills.len() > 200, "{} kills", kills.len());
}
