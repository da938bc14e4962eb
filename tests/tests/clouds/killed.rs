//! A host over real servers that is killed at a write of a saga, before or after it, and started again: in the end nothing is left.

use crate::saga::{folder, saga};
use crate::site::Site;
use end_to_end::acting::{failures, played};
use host_replay::runners::Runners;
use host_replay::scenario::{Action, Kill, Step};
use host_store::fault::Moment;
use std::sync::Arc;

/// Writes of one step at most; a kill at one that does not come changes nothing.
const WRITES: u64 = 14;
/// Of all kills every so many-th is played, so that each step and each moment has its share.
const EVERY: usize = 3;

#[test]
fn a_saga_on_real_servers_with_a_kill_at_any_write_leaves_nothing_behind() {
    let (site, folder) = (Site::start(), folder());
    let steps = saga(&folder, 0).scenario.steps.clone();
    let is_killed = |at: &usize| !matches!(steps[*at].action, Action::Check(_));
    let writes = || (1..=WRITES).flat_map(|write| [(write, Moment::Before), (write, Moment::After)]);
    let kills = (0..steps.len()).filter(is_killed).flat_map(|at| writes().map(move |kill| (at, kill)));
    let mut played_kills = 0;
    for (customer, (at, (write, moment))) in kills.step_by(EVERY).enumerate() {
        let mut story = saga(&folder, customer);
        let step = &mut Arc::make_mut(&mut story.scenario).steps[at];
        *step = Step { kill: Some(Kill { write, moment, again: None }), ..step.clone() };
        let (world, opened) = site.world();
        let report = played(&story, &world, &Runners::native());
        assert_eq!(failures(&report), [""; 0], "step {at}, write {write}, {moment:?}");
        assert_eq!(site.is_empty(&opened), [""; 0], "step {at}, write {write}, {moment:?}");
        played_kills += 1;
    }
    assert!(played_kills > 20, "{played_kills} kills");
}
