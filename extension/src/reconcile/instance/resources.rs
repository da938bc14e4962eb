//! Requests the next effects for the resources of an instance.
//!
//! [`advance`] derives the next effect of each resource only from the actual and the desired state, so it can run again
//! after any event. A resource is identified by name and variant; the generation of its effects rises with each
//! request. A step is requested once: when done, it stays done until its instance begins anew.

use super::by_hand;
use super::handover;
use super::stock::{self, Stock};
use crate::actions::step_failed::step_failed;
use crate::catalog::schema::{OnArchive, Resource as Decl};
use crate::catalog::template::{Scope, places};
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::correlation::{Correlation, Verb};
use crate::model::effect::request;
use crate::model::halt::{Ruled, internal};
use crate::model::json::Object;
use crate::model::keys::EffectKey;
use crate::model::records::instance::{
    Data, Deletion, Effects, InstanceStatus, Power, ResourceState, ResourceStatus, Stage, Task, is_late,
};
use crate::model::time::DAY_MS;
use extension_contract::{ConfigValue, Effect, EffectFailure, EffectFailureClass};
use serde_json::{Value, json};

/// Milliseconds after which the result of a request about a resource counts as unknown. It is then requested again.
const ANSWERED_WITHIN_MS: i64 = DAY_MS;

/// The desired state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DesiredState {
    Running,
    Suspended,
    Absent,
    Unchanged,
}

fn desired_state(status: Option<InstanceStatus>, decl: &Decl) -> DesiredState {
    use InstanceStatus::{
        Archived, Archiving, Deleting, Error, Provisioning, Restoring, Running, Suspended, Terminated,
    };
    match status {
        Some(Provisioning | Running | Restoring) => DesiredState::Running,
        Some(Suspended) => DesiredState::Suspended,
        // Also applies to a resource that was completed late, after its instance was archived or terminated.
        Some(Archiving | Archived) if decl.on_archive == OnArchive::Free && !decl.is_step() => DesiredState::Absent,
        Some(Deleting | Error | Terminated) => DesiredState::Absent,
        _ => DesiredState::Unchanged,
    }
}

/// The account's inputs to a resource.
pub(super) struct AccountInputs<'g> {
    /// The fields of the plan that pays for the instance.
    pub plan: &'g Object,
    pub standing: &'g AccountStanding,
}

/// Requests the next effects of all resources whose dependencies are present. Returns true if all resources are in the
/// desired state.
pub(super) fn advance(desk: &mut Desk<'_>, instance: &mut Instance, given: &AccountInputs<'_>) -> Ruled<bool> {
    let status = instance.status();
    let declared = instance.decl.clone();
    let decls = &declared.provisions;
    let mut done = true;
    let mut current = Vec::with_capacity(decls.len());
    for decl in decls {
        current.push(entry_name(instance, decl, given.plan, desired_state(status, decl))?);
    }
    // Resources are created in order, each resource after its dependencies.
    for (decl, name) in decls.iter().zip(&current) {
        done &= match desired_state(status, decl) {
            DesiredState::Running => make(desk, instance, decl, name, decls, &current, given)?,
            DesiredState::Suspended => suspend(desk, instance, decl, name)?,
            DesiredState::Absent => true,
            DesiredState::Unchanged => !instance.record.resources.get(name).is_some_and(|r| r.status.is_in_flight()),
        };
    }
    // Backups are made before any resource is freed.
    let backups = status == Some(InstanceStatus::Archiving)
        || instance.record.state.stage() == Stage::Deleting(Deletion::OrderedWithBackup);
    if backups {
        for (decl, name) in decls.iter().zip(&current).filter(|(decl, _)| decl.backup) {
            if !back_up(desk, instance, decl, name)? {
                return Ok(false);
            }
        }
    }
    // Resources are freed in reverse order, one at a time. A replaced variant is freed when its successor is present.
    for (decl, name) in decls.iter().zip(&current).rev() {
        let absent = desired_state(status, decl) == DesiredState::Absent;
        let entries: Vec<String> = instance.record.resources.keys().filter(|e| decl.has(e)).cloned().collect();
        for entry in entries {
            if (absent || (entry != *name && done)) && !free(desk, instance, decl, &entry)? {
                return Ok(false);
            }
        }
    }
    // What the type declares no more goes with its instance.
    let is_ending =
        matches!(status, Some(InstanceStatus::Deleting | InstanceStatus::Error | InstanceStatus::Terminated));
    for (entry, decl) in undeclared(instance, decls).into_iter().filter(|_| is_ending) {
        if !free(desk, instance, &decl, &entry)? {
            return Ok(false);
        }
    }
    Ok(done)
}

