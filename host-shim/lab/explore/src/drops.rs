//! Drops: each event of a provider is lost, and found by a reconciliation at the end. Where everybody else's acts came out the
//! same meanwhile, the standing is the same at last.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Act, Plan, words};
use host_scenario::error::ReplayError;

/// How long time goes on after the end, in milliseconds, so that what the late event asks for comes to its end: a day.
const REST_MS: i64 = 24 * 3_600_000;

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let scenario = explorer.stage.tale.scenario.clone();
    let reference = Plan { rest_ms: REST_MS, ..written.plan.clone() };
    let rested = explorer.written(reference.clone())?;
    let last = written.plan.acts.len();
    let end = written.marks[last].clock();
    for at in 0..last {
        let act = &written.plan.acts[at];
        if !scenario.steps[act.step].action.is_provider_event() {
            continue;
        }
        let mut plan = reference.clone();
        let lost = plan.acts.remove(at);
        plan.acts.push(Act::at(lost.step, end));
        explorer.before(&rested, at)?;
        explorer.play(&plan.acts[at..])?;
        explorer.stage.rest(REST_MS)?;
        let same_acts = explorer.stage.watched().outcomes == rested.end.mark().watched().outcomes;
        let laws = Laws { standing: same_acts, ..Laws::default() };
        if let Some(breach) = rested.end.judge(&mut explorer.stage, laws)? {
            let variant = format!("{} is lost, and comes at the end", words(&scenario, act.step));
            let reference = reference.clone();
            explorer.found(VariantKind::Drops, variant, Broken { breach, plan, reference }, laws)?;
        }
        if !explorer.judged(VariantKind::Drops, 1, 1) {
            return Ok(());
        }
    }
    Ok(())
}
