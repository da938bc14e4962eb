//! The state of an instance's resources, and what to ask for next.
//!
//! State-based: from what each resource is and what the status wants of it follows the next effect, if any. Whatever
//! happened in between, running [`advance`] again finds the way. What is asked for is recorded before it is asked for;
//! a resource is identified by name and variant, and its effects carry a generation that rises with each request.

use super::Instance;
use crate::context::{Context, Step, Stop, encode, request};
use crate::schema::{OnArchive, Resource as Decl};
use crate::template;
use products_contract::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where a resource stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It does not exist.
    #[default]
    Absent,
    /// `ensure` was asked for.
    Making,
    /// It exists, or may exist: an attempt whose end is not known.
    Present,
    /// `change` was asked for.
    Changing,
    /// `backup` was asked for.
    BackingUp,
    /// `restore` was asked for.
    Restoring,
    /// `destroy` was asked for.
    Freeing,
    /// Its configuration leaves it out.
    Skipped,
    /// Destroying it failed; a person must look.
    Stuck,
}

impl State {
    fn in_flight(self) -> bool {
        matches!(self, State::Making | State::Changing | State::BackingUp | State::Restoring | State::Freeing)
    }
}

/// A resource of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Resource {
    pub state: State,
    /// Rises with each request for it.
    pub generation: u32,
    /// It stands still and keeps its data.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What the request in flight makes of `suspended`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspending: bool,
    /// What it was made or changed with.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// What its provider answered.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// A verified backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Value>,
    /// A change that failed is not tried again before the status changes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
}

/// The step that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// Resource and verb.
    pub step: String,
    /// The provider's code.
    pub code: String,
    /// When.
    pub at: Timestamp,
}

/// Everything that an instance's status does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saga {
    /// Whether anything was ever asked for.
    pub begun: bool,
    /// Resources by name, or name and variant: `compute@ecs`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
    /// Status to return to if an archive or restore fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// A last backup is made before it is deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub final_backup: bool,
    /// It begins again as soon as all is undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retry_wanted: bool,
    /// It stood in `error` so long that the lost days are credited.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub credit_due: bool,
    /// It was refused and never began.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// An archive failed; it is not tried again by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Entitlements of which more is in use than allowed; what holds them refuses writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    /// The address whose health is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watching: Option<String>,
    /// What outlives that which it belongs to. No part of the state, like all generations.
    pub generation: Generations,
}

/// Generations go on rising when what they belong to comes and goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Generations {
    /// Of the health watch.
    pub watch: u32,
    /// Of resources that are gone, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, u32>,
}

impl Saga {
    /// A resource, as absent if there is no entry; none if it was never asked for.
    pub fn resource(&self, name: &str) -> Option<Resource> {
        let gone = || Some(Resource { generation: *self.generation.gone.get(name)?, ..Resource::default() });
        self.resources.get(name).cloned().or_else(gone)
    }

    /// Leave out what is gone without a trace: an entry that says nothing would tell how the instance got here.
    pub fn prune(&mut self) {
        let gone = &mut self.generation.gone;
        self.resources.retain(|name, resource| {
            let keep = resource.state != State::Absent || resource.backup.is_some() || resource.blocked;
            if !keep {
                gone.insert(name.clone(), resource.generation);
            }
            keep
        });
    }

    /// Whether no resource remains.
    pub fn compensated(&self) -> bool {
        self.resources.values().all(|resource| matches!(resource.state, State::Absent | State::Skipped))
    }

    /// Note that it was never begun because it was refused.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Let what was stuck be tried again.
    pub fn unstick(&mut self) {
        for resource in self.resources.values_mut() {
            if resource.state == State::Stuck {
                resource.state = State::Present;
            }
        }
    }

    /// The status changed: what failed under the old one may be tried.
    pub fn unblock(&mut self) {
        for resource in self.resources.values_mut() {
            resource.blocked = false;
        }
    }
}

/// What a status wants of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Running,
    Suspended,
    Absent,
    AsItIs,
}

