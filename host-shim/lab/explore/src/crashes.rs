//! Crashes: kills the host before and after every write of an act, and a second time before every write of the restart.
//! A caller that got no answer sends its event again. The run must end in the same state as the written story.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Act, words};
use crate::repeats::same_course;
use host_scenario::error::ReplayError;
use host_scenario::model::Kill;
use host_store::fault::Moment;

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let mut writes = Vec::new();
    for (at, act) in written.plan.acts.iter().enumerate() {
        explorer.before(written, at)?;
        writes.extend((1..=explorer.stage.writes_of(act)?).map(|write| (at, write)));
    }
    for (at, write) in explorer.limits.sampled(writes) {
        for moment in [Moment::Before, Moment::After] {
            let kill = Kill { write, moment, again: None };
            if !killed(explorer, written, at, kill)? {
                return Ok(());
            }
            explorer.before(written, at)?;
            let act = Act { kill: Some(kill), ..written.plan.acts[at].clone() };
            for again in 1..=explorer.stage.writes_of_start(&act)? {
                if !killed(explorer, written, at, Kill { again: Some(again), ..kill })? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Runs the story with a kill in one of its acts. Returns false if the exploration should stop.
fn killed(explorer: &mut Explorer<'_>, written: &Written, at: usize, kill: Kill) -> Result<bool, ReplayError> {
    let laws = Laws { state: true, effects: true, money: true, expected: true, ..Laws::default() };
    let mut plan = written.plan.clone();
    plan.acts[at].kill = Some(kill);
    explorer.before(written, at)?;
    explorer.stage.act(&plan.acts[at])?;
    let mut runs = 0;
    if !same_course(explorer, written, at + 1)? {
        runs = 1;
        explorer.play(&plan.acts[at + 1..])?;
        explorer.stage.rest(plan.rest_ms)?;
        if let Some(breach) = written.end.judge(&mut explorer.stage, laws)? {
            let side = if kill.moment == Moment::Before { "before" } else { "after" };
            let scenario = &explorer.stage.tale.scenario;
            let act = words(scenario, plan.acts[at].step);
            let again =
                kill.again.map(|write| format!(", and again before write {write} of the start")).unwrap_or_default();
            let variant = format!("killed {side} write {} of {act}{again}", kill.write);
            let reference = written.plan.clone();
            explorer.record_breach(VariantKind::Crashes, variant, Broken { breach, plan, reference }, laws)?;
        }
    }
    Ok(explorer.count_variants(VariantKind::Crashes, 1, runs))
}
