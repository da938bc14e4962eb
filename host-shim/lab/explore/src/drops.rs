//! Drops: loses each Stripe event in turn and delivers it at the end, as a reconciliation would. If the extension's
//! decisions were the same until then, the final standing must equal that of the written story.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Act, Plan, words};
use host_scenario::error::ReplayError;

/// Time that passes after the end, so that the late event's effects can finish: one day, in milliseconds.
const REST_MS: i64 = 24 * 3_600_000;

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let scenario = explorer.stage.tale.scenario.clone();
    let reference = Plan { rest_ms: REST_MS, ..written.plan.clone() };
    let rested = explorer.written(reference.clone())?;
    let last = written.plan.acts.len();
    let end = written.marks[last].clock();
    for at in 0..last {
        let act = &written.plan.acts[at];
        let action = &scenario.steps[act.step].action;
        let has_id_of = |other: &Act| scenario.steps[other.step].action.event_id() == action.event_id();
        // If two bodies have the same id, only the first counts; if the first is lost, the second rightly counts
        // instead.
        if !action.is_payment_event() || written.plan.acts.iter().filter(|other| has_id_of(other)).count() > 1 {
            continue;
        }
        let mut plan = reference.clone();
        let lost = plan.acts.remove(at);
        plan.acts.push(Act::at(lost.step, end));
        explorer.before(&rested, at)?;
        explorer.play(&plan.acts[at..])?;
        explorer.stage.rest(REST_MS)?;
        let standing = rested.end.decided_alike(&mut explorer.stage)?;

        let other_commands = explorer.stage.watched().outcomes != rested.end.mark().watched().outcomes;
        let laws = Laws { standing, other_commands, ..Laws::default() };
        if let Some(breach) = rested.end.judge(&mut explorer.stage, laws)? {
            let variant = format!("{} is lost and arrives at the end", words(&scenario, act.step));
            let reference = reference.clone();
            explorer.record_breach(VariantKind::Drops, variant, Broken { breach, plan, reference }, laws)?;
        }
        if !explorer.count_variants(VariantKind::Drops, 1, 1) {
            return Ok(());
        }
    }
    Ok(())
}