fn want(status: &str, decl: &Decl) -> Want {
    match status {
        "provisioning" | "running" | "restoring" => Want::Running,
        "suspended" => Want::Suspended,
        "archiving" if decl.on_archive == OnArchive::Free => Want::Absent,
        "deleting" | "error" => Want::Absent,
        _ => Want::AsItIs,
    }
}

/// Effect key of a request: instance, resource, verb.
fn effect_key(instance: &str, resource: &str, verb: &str) -> String {
    format!("{instance}/{resource}/{verb}")
}

/// Ask for whatever can be asked for now. True if the status has what it wants.
pub(crate) fn advance(context: &mut Context<'_, '_>, instance: &mut Instance, plan: &Map<String, Value>) -> Step<bool> {
    let status = instance.status().to_owned();
    let decls = instance.decl.provisions.clone();
    let mut done = true;
    let mut current = Vec::with_capacity(decls.len());
    for decl in &decls {
        current.push(entry_name(instance, decl, plan, want(&status, decl))?);
    }
    // Making goes forward: a resource begins when what it needs is there.
    for (decl, name) in decls.iter().zip(&current) {
        done &= match want(&status, decl) {
            Want::Running => make(context, instance, decl, name, &decls, &current, plan)?,
            Want::Suspended => suspend(context, instance, decl, name)?,
            Want::Absent => true,
            Want::AsItIs => !instance.saga.value.resources.get(name).is_some_and(|r| r.state.in_flight()),
        };
    }
    // Backups come before anything is freed.
    let backups = matches!(status.as_str(), "archiving") || (status == "deleting" && instance.saga.value.final_backup);
    if backups {
        for (decl, name) in decls.iter().zip(&current).filter(|(decl, _)| decl.backup) {
            if !back_up(context, instance, decl, name)? {
                return Ok(false);
            }
        }
    }
    // Undoing goes backward, one at a time; a replaced variant goes once its successor is there.
    for (decl, name) in decls.iter().zip(&current).rev() {
        let absent = want(&status, decl) == Want::Absent;
        let entries: Vec<String> =
            instance.saga.value.resources.keys().filter(|e| is_of(e, &decl.name)).cloned().collect();
        for entry in entries {
            if (absent || (entry != *name && done)) && !free(context, instance, decl, &entry)? {
                return Ok(false);
            }
        }
    }
    Ok(done)
}

/// Whether an entry belongs to a declared resource.
fn is_of(entry: &str, name: &str) -> bool {
    entry == name || entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('@'))
}

/// The entry that should serve: with the variant that the plan wants; without a plan the one that is there.
fn entry_name(instance: &Instance, decl: &Decl, plan: &Map<String, Value>, want: Want) -> Step<String> {
    let Some(template) = &decl.variant else { return Ok(decl.name.clone()) };
    let existing = || {
        let mut entries = instance.saga.value.resources.iter().filter(|(entry, _)| is_of(entry, &decl.name));
        entries.find(|(_, r)| r.state != State::Absent).map(|(entry, _)| entry.clone())
    };
    if want != Want::Running
        && let Some(entry) = existing()
    {
        return Ok(entry);
    }
    let scope = template::Scope::default().object("plan", plan).object("metadata", &instance.metadata);
    match scope.fill(&Value::String(template.clone())) {
        Ok(Value::String(variant)) => Ok(format!("{}@{variant}", decl.name)),
        _ => Ok(existing().unwrap_or_else(|| decl.name.clone())),
    }
}

/// The outputs of what a resource needs; none while one of them is not there.
fn needed<'i>(
    instance: &'i Instance,
    decl: &Decl,
    decls: &'i [Decl],
    current: &'i [String],
) -> Option<Vec<(&'i str, &'i Map<String, Value>)>> {
    let mut out = Vec::new();
    for need in &decl.needs {
        let index = decls.iter().position(|other| other.name == *need)?;
        let resource = instance.saga.value.resources.get(&current[index])?;
        match resource.state {
            State::Present | State::Changing | State::BackingUp => {
                out.push((decls[index].name.as_str(), &resource.outputs))
            }
            State::Skipped => {}
            _ => return None,
        }
    }
    Some(out)
}

