//! What is played: steps of a story in an order, and what goes wrong meanwhile.

use extension_contract::Timestamp;
use host_provider_api::scripted::ScriptedAnswer;
use host_scenario::model::{Action, Kill, Scenario};
use host_scenario::prepare::Case;

/// A way to play a story.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What happens, in order.
    pub acts: Vec<Act>,
    /// Calls of the provider that are answered otherwise.
    pub faults: Vec<Fault>,
    /// How long time goes on after the last act, in milliseconds.
    pub rest_ms: i64,
}

/// One step of the story, at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Number of the step in the scenario.
    pub step: usize,
    /// The clock goes forward to this time before it, milliseconds since the epoch.
    pub clock: Timestamp,
    /// Its effects wait for the next act that is not held.
    pub held: bool,
    /// The host is killed while it runs.
    pub kill: Option<Kill>,
}

/// A call of the provider that is answered otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The effect's key.
    pub key: String,
    /// Which call for this key, from 0.
    pub call: usize,
    /// What goes wrong, in a word.
    pub name: &'static str,
    /// The answer.
    pub answer: ScriptedAnswer,
}

impl Act {
    /// A step at a time, with nothing wrong.
    pub fn at(step: usize, clock: Timestamp) -> Act {
        Act { step, clock, held: false, kill: None }
    }
}

impl Plan {
    /// The story as it is written, without its checks.
    pub fn written(scenario: &Scenario, case: &Case) -> Plan {
        let happens = |step: &usize| case.happens[*step] && !matches!(scenario.steps[*step].action, Action::Check(_));
        let acts = (0..scenario.steps.len()).filter(happens).map(|step| Act::at(step, case.clocks[step])).collect();
        Plan { acts, ..Plan::default() }
    }
}

/// Some acts between two of somebody's: events of providers, and the clock going forward.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Number of its first act.
    pub from: usize,
    /// Number of the first act behind it.
    pub to: usize,
    /// The acts that are events of providers.
    pub events: Vec<usize>,
    /// The latest time of them.
    pub clock: Timestamp,
}

/// The segments with at least two events of providers; with `across`, those that the clock goes forward in, else the parts of
/// them within which it stands.
pub fn segments(scenario: &Scenario, plan: &Plan, across: bool) -> Vec<Segment> {
    let action = |act: usize| &scenario.steps[plan.acts[act].step].action;
    let is_time = |act: usize| matches!(action(act), Action::Advance(_) | Action::Until(_));
    let mut found = Vec::new();
    let mut at = 0;
    while at < plan.acts.len() {
        let from = at;
        while at < plan.acts.len() && (action(at).is_provider_event() || (across && is_time(at))) {
            at += 1;
        }
        let events: Vec<usize> = (from..at).filter(|act| action(*act).is_provider_event()).collect();
        let goes_forward = (from..at).any(is_time);
        if let (true, Some(last)) = (events.len() > 1 && across == goes_forward, events.last()) {
            found.push(Segment { from, to: at, clock: plan.acts[*last].clock, events });
        }
        at = at.max(from + 1);
    }
    found
}

/// How an act is told to people: the event's type and id, or what the step does.
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
        Action::Advance(_) | Action::Until(_) => "time".to_owned(),
        Action::Answers(_) => "other answers".to_owned(),
        Action::Restart => "restart".to_owned(),
        Action::Claims(_) => "claims of others".to_owned(),
        Action::Timers(_) => "timers".to_owned(),
        Action::AtStripe(call) => format!("{} {}", call.method, call.path),
        Action::Check(_) => "check".to_owned(),
    }
}