/// Returns the entries of resources that the type declares no more, each with a declaration that names only its resource.
fn undeclared(instance: &Instance, decls: &[Decl]) -> Vec<(String, Decl)> {
    let entries = instance.record.resources.iter().filter(|(entry, _)| !decls.iter().any(|decl| decl.has(entry)));
    let with_decl = entries.filter_map(|(entry, state)| {
        let name = entry.split('@').next().unwrap_or(entry).to_owned();
        Some((entry.clone(), Decl { name, resource: Some(state.kind.clone()?), ..Decl::default() }))
    });
    with_decl.collect()
}

/// Returns the name of the resource's entry: with the variant that the template gives, or the name of the existing
/// entry if the resource need not run or the template cannot be filled in.
fn entry_name(instance: &Instance, decl: &Decl, plan: &Object, desired_state: DesiredState) -> Ruled<String> {
    let Some(template) = &decl.variant else { return Ok(decl.name.clone()) };
    let existing = || {
        let mut entries = instance.record.resources.iter().filter(|(entry, _)| decl.has(entry));
        let serves = |entry: &str, r: &ResourceState| {
            !r.status.is_missing() && !is_late(entry) && r.data != Data::HandedOver && !handover::lacks_data(r)
        };
        entries.find(|(entry, r)| serves(entry, r)).map(|(entry, _)| entry.clone())
    };
    if desired_state != DesiredState::Running
        && let Some(entry) = existing()
    {
        return Ok(entry);
    }
    let scope = Scope::default().object("plan", plan).object("instance", &instance.metadata);
    match scope.fill(&Value::String(template.clone())) {
        Ok(Value::String(variant)) => Ok(format!("{}@{variant}", decl.name)),
        _ => Ok(existing().unwrap_or_else(|| decl.name.clone())),
    }
}

/// Name and outputs of a dependency; `None` for a skipped dependency.
type Outputs<'i> = (&'i str, Option<&'i Object>);

/// Returns the outputs of a resource's direct and indirect dependencies; `None` if one of them is not present.
fn needed<'i>(
    instance: &'i Instance,
    decl: &Decl,
    decls: &'i [Decl],
    current: &'i [String],
) -> Option<Vec<Outputs<'i>>> {
    let mut out = Vec::new();
    for index in decl.comes_after(decls) {
        let resource = instance.record.resources.get(&current[index])?;
        // Without the data of its predecessor it is not in service yet.
        if resource.data == Data::Due {
            return None;
        }
        match resource.status {
            ResourceStatus::Present
            | ResourceStatus::Changing
            | ResourceStatus::Suspending
            | ResourceStatus::BackingUp => out.push((decls[index].name.as_str(), Some(&resource.outputs))),
            ResourceStatus::Skipped => out.push((decls[index].name.as_str(), None)),
            _ => return None,
        }
    }
    Some(out)
}

/// An output that a template names and that its provider did not give: `server.address`.
struct MissingOutput(String);

impl From<MissingOutput> for EffectFailure {
    fn from(MissingOutput(place): MissingOutput) -> EffectFailure {
        EffectFailure {
            class: EffectFailureClass::Final,
            code: "missing-output".to_owned(),
            message: format!("no provider gave `{{{place}}}`"),
        }
    }
}