/// Fill in what a resource is made with.
fn inputs(
    context: &mut Context<'_, '_>,
    instance: &Instance,
    decl: &Decl,
    outputs: &[(&str, &Map<String, Value>)],
    plan: &Map<String, Value>,
) -> Step<Map<String, Value>> {
    let config = config_of(context, &decl.with)?;
    let mut scope = template::Scope::default()
        .text("id", &instance.row.id)
        .text("business", &context.event.business)
        .object("metadata", &instance.metadata)
        .object("plan", plan)
        .object("config", &config);
    for (name, outputs) in outputs {
        scope = scope.object(name, outputs);
    }
    match scope.fill(&Value::Object(decl.with.clone())) {
        Ok(Value::Object(filled)) => Ok(filled),
        Ok(_) => Ok(Map::new()),
        Err(place) => {
            let message = format!("{}: `{{{place}}}` of resource {} names nothing", instance.row.id, decl.name);
            Err(Stop::Failed(Failure::Internal(message)))
        }
    }
}

/// The configuration values that a template names; a secret is its reference.
fn config_of(context: &mut Context<'_, '_>, with: &Map<String, Value>) -> Step<Map<String, Value>> {
    let text = encode(with)?;
    let mut out = Map::new();
    for part in text.split("{config.").skip(1) {
        let Some((key, _)) = part.split_once('}') else { continue };
        let value = match context.config(key)? {
            Some(ConfigValue::Text(text) | ConfigValue::Secret(text)) => Value::String(text),
            Some(ConfigValue::Integer(number)) => json!(number),
            Some(ConfigValue::Boolean(flag)) => json!(flag),
            None => Value::Null,
        };
        out.insert(key.to_owned(), value);
    }
    Ok(out)
}

/// Want it there and running. True if it is.
fn make(
    context: &mut Context<'_, '_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    decls: &[Decl],
    current: &[String],
    plan: &Map<String, Value>,
) -> Step<bool> {
    let known = instance.saga.value.resources.get(name).cloned().unwrap_or_default();
    if known.state.in_flight() || known.state == State::Stuck {
        return Ok(false);
    }
    // A successor that could not be made leaves its predecessor in service.
    if known.blocked && known.state == State::Absent {
        return Ok(false);
    }
    if let Some(key) = &decl.when
        && known.state != State::Present
        && context.config(key)?.is_none()
    {
        instance.saga.value.resources.entry(name.to_owned()).or_default().state = State::Skipped;
        return Ok(true);
    }
    let Some(outputs) = needed(instance, decl, decls, current) else { return Ok(false) };
    let mut inputs = inputs(context, instance, decl, &outputs, plan)?;
    if let Some(quota) = &decl.quota {
        let writes = if instance.saga.value.over.contains(quota) { "refused" } else { "allowed" };
        inputs.insert("writes".to_owned(), json!(writes));
    }
    if known.state == State::Present {
        if (known.inputs == inputs && !known.suspended) || known.blocked {
            return Ok(true);
        }
        let mut payload = inputs.clone();
        if decl.suspends {
            payload.insert("state".to_owned(), json!("running"));
        }
        let next = Resource { state: State::Changing, suspending: false, inputs, ..known };
        ask(context, instance, decl, name, next, "change", payload)?;
        return Ok(false);
    }
    // It was refused; what served before goes on serving until somebody tries again.
    if known.blocked {
        return Ok(false);
    }
    let next = Resource { state: State::Making, inputs: inputs.clone(), suspending: false, ..known };
    ask(context, instance, decl, name, next, "ensure", inputs)?;
    Ok(false)
}

