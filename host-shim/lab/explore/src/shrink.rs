//! Shrinks a plan to the shortest plan that breaks the same law.

use crate::law::{Breach, Laws, Reference};
use crate::plan::Plan;
use crate::stage::{Mark, Stage};
use host_scenario::error::ReplayError;

/// Removes steps from a variant and its reference as long as the same law is broken. A variant that does not break the
/// law when it runs from the beginning stays unchanged.
pub(crate) fn shrink(
    stage: &mut Stage<'_>,
    start: &Mark,
    (mut reference, mut plan, mut breach): (Plan, Plan, Breach),
    laws: Laws,
) -> Result<(Plan, Plan, Breach), ReplayError> {
    let law = breach.law;
    let mut steps: Vec<usize> = plan.acts.iter().map(|act| act.step).collect();
    steps.sort_unstable();
    steps.dedup();
    // Remove steps from the end, because late steps depend on early ones.
    loop {
        let before = plan.acts.len();
        for step in steps.clone().into_iter().rev() {
            let (shorter_reference, shorter) = (without(&reference, step), without(&plan, step));
            if shorter.acts.is_empty() {
                continue;
            }
            let found = breaks(stage, start, &shorter_reference, &shorter, laws);
            if let Some(found) = found.filter(|found| found.law == law) {
                (reference, plan, breach) = (shorter_reference, shorter, found);
                steps.retain(|kept| *kept != step);
            }
        }
        if plan.acts.len() == before {
            return Ok((reference, plan, breach));
        }
    }
}

/// Returns the law that a plan breaks in comparison with `reference`; both plans run from the beginning. None if no law
/// is broken or one of the plans can't be run.
fn breaks(stage: &mut Stage<'_>, start: &Mark, reference: &Plan, plan: &Plan, laws: Laws) -> Option<Breach> {
    let mut run = || -> Result<Option<Breach>, ReplayError> {
        stage.go_to(start)?;
        stage.play(reference)?;
        let expected = Reference::here(stage)?;
        stage.go_to(start)?;
        stage.play(plan)?;
        expected.judge(stage, laws)
    };
    run().ok().flatten()
}

fn without(plan: &Plan, step: usize) -> Plan {
    let mut shorter = plan.clone();
    shorter.acts.retain(|act| act.step != step);
    shorter
}
