//! Writes a finding as a scenario that fails until the fault is fixed.

use crate::explorer::Finding;
use crate::law::Law;
use crate::plan::Plan;
use crate::tale::Tale;
use extension_contract::Account;
use host_provider_api::scripted::ScriptedAnswer;
use host_scenario::error::ReplayError;
use host_scenario::matcher::Matcher;
use host_scenario::model::write::{ScenarioText, Unwritable};
use host_scenario::model::{Action, Answers, At, Expectations, SECTIONS, Scenario, SectionExpectation, Step};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Returns the text of a scenario with the shortest story of a finding. The scenario expects the values that the law requires. `business`
/// is the scenario's reference to its business; none if the scenario is in the business's folder. `again` is the command that reproduces
/// the finding.
///
/// # Errors
///
/// Fails if the scenario language can't express the story.
pub fn failing_scenario(finding: &Finding, business: Option<String>, again: &str) -> Result<String, ReplayError> {
    let tale = &finding.tale;
    let mut scenario = (*tale.scenario).clone();
    scenario.name = format!("{}, {}: {}", tale.scenario.name, finding.kind, finding.breach.law);
    scenario.covers.clear();
    scenario.given.business = business;
    scenario.steps = steps(tale, &finding.plan);
    answers(&mut scenario, &finding.plan);
    if finding.breach.law != Law::Expected {
        scenario.expect = expected(finding);
    }
    if finding.breach.law == Law::Answered {
        let commands = scenario.steps.iter_mut().filter(|step| matches!(step.action, Action::Command(_)));
        commands.for_each(|step| step.reply = Some(Matcher::any(0)));
    }
    let text = ScenarioText::of(&scenario)
        .comment(&format!("{}: {}", finding.breach.law, finding.breach.what))
        .comment(&format!("Variant: {}", finding.variant))
        .comment(&format!("Found by: {again}"));
    text.text()
        .map_err(|error: Unwritable| ReplayError::Usage(format!("a scenario can't express this finding: {error}")))
}

/// The steps of a plan, each at its own time. Expectations of steps are left out, because they apply only to the written order.
fn steps(tale: &Tale, plan: &Plan) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut clock = tale.scenario.given.clock;
    for act in &plan.acts {
        let mut step = tale.scenario.steps[act.step].without_expectations();
        step.hold = act.held;
        step.kill = act.kill;
        let is_time = matches!(step.action, Action::Advance(_) | Action::Until(_));
        if is_time || act.clock > clock {
            let until = Step { action: Action::Until(act.clock), hold: false, ..step.clone() };
            clock = act.clock;
            if is_time {
                steps.push(until);
                continue;
            }
            steps.push(Step { kill: None, only: Vec::new(), ..until });
        }
        if let (Action::Stripe(stripe), Some(delivery)) = (&mut step.action, &tale.case.deliveries[act.step]) {
            // The time of an event can be relative to the previous event, which may be another event in this plan.
            stripe.at = At::Time(created(&delivery.bytes).unwrap_or(act.clock));
        }
        let known = step.action.event_id().map(str::to_owned);
        let already_delivered = steps.iter().any(|before| before.action.event_id() == known.as_deref());
        match (&step.action, known) {
            (Action::Same(_) | Action::Redrive(_), _) | (_, None) => steps.push(step),
            (_, Some(id)) if already_delivered => steps.push(Step { action: Action::Same(id), ..step }),
            (_, Some(_)) => steps.push(step),
        }
    }
    if plan.rest_ms > 0 {
        steps.push(Step::new(Action::Advance(plan.rest_ms)));
    }
    steps
}

/// The creation time of a Stripe event, in milliseconds since the epoch.
fn created(bytes: &[u8]) -> Option<i64> {
    let body: Value = serde_json::from_slice(bytes).ok()?;
    body["created"].as_i64()?.checked_mul(1000)
}

/// Inserts the answers for a plan's faults before the given answers, and removes the given answers that they replace.
fn answers(scenario: &mut Scenario, plan: &Plan) {
    let mut of_faults: Vec<Answers> = Vec::new();
    for fault in &plan.faults {
        let known = of_faults.iter().position(|answers| answers.pattern == fault.key).unwrap_or_else(|| {
            of_faults.push(Answers { pattern: fault.key.clone(), list: Vec::new(), line: 0 });
            of_faults.len() - 1
        });
        let list = &mut of_faults[known].list;
        while list.len() <= fault.call {
            list.push(ScriptedAnswer::Ok(Value::Null));
        }
        list[fault.call] = fault.answer.clone();
    }
    // Calls after the last fault are answered normally.
    of_faults.iter_mut().for_each(|answers| answers.list.push(ScriptedAnswer::Ok(Value::Null)));
    scenario.given.answers.retain(|given| of_faults.iter().all(|fault| fault.pattern != given.pattern));
    scenario.given.answers.splice(0..0, of_faults);
}

fn expected(finding: &Finding) -> Expectations {
    let mut sections = Vec::new();
    if let Some((should, is)) = &finding.breach.values {
        for (account, should, is) in pairs(should, is) {
            match account.parse::<Account>() {
                Ok(account) => {
                    let of_account = pairs(&should, &is).into_iter();
                    sections.extend(
                        of_account.filter_map(|(name, should, is)| section(Some(&account), &name, &should, &is)),
                    );
                }
                // Claims and inventory belong to no account.
                Err(_) => sections.extend(section(None, &account, &should, &is)),
            }
        }
    }
    Expectations { sections, snapshot: None }
}

/// An expectation of a section of the state; `records/COLLECTION` is a section too.
fn section(account: Option<&Account>, name: &str, should: &Value, is: &Value) -> Option<SectionExpectation> {
    let (name, collection) = match name.split_once('/') {
        Some((name, collection)) => (name, Some(collection)),
        None => (name, None),
    };
    let section = SECTIONS.iter().find(|section| **section == name)?;
    let matcher = Matcher::telling(should, is);
    let matcher = match collection {
        Some(collection) => Matcher::member(collection, matcher),
        None => matcher,
    };
    Some(SectionExpectation { account: account.cloned(), section, matcher })
}

/// The members that differ, each with both values.
fn pairs(should: &Value, is: &Value) -> Vec<(String, Value, Value)> {
    let none = Map::new();
    let (one, two) = (should.as_object().unwrap_or(&none), is.as_object().unwrap_or(&none));
    let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let both = names.into_iter().map(|name| {
        let of = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_else(|| json!({}));
        (name.clone(), of(one), of(two))
    });
    both.filter(|(_, should, is)| should != is).collect()
}
