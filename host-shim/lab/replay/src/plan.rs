//! Plans a scenario: lists the calls that would create, change and destroy resources, without carrying them out.

use crate::live::LiveProviders;
use crate::play::{CaseReport, PlayOptions, play_watched};
use extension_contract::Timestamp;
use host_provider_api::scripted::{Entry, ScriptedAnswer};
use host_provider_api::{Call, ResourceId};
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use host_scenario::model::Scenario;
use host_scenario::prepare::Case;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The kind of change that a call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallVerb {
    /// Creates a resource.
    Make,
    /// Changes a resource.
    Change,
    /// Destroys a resource.
    Destroy,
    /// Any other call: a mail, a payment, a backup, a step.
    Other,
}

impl CallVerb {
    /// Returns the name of the verb in JSON.
    pub fn name(self) -> &'static str {
        match self {
            CallVerb::Make => "make",
            CallVerb::Change => "change",
            CallVerb::Destroy => "destroy",
            CallVerb::Other => "call",
        }
    }

    fn sign(self) -> char {
        match self {
            CallVerb::Make => '+',
            CallVerb::Change => '~',
            CallVerb::Destroy => '-',
            CallVerb::Other => '>',
        }
    }
}

/// One call of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCall {
    /// The host's clock after the step that caused the call, in milliseconds since the epoch.
    pub at: Timestamp,
    /// Line of the step in the scenario; none for calls before the first step.
    pub line: Option<usize>,
    /// The kind of change.
    pub verb: CallVerb,
    /// The requesting scope, `business/mode/account`.
    pub scope: String,
    /// Kind of the effect, such as `database.ensure`.
    pub kind: String,
    /// Key of the effect.
    pub key: String,
    /// The members that the call changes, with their values before and after, in order of names. Secrets are
    /// references.
    pub members: Vec<(String, Option<Value>, Option<Value>)>,
    /// Code of the failure, if the call fails.
    pub fails: Option<String>,
}

/// Runs a case. Returns its calls in order, including those of live providers, and its report.
///
/// # Errors
///
/// Fails if the case can't be run to its end.
pub fn plan(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
) -> Result<(Vec<PlannedCall>, CaseReport), ReplayError> {
    let (mut planned, mut seen) = (Vec::new(), 0);
    let mut settings: BTreeMap<ResourceId, Map<String, Value>> = BTreeMap::new();
    let live = options.live.clone().map(LiveProviders::recorded);
    let options = PlayOptions { live, ..options.clone() };
    let report = play_watched(scenario, case, business, &options, &mut |stepped| {
        let at = stepped.host.clock();
        let line = stepped.step.and_then(|step| scenario.steps.get(step)).map(|step| step.line);
        let journal = stepped.host.scripted().journal();
        planned.extend(journal.iter().skip(seen).filter_map(|entry| of(entry, at, line, &mut settings)));
        seen = journal.len();
        Ok(())
    })?;
    Ok((planned, report))
}

/// Returns the planned call of a journal entry; none if the call only reads a resource.
fn of(
    entry: &Entry,
    at: Timestamp,
    line: Option<usize>,
    settings: &mut BTreeMap<ResourceId, Map<String, Value>>,
) -> Option<PlannedCall> {
    let call = &entry.call;
    let fails = match &entry.answer {
        ScriptedAnswer::Retryable { code, .. } | ScriptedAnswer::Final { code, .. } => Some(code.clone()),
        _ => None,
    };
    let verb = match call.verb() {
        "observe" if call.is_resource_call() => return None,
        "ensure" if call.is_resource_call() => CallVerb::Make,
        "change" if call.is_resource_call() => CallVerb::Change,
        "destroy" if call.is_resource_call() => CallVerb::Destroy,
        _ => CallVerb::Other,
    };
    let id = call.resource_id();
    let before = settings.get(&id).cloned().unwrap_or_default();
    let members = match verb {
        CallVerb::Make | CallVerb::Change => differences(&before, &payload(call)),
        CallVerb::Destroy | CallVerb::Other => Vec::new(),
    };
    if fails.is_none() {
        match verb {
            CallVerb::Make | CallVerb::Change => settings.entry(id).or_default().extend(payload(call)),
            CallVerb::Destroy => drop(settings.remove(&id)),
            CallVerb::Other => {}
        }
    }
    let (scope, kind, key) = (call.scope.clone(), call.kind.clone(), call.key.clone());
    Some(PlannedCall { at, line, verb, scope, kind, key, members, fails })
}

fn payload(call: &Call) -> Map<String, Value> {
    call.payload.as_object().cloned().unwrap_or_default()
}

fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<(String, Option<Value>, Option<Value>)> {
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    changed.map(|(name, value)| (name.clone(), before.get(name).cloned(), Some(value.clone()))).collect()
}

/// Formats the plan as text: the calls at each time, then a summary.
pub fn human(planned: &[PlannedCall]) -> String {
    let mut out = String::new();
    let mut place = None;
    for one in planned {
        // Writing to a string doesn't fail.
        if place != Some((one.at, one.line)) {
            place = Some((one.at, one.line));
            let line = one.line.map(|line| format!(", line {line}")).unwrap_or_default();
            let _ = writeln!(out, "{}{}{line}", if out.is_empty() { "" } else { "\n" }, crate::time::text(one.at));
        }
        let what = match one.verb {
            CallVerb::Other => format!("{}  {}", one.kind, one.key),
            _ => {
                let resource = one.kind.rsplit_once('.').map_or(one.kind.as_str(), |(resource, _)| resource);
                let id = one.key.rsplit_once('/').map_or(one.key.as_str(), |(id, _)| id);
                format!("{resource} {id}")
            }
        };
        let fails = one.fails.as_ref().map(|code| format!("  (fails: {code})")).unwrap_or_default();
        let _ = writeln!(out, "  {} {what}{fails}", one.verb.sign());
        let width = one.members.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
        for (name, before, after) in &one.members {
            let after = after.as_ref().map(Value::to_string).unwrap_or_default();
            let _ = match before {
                Some(before) => writeln!(out, "      {name:width$}  {before} → {after}"),
                None => writeln!(out, "      {name:width$}  {after}"),
            };
        }
    }
    let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, summary(planned));
    out
}

