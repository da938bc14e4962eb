//! Handles the results of effects on resources, and of health watches.

use crate::actions::failed_effect::{is_past_deadline, report_unanswered, unattended_result};
use crate::actions::step_failed::step_failed;
use crate::actions::task;
use crate::catalog::schema::Resource as Decl;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::correlation::Verb;
use crate::model::halt::{Answer, Ruled, Verdict};
use crate::model::json::{Object, decode};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::{
    Data, Effects, InstanceStatus, Power, ResourceState, ResourceStatus, Task, late_entry,
};
use crate::model::secret::without_passwords;
use extension_contract::*;
use serde_json::{Value, json};

fn stale(desk: &Desk<'_>) -> Outcome {
    Outcome::Stale(Snapshot { at: desk.now, rank: SnapshotRank::Updated, event_id: String::new() })
}

/// Decides the result of a resource's effect.
pub(super) fn decide(desk: &mut Desk<'_>, report: &EffectReport, id: &str, name: &str, verb: Verb) -> Ruled<Verdict> {
    let Some(mut instance) = Instance::find(desk, id)? else { return Ok(unattended_result(desk, report)?.into()) };
    let Some(resource) = instance.record.resource(name) else { return Ok(unattended_result(desk, report)?.into()) };
    let is_expected = match verb {
        Verb::Ensure | Verb::Run => resource.status == ResourceStatus::Making,
        Verb::Observe => resource.status == ResourceStatus::Checking,
        Verb::Change => resource.status.is_changing(),
        Verb::Backup => resource.status == ResourceStatus::BackingUp,
        Verb::Restore => resource.status == ResourceStatus::Restoring,
        Verb::Destroy => resource.status == ResourceStatus::Freeing,
    };
    instance.record.effects = Effects::Begun;
    let first = instance.decl.resource(name).map_or(Verb::Ensure, Decl::first_verb);
    // A success of an earlier request also counts for the request that repeats it, but a change may now have other inputs.
    let is_repeated = resource.unanswered && verb != Verb::Change && report.answer.is_ok();
    let is_awaited = is_expected && (resource.generation == report.generation || is_repeated);
    let has_limit = verb == first && instance.decl.resource(name).is_some_and(|decl| decl.within.is_some());
    let outputs = |answer: &str| decode::<Object>("effects", &report.key, answer).map(without_passwords);
    let claims = task::claim_names(&instance.decl, name, &resource);
    match (&report.answer, is_awaited) {
        (Err(failure), true) if is_past_deadline(failure) && !has_limit && verb != Verb::Observe => {
            request_anew(desk, &mut instance, name, verb, report)?;
        }
        (Ok(answer), true) => succeeded(desk, &mut instance, name, verb, outputs(answer)?)?,
        (Err(failure), true) => step_failed(desk, &mut instance, name, verb, failure, report.attempts)?,
        // A late success after the resource was given up. The resource is recorded, and the reconciliation keeps or
        // frees it.
        (Ok(answer), false) if verb == Verb::Ensure && resource.status.is_missing() => {
            let blocked = resource.blocked && resource.status == ResourceStatus::Absent;
            let (status, outputs) = (ResourceStatus::Present, outputs(answer)?);
            let found = ResourceState { status, outputs, blocked, may_exist: false, ..resource };
            instance.record.generation.gone.remove(name);
            instance.record.resources.insert(name.to_owned(), found);
        }
        // A late success of a resource that became a manual task. The task is no longer needed.
        (Ok(answer), false) if verb == first && resource.status == ResourceStatus::ByHand => {
            adopt(&mut instance, name, resource, outputs(answer)?);
        }
        // A person has made a replacement in the meantime, so the late resource is freed.
        (Ok(answer), false) if verb == Verb::Ensure && is_made_by_person(&resource) => {
            let found = ResourceState {
                status: ResourceStatus::Present,
                outputs: outputs(answer)?,
                inputs: resource.inputs.clone(),
                ..ResourceState::default()
            };
            instance.record.resources.insert(late_entry(name, report.generation), found);
        }
        (_, false) => return Ok(stale(desk).into()),
    }
    let answer = if verb == Verb::Observe { task::reply(desk, &instance, name, claims) } else { Answer::None };
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(answer))
}

/// Handles a request that had no result before its deadline: the operators are notified once, and the reconciliation
/// requests again what the instance now needs.
fn request_anew(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    name: &str,
    verb: Verb,
    report: &EffectReport,
) -> Ruled<()> {
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    // A request that never began only waited for a host.
    let has_begun = report.attempts > 0;
    let may_exist = std::mem::take(&mut resource.may_exist) || has_begun;
    resource.status = match verb {
        Verb::Ensure if may_exist => ResourceStatus::Unknown,
        Verb::Ensure | Verb::Run => ResourceStatus::Absent,
        _ => ResourceStatus::Present,
    };
    resource.requested = None;
    if verb == Verb::Restore {
        resource.data = Data::Due;
    }
    if has_begun && !std::mem::replace(&mut resource.unanswered, true) {
        report_unanswered(desk, report)?;
    }
    Ok(())
}

