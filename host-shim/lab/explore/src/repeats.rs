//! Repeats: delivers each event a second time, immediately or at the end. The repetition must change nothing.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Act, Plan, words};
use host_scenario::error::ReplayError;

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let laws = Laws { state: true, effects: true, money: true, expected: true, ..Laws::default() };
    let scenario = explorer.stage.tale.scenario.clone();
    let last = written.plan.acts.len();
    for (at, act) in written.plan.acts.iter().enumerate() {
        if scenario.steps[act.step].action.event_id().is_none() {
            continue;
        }
        for again_at in [at + 1, last] {
            let clock = if again_at == last { written.marks[last].clock() } else { act.clock };
            let again = Act::at(act.step, clock);
            explorer.before(written, again_at)?;
            explorer.stage.act(&again)?;
            // If the repetition changed nothing, the rest need not be run.
            let same = same_course(explorer, written, again_at)?;
            let mut runs = 0;
            if !same {
                runs = 1;
                explorer.play(&written.plan.acts[again_at..])?;
                explorer.stage.rest(written.plan.rest_ms)?;
                let breach = written.end.judge(&mut explorer.stage, laws)?;
                if let Some(breach) = breach {
                    let mut plan = Plan { ..written.plan.clone() };
                    plan.acts.insert(again_at, again);
                    let place = if again_at == last { "at the end" } else { "at once" };
                    let variant = format!("{} once more {place}", words(&scenario, act.step));
                    let reference = written.plan.clone();
                    explorer.record_breach(VariantKind::Repeats, variant, Broken { breach, plan, reference }, laws)?;
                }
            }
            if !explorer.count_variants(VariantKind::Repeats, 1, runs) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// True if the stage is equivalent to the written run before an act, so that the rest of both runs is the same.
pub(crate) fn same_course(explorer: &mut Explorer<'_>, written: &Written, act: usize) -> Result<bool, ReplayError> {
    let mark = explorer.stage.mark()?;
    let before = &written.marks[act];
    let not_state = explorer.stage.host().processor().declared().not_state().clone();
    let same_noted =
        mark.watched().failed == before.watched().failed && mark.watched().answered == before.watched().answered;
    Ok(same_noted && mark.calls() == before.calls() && mark.store().same_course(before.store(), &not_state)?)
}