fn count(planned: &[PlannedCall], verb: CallVerb) -> usize {
    planned.iter().filter(|one| one.verb == verb && one.fails.is_none()).count()
}

fn summary(planned: &[PlannedCall]) -> String {
    let of = |verb| count(planned, verb);
    let failing = planned.iter().filter(|one| one.fails.is_some()).count();
    let failing = if failing > 0 { format!(", {failing} that fail") } else { String::new() };
    format!(
        "Plan: {} to make, {} to change, {} to destroy, {} other calls{failing}.",
        of(CallVerb::Make),
        of(CallVerb::Change),
        of(CallVerb::Destroy),
        of(CallVerb::Other)
    )
}

/// Formats the plan as JSON lines: one line for each call, then a summary.
pub fn json(planned: &[PlannedCall]) -> String {
    let mut out = String::new();
    for one in planned {
        let members: Map<String, Value> = one
            .members
            .iter()
            .map(|(name, before, after)| (name.clone(), json!({"before": before, "after": after})))
            .collect();
        let line = json!({
            "at": crate::time::text(one.at), "line": one.line, "do": one.verb.name(), "kind": one.kind, "key": one.key,
            "scope": one.scope, "members": members, "fails": one.fails,
        });
        let _ = writeln!(out, "{line}");
    }
    let of = |verb| count(planned, verb);
    let summary = json!({"summary": {
        "make": of(CallVerb::Make), "change": of(CallVerb::Change), "destroy": of(CallVerb::Destroy), "call": of(CallVerb::Other),
        "fail": planned.iter().filter(|one| one.fails.is_some()).count(),
    }});
    let _ = writeln!(out, "{summary}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Sources, stories};
    use crate::native;
    use host_provider_api::scripted::Scripted;
    use host_provider_api::{CallOutcome, Provider, Registry, Reply, Simulation};
    use std::sync::Arc;
    use test_support::{fixtures, in_business};

    #[test]
    fn a_plan_lists_each_call_with_its_changes() {
        let file = in_business("solobase/scenarios/requirements/cancel-archive-restore-terminate.yml");
        let sources = Sources { business: None, fixtures: Some(fixtures()) };
        let story = stories(&[file], sources, &native::runners()).expect("the scenario").remove(0);
        let options = PlayOptions::new(native::runners());
        let (planned, report) = plan(&story.scenario, &story.cases[0], &story.business, &options).expect("a plan");
        assert!(report.held());
        let count = |verb| planned.iter().filter(|one| one.verb == verb).count();
        // The order creates three resources. The archive destroys two and keeps the bucket; the restore recreates the
        // two. At the end, all three are destroyed.
        assert_eq!((count(CallVerb::Make), count(CallVerb::Destroy)), (5, 5));
        let suspended = planned.iter().find(|one| one.verb == CallVerb::Change).expect("a change");
        assert_eq!(suspended.key, "inst_myapp/compute@lambda/change");
        let member = suspended.members.iter().find(|(name, ..)| name == "state").expect("the state");
        assert_eq!((member.1.as_ref(), member.2.as_ref()), (None, Some(&"suspended".into())));
        let text = human(&planned);
        assert!(text.contains("  + database inst_myapp/database\n") && text.contains("      name "), "{text}");
        assert!(text.contains("  - bucket inst_myapp/bucket\n"), "{text}");
        assert!(text.contains("  > database.backup  inst_myapp/database/backup\n"), "{text}");
        assert!(text.contains("\nPlan: 5 to make, 2 to change, 5 to destroy, "), "{text}");
        let lines = json(&planned);
        assert_eq!(lines.lines().count(), planned.len() + 1);
        assert!(lines.ends_with("\"make\":5}}\n"), "{lines}");
    }

    /// A live provider that returns the answers of the scripted provider but takes 1 ms per call.
    struct Slow(Scripted);

    impl Provider for Slow {
        fn call(&self, call: &Call) -> CallOutcome {
            match (&call.token, self.0.play(call)) {
                (Some(_), Reply::Answer(outcome)) => outcome,
                _ => CallOutcome::InProgress { after_ms: 1, token: "later".to_owned() },
            }
        }
    }

    #[test]
    fn calls_of_live_providers_are_in_the_plan_once() {
        let file = in_business("solobase/scenarios/requirements/provision-resources.yml");
        let sources = Sources { business: None, fixtures: Some(fixtures()) };
        let story = stories(&[file], sources, &native::runners()).expect("the scenario").remove(0);
        let planned = |live: Option<LiveProviders>| {
            let options = PlayOptions { live, ..PlayOptions::new(native::runners()) };
            let (planned, _) = plan(&story.scenario, &story.cases[0], &story.business, &options).expect("a plan");
            let mut calls: Vec<_> = planned.into_iter().map(|one| (one.kind, one.key, one.line, one.fails)).collect();
            calls.sort();
            calls
        };
        let mut registry = Registry::new();
        registry.register(&["database"], Arc::new(Slow(Scripted::new())));
        let live = planned(Some(LiveProviders::new(registry)));
        assert!(live.iter().any(|(kind, ..)| kind == "database.ensure"), "{live:?}");
        assert_eq!(live, planned(None));
    }
}
