//! Kills a host with real servers before or after a write of a saga, and restarts it: at the end no resource remains.

use crate::saga::{folder, saga};
use crate::site::Site;
use end_to_end::acting::{failures, killed_at, kills, played};

/// Maximum number of writes of one step; a kill at a write that does not occur has no effect.
const WRITES: u64 = 14;
/// Plays every third kill, so that each step and each moment is covered.
const EVERY: usize = 3;

#[test]
fn a_saga_on_real_servers_with_a_kill_at_any_write_leaves_nothing_behind() {
    let (site, folder) = (Site::start(), folder());
    let mut played_kills = 0;
    let all = kills(&saga(&folder, 0), WRITES);
    for (customer, (at, kill)) in all.into_iter().step_by(EVERY).enumerate() {
        let story = killed_at(&saga(&folder, customer), at, kill);
        let (world, opened) = site.world();
        let report = played(&story, &world, &host_replay::native::runners());
        assert_eq!(failures(&report), [""; 0], "step {at}, {kill:?}");
        assert_eq!(site.is_empty(&opened), [""; 0], "step {at}, {kill:?}");
        played_kills += 1;
    }
    assert!(played_kills > 20, "{played_kills} kills");
}
