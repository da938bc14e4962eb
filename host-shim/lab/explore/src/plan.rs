//! Plans: the steps of a story that a run executes, in some order, with faults and kills.

use extension_contract::Timestamp;
use host_provider_api::scripted::ScriptedAnswer;
use host_scenario::model::{Action, Kill, Scenario};
use host_scenario::prepare::Case;

/// A plan of a run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The acts, in order.
    pub acts: Vec<Act>,
    /// Provider calls with a changed answer.
    pub faults: Vec<Fault>,
    /// Time that passes after the last act, in milliseconds.
    pub rest_ms: i64,
}

/// A step of the story, and the time at which it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Number of the step in the scenario.
    pub step: usize,
    /// Time to which the clock advances before the step, in milliseconds since the epoch.
    pub clock: Timestamp,
    /// If true, the effects of this act wait for the next act that is not held.
    pub held: bool,
    /// The write of the step at which the host is killed; None without a kill.
    pub kill: Option<Kill>,
}

/// A provider call with a changed answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Key of the effect.
    pub key: String,
    /// Number of the call for this key, from 0.
    pub call: usize,
    /// Short description of the failure.
    pub name: &'static str,
    /// The answer of the provider to this call.
    pub answer: ScriptedAnswer,
}

impl Act {
    /// Creates an act without hold and kill.
    pub fn at(step: usize, clock: Timestamp) -> Act {
        Act { step, clock, held: false, kill: None }
    }
}

impl Plan {
    /// The story as written, without its checks.
    pub fn written(scenario: &Scenario, case: &Case) -> Plan {
        let happens = |step: &usize| case.happens[*step] && !matches!(scenario.steps[*step].action, Action::Check(_));
        let acts = (0..scenario.steps.len()).filter(happens).map(|step| Act::at(step, case.clocks[step])).collect();
        Plan { acts, ..Plan::default() }
    }
}

/// Consecutive acts that are Stripe events or that advance the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Number of the first act of the segment.
    pub from: usize,
    /// Number of the first act after the segment.
    pub to: usize,
    /// Numbers of the acts that are Stripe events.
    pub events: Vec<usize>,
    /// Time of the last event, in milliseconds since the epoch.
    pub clock: Timestamp,
}

/// Returns the segments with at least two Stripe events. With `across`, returns the segments in which the clock
/// advances, otherwise those in which it does not.
pub fn segments(scenario: &Scenario, plan: &Plan, across: bool) -> Vec<Segment> {
    let action = |act: usize| &scenario.steps[plan.acts[act].step].action;
    let is_time = |act: usize| matches!(action(act), Action::Advance(_) | Action::Until(_));
    let mut found = Vec::new();
    let mut at = 0;
    while at < plan.acts.len() {
        let from = at;
        while at < plan.acts.len() && (action(at).is_payment_event() || (across && is_time(at))) {
            at += 1;
        }
        let events: Vec<usize> = (from..at).filter(|act| action(*act).is_payment_event()).collect();
        let goes_forward = (from..at).any(is_time);
        if let (true, Some(last)) = (events.len() > 1 && across == goes_forward, events.last()) {
            found.push(Segment { from, to: at, clock: plan.acts[*last].clock, events });
        }
        at = at.max(from + 1);
    }
    found
}

/// A description of a step: the event's type and id, or the action.
pub fn words(scenario: &Scenario, step: usize) -> String {
    match &scenario.steps[step].action {
        Action::Stripe(event) => format!("{} {}", event.kind, event.id),
        Action::Command(command) => format!("{} {}", command.kind, command.id),
        Action::Fact(fact) => format!("{} {}", fact.kind, fact.id),
        Action::Product(product) => format!("product.{} {}", product.verb, product.id),
        Action::Usage(usage) => format!("usage {}", usage.id),
        Action::Webhook(webhook) => format!("webhook {}", webhook.id),
        Action::Raw(raw) => raw.id.clone(),
        Action::Same(id) => format!("{id} again"),
        Action::Redrive(id) => format!("redrive {id}"),
        Action::Advance(_) | Action::Until(_) => "advance the clock".to_owned(),
        Action::Answers(_) => "change the answers".to_owned(),
        Action::Restart => "restart".to_owned(),
        Action::Claims(_) => "claims of other accounts".to_owned(),
        Action::Timers(_) => "timers".to_owned(),
        Action::AtStripe(call) => format!("{} {}", call.method, call.path),
        Action::Check(_) => "check".to_owned(),
    }
}