/// Want it to stand still. True if it does, or never can.
fn suspend(context: &mut Context<'_, '_>, instance: &mut Instance, decl: &Decl, name: &str) -> Step<bool> {
    let Some(known) = instance.saga.value.resources.get(name).cloned() else { return Ok(true) };
    if known.state.in_flight() {
        return Ok(false);
    }
    if !decl.suspends || known.state != State::Present || known.suspended || known.blocked {
        return Ok(true);
    }
    let mut payload = known.inputs.clone();
    payload.insert("state".to_owned(), json!("suspended"));
    let next = Resource { state: State::Changing, suspending: true, ..known };
    ask(context, instance, decl, name, next, "change", payload)?;
    Ok(false)
}

/// Want a verified backup. True if there is one, or nothing to back up.
fn back_up(context: &mut Context<'_, '_>, instance: &mut Instance, decl: &Decl, name: &str) -> Step<bool> {
    let Some(known) = instance.saga.value.resources.get(name).cloned() else { return Ok(true) };
    if known.state.in_flight() {
        return Ok(false);
    }
    if known.state != State::Present || known.backup.is_some() {
        return Ok(true);
    }
    if known.blocked {
        return Ok(false);
    }
    let mut payload = known.inputs.clone();
    payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
    // An archive's backup is kept with the archive, a deleted instance's for a while.
    if instance.status() == "deleting" {
        payload.insert("keep_days".to_owned(), json!(context.settings()?.final_backup_days));
    }
    ask(context, instance, decl, name, Resource { state: State::BackingUp, ..known }, "backup", payload)?;
    Ok(false)
}

/// Want it gone. True if it is. A request to make it that has not begun is taken back.
fn free(context: &mut Context<'_, '_>, instance: &mut Instance, decl: &Decl, name: &str) -> Step<bool> {
    let Some(known) = instance.saga.value.resources.get(name).cloned() else { return Ok(true) };
    match known.state {
        State::Absent | State::Skipped => return Ok(true),
        State::Making => {
            let key = effect_key(&instance.row.id, name, "ensure");
            let cancelled = context.host.effects_cancel(&[key])?;
            if cancelled.first() == Some(&crate::rows::Cancellation::Cancelled) {
                let gone = Resource { state: State::Absent, inputs: Map::new(), ..known };
                instance.saga.value.resources.insert(name.to_owned(), gone);
                return Ok(true);
            }
            return Ok(false);
        }
        State::Present => {}
        _ => return Ok(false),
    }
    let mut payload = known.inputs.clone();
    payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
    ask(context, instance, decl, name, Resource { state: State::Freeing, ..known }, "destroy", payload)?;
    Ok(false)
}

/// After a resource was made anew from an archive, its data comes back.
pub(super) fn restore(context: &mut Context<'_, '_>, instance: &mut Instance, decl: &Decl, name: &str) -> Step<bool> {
    let Some(known) = instance.saga.value.resources.get(name).cloned() else { return Ok(false) };
    let Some(backup) = known.backup.clone() else { return Ok(false) };
    let mut payload = known.inputs.clone();
    payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
    payload.insert("backup".to_owned(), backup);
    ask(context, instance, decl, name, Resource { state: State::Restoring, ..known }, "restore", payload)?;
    Ok(true)
}

/// Record a request, then make it.
fn ask(
    context: &mut Context<'_, '_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    mut next: Resource,
    verb: &str,
    payload: Map<String, Value>,
) -> Step<()> {
    let last = instance.saga.value.generation.gone.remove(name).unwrap_or(0);
    next.generation = next.generation.max(last).saturating_add(1);
    let effect = Effect {
        generation: next.generation,
        ordering_key: Some(format!("{}/{name}", instance.row.id)),
        ..request(&format!("{}.{verb}", decl.resource), effect_key(&instance.row.id, name, verb), encode(&payload)?)
    };
    instance.saga.value.begun = true;
    instance.saga.value.resources.insert(name.to_owned(), next);
    context.host.effects_enqueue(&[effect]);
    Ok(())
}