/// Fills in the inputs of a resource.
fn inputs(
    desk: &mut Desk<'_>,
    instance: &Instance,
    decl: &Decl,
    outputs: &[Outputs<'_>],
    given: &AccountInputs<'_>,
) -> Ruled<Result<Object, MissingOutput>> {
    let (config, allowed) = (config_of(desk, &decl.with)?, allowed_of(given.standing, &decl.with));
    let mut scope = Scope::default()
        .text("id", &instance.id)
        .text("business", desk.business)
        .fields("instance", &instance.metadata)
        .fields("config", &config)
        .object("allowed", &allowed);
    // Without a plan its fields are unknown, not empty.
    let plan = given.plan;
    scope = if plan.is_empty() { scope.object("plan", plan) } else { scope.fields("plan", plan) };
    let nothing = Object::new();
    for (name, outputs) in outputs {
        scope = match outputs {
            Some(outputs) => scope.object(name, outputs),
            None => scope.fields(name, &nothing),
        };
    }
    let is_output =
        |place: &str| outputs.iter().any(|(name, _)| place.split_once('.').is_some_and(|(of, _)| of == *name));
    match scope.fill_object(&decl.with) {
        Ok(inputs) => Ok(Ok(inputs)),
        Err(place) if is_output(&place) => Ok(Err(MissingOutput(place))),
        Err(place) => {
            Err(internal(format!("{}: unknown placeholder `{{{place}}}` in resource {}", instance.id, decl.name)))
        }
    }
}

/// Returns the configuration values that a template names and that are set. A secret is returned as a reference.
fn config_of(desk: &mut Desk<'_>, with: &Object) -> Ruled<Object> {
    let mut out = Object::new();
    for place in places(with) {
        let Some(key) = place.strip_prefix("config.") else { continue };
        let value = match desk.catalog.setting(key)? {
            Some(ConfigValue::Text(text) | ConfigValue::Secret(text)) => Value::String(text),
            Some(ConfigValue::Integer(number)) => json!(number),
            Some(ConfigValue::Boolean(flag)) => json!(flag),
            None => continue,
        };
        out.insert(key.to_owned(), value);
    }
    Ok(out)
}

/// Returns the allowed amounts that a template names; -1 is unlimited.
fn allowed_of(standing: &AccountStanding, with: &Object) -> Object {
    let places = places(with);
    let keys = places.iter().filter_map(|place| place.strip_prefix("allowed."));
    keys.map(|key| (key.to_owned(), json!(standing.allows(key)))).collect()
}

/// Requests the next effect to create, change or restore a resource. Returns true if the resource is running as
/// desired.
fn make(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    decls: &[Decl],
    current: &[String],
    given: &AccountInputs<'_>,
) -> Ruled<bool> {
    let nothing = ResourceState::default();
    let known = instance.record.resources.get(name).unwrap_or(&nothing);
    if known.status.is_in_flight() || known.status == ResourceStatus::Stuck {
        return Ok(false);
    }
    if let (Some(task), ResourceStatus::ByHand) = (&decl.or_manual, known.status) {
        if !observe(desk, instance, decl, name)? {
            by_hand::open_task(desk, instance, task, name)?;
        }
        return Ok(false);
    }
    if decl.is_step() && known.status == ResourceStatus::Present {
        return Ok(true);
    }
    // If a successor could not be created, its predecessor stays in service.
    if known.blocked && known.status.is_missing() {
        return Ok(false);
    }
    if decl.backup {
        handover::prepare(&mut instance.record, decl, name);
        if let Some(before) = handover::awaited(&instance.record, decl, name) {
            let before = before.to_owned();
            if !back_up(desk, instance, decl, &before)? {
                return Ok(false);
            }
            handover::complete(&mut instance.record, &before, name);
        }
    }
    let known = instance.record.resources.get(name).unwrap_or(&nothing);
    if known.blocked && known.data == Data::Due {
        return Ok(false);
    }
    let is_configured = match decl.setting() {
        Some(key) if known.status != ResourceStatus::Present => desk.catalog.setting(key)?.is_some(),
        _ => true,
    };
    if !is_configured && decl.or_manual.is_none() {
        instance.record.resources.entry(name.to_owned()).or_default().status = ResourceStatus::Skipped;
        return Ok(true);
    }
    let Some(outputs) = needed(instance, decl, decls, current) else { return Ok(false) };
    let mut inputs = match inputs(desk, instance, decl, &outputs, given)? {
        Ok(inputs) => inputs,
        Err(missing) => return lacks_output(desk, instance, decl, name, missing),
    };
    if !is_configured {
        let next = ResourceState { inputs, ..known.clone() };
        return open_manual_task(desk, instance, decl, name, next, by_hand::NOT_CONFIGURED);
    }
    if let Some(quota) = &decl.quota {
        let writes = if instance.record.over.contains(quota) { "refused" } else { "allowed" };
        inputs.insert("writes".to_owned(), json!(writes));
    }
    if known.status == ResourceStatus::Present && known.data == Data::Due {
        let backup = known.backup.clone().unwrap_or_default();
        let mut payload = known.inputs.clone();
        payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
        payload.insert("backup".to_owned(), backup);
        let next = ResourceState { status: ResourceStatus::Restoring, data: Data::Own, ..known.clone() };
        ask(desk, instance, decl, name, next, Verb::Restore, payload)?;
        return Ok(false);
    }
    if known.status == ResourceStatus::Present {
        if (known.inputs == inputs && known.power == Power::Running) || known.blocked {
            return Ok(true);
        }
        let mut payload = inputs.clone();
        if decl.suspends {
            payload.insert("state".to_owned(), json!("running"));
        }
        let requested = Some(inputs);
        let next = ResourceState { status: ResourceStatus::Changing, requested, ..known.clone() };
        ask(desk, instance, decl, name, next, Verb::Change, payload)?;
        return Ok(false);
    }
    // The provider refused the resource; the predecessor stays in service until a retry.
    if known.blocked {
        return Ok(false);
    }
    let stock = match &known.stock {
        Some(held) => Some(held.clone()),
        None => match stock::take(desk, instance, decl, given.plan)? {
            Stock::Unlimited => None,
            Stock::Taken(key) => Some(key),
            Stock::Out => {
                let next = ResourceState { inputs, ..known.clone() };
                return open_manual_task(desk, instance, decl, name, next, stock::OUT_OF_STOCK);
            }
        },
    };
    let next = ResourceState {
        status: ResourceStatus::Making,
        may_exist: known.status == ResourceStatus::Unknown,
        inputs: inputs.clone(),
        stock,
        ..known.clone()
    };
    ask(desk, instance, decl, name, next, decl.first_verb(), inputs)?;
    Ok(false)
}

/// Marks the resource that needs a missing output as failed, once. Returns true if the resource stays in service
/// unchanged.
fn lacks_output(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    missing: MissingOutput,
) -> Ruled<bool> {
    let known = instance.record.resources.entry(name.to_owned()).or_default();
    let is_present = known.status == ResourceStatus::Present;
    if !known.blocked {
        let verb = if is_present { Verb::Change } else { decl.first_verb() };
        step_failed(desk, instance, name, verb, &missing.into(), 1)?;
    }
    Ok(is_present)
}

/// Opens a manual task for a resource, if its type allows one. Returns false, because the resource is not present yet.
fn open_manual_task(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    next: ResourceState,
    code: &str,
) -> Ruled<bool> {
    let Some(by_hand) = &decl.or_manual else { return Ok(false) };
    let task = Task { code: code.to_owned(), ..Task::default() };
    let next = ResourceState { status: ResourceStatus::ByHand, task: Some(task.into()), ..next };
    instance.record.request_effect();
    instance.record.resources.insert(name.to_owned(), next);
    by_hand::open_task(desk, instance, by_hand, name)?;
    Ok(false)
}

/// Requests an observation of a manually made resource before its outputs are accepted; the person waits for the reply.
/// Also searches for a resource that an effect may have created, before a person is notified. Returns true if an
/// observation is requested.
fn observe(desk: &mut Desk<'_>, instance: &mut Instance, decl: &Decl, name: &str) -> Ruled<bool> {
    let Some(mut next) = instance.record.resources.get(name).cloned() else { return Ok(false) };
    let is_verified = decl.or_manual.as_ref().is_some_and(|by_hand| by_hand.verify);
    let Some(task) = next.task.as_mut().filter(|_| is_verified) else { return Ok(false) };
    let mut payload = next.inputs.clone();
    if !next.outputs.is_empty() {
        payload.insert("outputs".to_owned(), Value::Object(next.outputs.clone()));
        payload.insert("adopt".to_owned(), json!(true));
    } else if task.may_exist && !task.looked_for {
        task.looked_for = true;
    } else {
        return Ok(false);
    }
    next.status = ResourceStatus::Checking;
    ask(desk, instance, decl, name, next, Verb::Observe, payload)?;
    Ok(true)
}

/// Requests the suspension of a resource. Returns true if the resource is suspended or cannot be suspended.
fn suspend(desk: &mut Desk<'_>, instance: &mut Instance, decl: &Decl, name: &str) -> Ruled<bool> {
    let Some(known) = instance.record.resources.get(name).cloned() else { return Ok(true) };
    if known.status.is_in_flight() {
        return Ok(false);
    }
    if !decl.suspends || known.status != ResourceStatus::Present || known.power == Power::Suspended || known.blocked {
        return Ok(true);
    }
    let mut payload = known.inputs.clone();
    payload.insert("state".to_owned(), json!("suspended"));
    let next = ResourceState { status: ResourceStatus::Suspending, ..known };
    ask(desk, instance, decl, name, next, Verb::Change, payload)?;
    Ok(false)
}

/// Requests a backup. Returns true if there is a verified backup, or nothing to back up.
fn back_up(desk: &mut Desk<'_>, instance: &mut Instance, decl: &Decl, name: &str) -> Ruled<bool> {
    let Some(known) = instance.record.resources.get(name).cloned() else { return Ok(true) };
    if known.status.is_in_flight() {
        return Ok(false);
    }
    if known.status != ResourceStatus::Present || known.backup.is_some() {
        return Ok(true);
    }
    if known.blocked {
        return Ok(false);
    }
    let mut payload = known.inputs.clone();
    payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
    // The backup of an archive is kept as long as the archive, other backups for a limited time.
    if !instance.is(InstanceStatus::Archiving) {
        payload.insert("keep_days".to_owned(), json!(desk.catalog.settings()?.final_backup.whole_days()));
    }
    ask(
        desk,
        instance,
        decl,
        name,
        ResourceState { status: ResourceStatus::BackingUp, ..known },
        Verb::Backup,
        payload,
    )?;
    Ok(false)
}

/// Requests that a resource be destroyed, or cancels its creation if the creation has not begun. Returns true if the
/// resource is absent.
fn free(desk: &mut Desk<'_>, instance: &mut Instance, decl: &Decl, name: &str) -> Ruled<bool> {
    let Some(known) = instance.record.resources.get(name).cloned() else { return Ok(true) };
    let may_exist = known.task.as_ref().is_some_and(|task| task.may_exist);
    let is_undone = match known.status {
        ResourceStatus::Absent | ResourceStatus::Skipped => return Ok(true),
        ResourceStatus::Making => {
            let is_called_off =
                desk.account.call_off_in_time(key(&instance.id, Some(decl), name, decl.first_verb()).to_string())?;
            if !is_called_off {
                instance.record.effects = Effects::Begun;
                return Ok(false);
            }
            !known.may_exist
        }
        // A step, and a manual resource that nobody made, need no effect.
        ResourceStatus::Present | ResourceStatus::ByHand if decl.is_step() => true,
        ResourceStatus::ByHand => !may_exist,
        ResourceStatus::Present | ResourceStatus::Unknown => false,
        _ => return Ok(false),
    };
    if is_undone {
        instance.record.resources.insert(name.to_owned(), known.gone());
        return Ok(true);
    }
    let mut payload = known.inputs.clone();
    payload.insert("outputs".to_owned(), Value::Object(known.outputs.clone()));
    ask(
        desk,
        instance,
        decl,
        name,
        ResourceState { status: ResourceStatus::Freeing, ..known },
        Verb::Destroy,
        payload,
    )?;
    Ok(false)
}

/// Records a request in the instance and enqueues its effect.
fn ask(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    decl: &Decl,
    name: &str,
    mut next: ResourceState,
    verb: Verb,
    payload: Object,
) -> Ruled<()> {
    let last = instance.record.generation.gone.remove(name).unwrap_or(0);
    next.generation = next.generation.max(last).saturating_add(1);
    next.kind.clone_from(&decl.resource);
    let about = Correlation::Resource { instance: instance.id.clone(), resource: name.to_owned(), verb };
    let effect = Effect {
        generation: next.generation,
        ordering_key: Some(format!("{}/{name}", instance.id)),
        reply_to: desk.reply_to.filter(|_| verb == Verb::Observe).cloned(),
        deadline: Some(match decl.within.filter(|_| verb == decl.first_verb()) {
            Some(within) => within.after(desk.now),
            None => desk.now.saturating_add(ANSWERED_WITHIN_MS),
        }),
        ..request(&key(&instance.id, Some(decl), name, verb), &payload, Some(&about))?
    };
    instance.record.request_effect();
    instance.record.resources.insert(name.to_owned(), next);
    desk.account.ask(effect);
    Ok(())
}

/// Returns the effect key of a request. A resource that its type no longer declares has a key without a kind.
pub(super) fn key(instance: &str, decl: Option<&Decl>, resource: &str, verb: Verb) -> EffectKey {
    let kind = decl.map_or_else(String::new, |decl| match (&decl.run, &decl.resource) {
        (Some(step), _) => step.clone(),
        (None, of) => format!("{}.{}", of.as_deref().unwrap_or_default(), verb.name()),
    });
    let (instance, resource, verb) = (instance.to_owned(), resource.to_owned(), verb.name().to_owned());
    EffectKey::Resource { kind, instance, resource, verb }
}