fn succeeded(desk: &mut Desk<'_>, instance: &mut Instance, name: &str, verb: Verb, outputs: Object) -> Ruled<()> {
    let is_restoring = instance.is(InstanceStatus::Restoring);
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    resource.unanswered = false;
    match verb {
        Verb::Ensure => {
            resource.status = ResourceStatus::Present;
            resource.outputs = outputs;
            (resource.power, resource.may_exist) = (Power::Running, false);
            resource.restore_backup(is_restoring);
        }
        Verb::Change => {
            resource.power = match resource.status {
                ResourceStatus::Suspending => Power::Suspended,
                _ => Power::Running,
            };
            resource.status = ResourceStatus::Present;
            if let Some(inputs) = resource.requested.take() {
                resource.inputs = inputs;
            }
            // `power` contains the state. If `state` were an output, the output would depend on the history.
            resource.outputs.extend(outputs.into_iter().filter(|(name, _)| name != "state"));
        }
        // Only a verified backup counts. Before that, no resource is freed.
        Verb::Backup if outputs.get("verified") == Some(&json!(true)) => {
            resource.status = ResourceStatus::Present;
            resource.backup = Some(Value::Object(outputs));
        }
        Verb::Backup => {
            let failure = EffectFailure {
                class: EffectFailureClass::Final,
                code: "not-verified".to_owned(),
                message: "the backup is not verified".to_owned(),
            };
            return step_failed(desk, instance, name, verb, &failure, 1);
        }
        Verb::Restore => {
            resource.status = ResourceStatus::Present;
            resource.backup = None;
        }
        Verb::Destroy => {
            let gone = std::mem::take(resource);
            *resource = gone.clone().gone();
            let claims = task::claim_names(&instance.decl, name, &gone);
            if !claims.is_empty() {
                desk.account.release_claims(claims, None);
            }
        }
        Verb::Run => {
            resource.status = ResourceStatus::Present;
            resource.outputs = outputs;
        }
        Verb::Observe => task::observed(resource, &outputs, is_restoring),
    }
    Ok(())
}

/// Returns whether a person made the resource.
fn is_made_by_person(resource: &ResourceState) -> bool {
    resource.task.as_ref().and_then(|task| task.done_by.as_deref()).is_some_and(|by| by != task::MACHINE)
}

/// Records a resource that an effect created although it had become a manual task.
fn adopt(instance: &mut Instance, name: &str, resource: ResourceState, outputs: Object) {
    let task = resource.task.clone().map(|task| Task { done_by: Some(task::MACHINE.to_owned()), ..*task }.into());
    let status = ResourceStatus::Present;
    let mut found = ResourceState { status, outputs, task, may_exist: false, ..resource };
    found.restore_backup(instance.is(InstanceStatus::Restoring));
    instance.record.resources.insert(name.to_owned(), found);
}

/// Handles the result of a health watch, which ends when the health changes; then a new watch is started.
pub(super) fn health(desk: &mut Desk<'_>, report: &EffectReport, id: &str) -> Ruled<Outcome> {
    let Some(mut instance) = Instance::find(desk, id)? else { return unattended_result(desk, report) };
    if instance.record.watching.is_none() || instance.record.generation.watch != report.generation {
        return Ok(stale(desk));
    }
    let reference = format!("{}:{}", report.key, report.generation);
    // A failed watch, or one without news, is not restarted before the address or status changes.
    let answer = match &report.answer {
        Err(_) => return unattended_result(desk, report),
        Ok(answer) => decode::<Object>("effects", &report.key, answer)?,
    };
    let health = answer.get("health").and_then(Value::as_str).unwrap_or("unknown");
    if ["healthy", "unhealthy"].contains(&health) && instance.text("health_status") != Some(health) {
        instance.record.watching = None;
        let was_unhealthy = instance.text("health_status") == Some("unhealthy");
        instance.set("health_status", json!(health));
        let values = json!({"instance": instance.id, "health": health});
        if health == "unhealthy" {
            send_once(&mut desk.account, &mail_kinds::INSTANCE_UNHEALTHY, &reference, &values)?;
            send_once(&mut desk.account, &mail_kinds::INSTANCE_UNHEALTHY_FOR_OPERATORS, &reference, &values)?;
        } else if was_unhealthy {
            send_once(&mut desk.account, &mail_kinds::INSTANCE_RECOVERED, &reference, &values)?;
        }
        instance.save(&mut desk.account)?;
    }
    Ok(Outcome::Applied)
}
