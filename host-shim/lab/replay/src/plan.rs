//! What a scenario would have made, changed and destroyed, call by call, without any of it being done.

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

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// Makes a resource.
    Make,
    /// Changes one.
    Change,
    /// Destroys one.
    Destroy,
    /// Anything else: a mail, a payment, a backup, a step.
    Other,
}

impl Doing {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Doing::Make => "make",
            Doing::Change => "change",
            Doing::Destroy => "destroy",
            Doing::Other => "call",
        }
    }

    fn sign(self) -> char {
        match self {
            Doing::Make => '+',
            Doing::Change => '~',
            Doing::Destroy => '-',
            Doing::Other => '>',
        }
    }
}

/// One call of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// When the step came to it, milliseconds since the epoch.
    pub at: Timestamp,
    /// Line of the step in the scenario; none for what is due before the first one.
    pub line: Option<usize>,
    /// What it does.
    pub doing: Doing,
    /// `business/mode/account` that asks.
    pub scope: String,
    /// `database.ensure`.
    pub kind: String,
    /// The effect's key.
    pub key: String,
    /// Members with their values before and after, in the order of their names; secrets are references.
    pub members: Vec<(String, Option<Value>, Option<Value>)>,
    /// The code of the failure that the scenario says.
    pub fails: Option<String>,
}

/// Every call of a scenario's first version, in order, and what came of the scenario itself.
pub fn plan(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    options: &PlayOptions,
) -> Result<(Vec<Planned>, CaseReport), ReplayError> {
    let (mut planned, mut seen) = (Vec::new(), 0);
    let mut settings: BTreeMap<ResourceId, Map<String, Value>> = BTreeMap::new();
    let report = play_watched(scenario, case, business, options, &mut |stepped| {
        let at = stepped.host.clock();
        let line = stepped.step.and_then(|step| scenario.steps.get(step)).map(|step| step.line);
        let journal = stepped.host.scripted().journal();
        planned.extend(journal.iter().skip(seen).filter_map(|entry| of(entry, at, line, &mut settings)));
        seen = journal.len();
        Ok(())
    })?;
    Ok((planned, report))
}

/// What one call is in a plan; none if it only looks.
fn of(
    entry: &Entry,
    at: Timestamp,
    line: Option<usize>,
    settings: &mut BTreeMap<ResourceId, Map<String, Value>>,
) -> Option<Planned> {
    let call = &entry.call;
    let fails = match &entry.answer {
        ScriptedAnswer::Retryable { code, .. } | ScriptedAnswer::Final { code, .. } => Some(code.clone()),
        _ => None,
    };
    let doing = match call.verb() {
        "observe" if call.is_resource_call() => return None,
        "ensure" if call.is_resource_call() => Doing::Make,
        "change" if call.is_resource_call() => Doing::Change,
        "destroy" if call.is_resource_call() => Doing::Destroy,
        _ => Doing::Other,
    };
    let id = call.resource_id();
    let before = settings.get(&id).cloned().unwrap_or_default();
    let members = match doing {
        Doing::Make | Doing::Change => differences(&before, &payload(call)),
        Doing::Destroy | Doing::Other => Vec::new(),
    };
    if fails.is_none() {
        match doing {
            Doing::Make | Doing::Change => settings.entry(id).or_default().extend(payload(call)),
            Doing::Destroy => drop(settings.remove(&id)),
            Doing::Other => {}
        }
    }
    let (scope, kind, key) = (call.scope.clone(), call.kind.clone(), call.key.clone());
    Some(Planned { at, line, doing, scope, kind, key, members, fails })
}

fn payload(call: &Call) -> Map<String, Value> {
    call.payload.as_object().cloned().unwrap_or_default()
}

fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<(String, Option<Value>, Option<Value>)> {
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    changed.map(|(name, value)| (name.clone(), before.get(name).cloned(), Some(value.clone()))).collect()
}

/// The plan for people: what happens at each time, then how much of it.
pub fn human(planned: &[Planned]) -> String {
    let mut out = String::new();
    let mut place = None;
    for one in planned {
        // Writing to a text doesn't fail.
        if place != Some((one.at, one.line)) {
            place = Some((one.at, one.line));
            let line = one.line.map(|line| format!(", line {line}")).unwrap_or_default();
            let _ = writeln!(out, "{}{}{line}", if out.is_empty() { "" } else { "\n" }, crate::time::text(one.at));
        }
        let what = match one.doing {
            Doing::Other => format!("{}  {}", one.kind, one.key),
            _ => {
                let resource = one.kind.rsplit_once('.').map_or(one.kind.as_str(), |(resource, _)| resource);
                let id = one.key.rsplit_once('/').map_or(one.key.as_str(), |(id, _)| id);
                format!("{resource} {id}")
            }
        };
        let fails = one.fails.as_ref().map(|code| format!("  (fails: {code})")).unwrap_or_default();
        let _ = writeln!(out, "  {} {what}{fails}", one.doing.sign());
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

fn count(planned: &[Planned], doing: Doing) -> usize {
    planned.iter().filter(|one| one.doing == doing && one.fails.is_none()).count()
}

fn summary(planned: &[Planned]) -> String {
    let of = |doing| count(planned, doing);
    let failing = planned.iter().filter(|one| one.fails.is_some()).count();
    let failing = if failing > 0 { format!(", {failing} that fail") } else { String::new() };
    format!(
        "Plan: {} to make, {} to change, {} to destroy, {} other calls{failing}.",
        of(Doing::Make),
        of(Doing::Change),
        of(Doing::Destroy),
        of(Doing::Other)
    )
}

/// The plan for programs: a line a call, then a summary.
pub fn json(planned: &[Planned]) -> String {
    let mut out = String::new();
    for one in planned {
        let members: Map<String, Value> = one
            .members
            .iter()
            .map(|(name, before, after)| (name.clone(), json!({"before": before, "after": after})))
            .collect();
        let line = json!({
            "at": crate::time::text(one.at), "line": one.line, "do": one.doing.name(), "kind": one.kind, "key": one.key,
            "scope": one.scope, "members": members, "fails": one.fails,
        });
        let _ = writeln!(out, "{line}");
    }
    let of = |doing| count(planned, doing);
    let summary = json!({"summary": {
        "make": of(Doing::Make), "change": of(Doing::Change), "destroy": of(Doing::Destroy), "call": of(Doing::Other),
        "fail": planned.iter().filter(|one| one.fails.is_some()).count(),
    }});
    let _ = writeln!(out, "{summary}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{Sources, stories};
    use crate::runners::Runners;
    use host_wasm_runner::native::NativeRunner;
    use instance_provisioner::Provisioner;
    use std::path::Path;

    #[test]
    fn a_plan_tells_each_call_with_what_it_changes() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures");
        let file = fixtures.join("solobase/scenarios/requirements/cancel-archive-restore-terminate.yml");
        let sources = Sources { business: None, fixtures: Some(fixtures) };
        let native = || Runners::new("native", || Ok(Box::new(NativeRunner::new(Box::new(Provisioner)))));
        let story = stories(&[file], sources, &native()).expect("the scenario").remove(0);
        let options = PlayOptions::new(native());
        let (planned, report) = plan(&story.scenario, &story.cases[0], &story.business, &options).expect("a plan");
        assert!(report.held());
        let count = |doing| planned.iter().filter(|one| one.doing == doing).count();
        // Three resources, two of them again after the archive, which keeps the bucket; all gone in the end.
        assert_eq!((count(Doing::Make), count(Doing::Destroy)), (5, 5));
        let suspended = planned.iter().find(|one| one.doing == Doing::Change).expect("a change");
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
}
