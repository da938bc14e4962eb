//! What came back of a request for a resource, and of a health watch.

use super::unattended;
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::model::concern::Verb;
use crate::model::halt::Ruled;
use crate::model::json::{Object, decode};
use crate::model::notice::{To, send_once};
use crate::model::records::instance::{FailedStep, InstanceStatus, ResourceState, ResourceStatus};
use products_contract::*;
use serde_json::{Value, json};

fn stale(desk: &Desk<'_>) -> Outcome {
    Outcome::Stale(Snapshot { at: desk.now, rank: SnapshotRank::Updated, event_id: String::new() })
}

/// The end of a resource's effect.
pub(super) fn decide(desk: &mut Desk<'_>, report: &EffectReport, id: &str, name: &str, verb: Verb) -> Ruled<Outcome> {
    let Some(mut instance) = Instance::find(desk, id)? else { return unattended(desk, report) };
    let Some(resource) = instance.record.resource(name) else { return unattended(desk, report) };
    let expected = match verb {
        Verb::Ensure => ResourceStatus::Making,
        Verb::Change => ResourceStatus::Changing,
        Verb::Backup => ResourceStatus::BackingUp,
        Verb::Restore => ResourceStatus::Restoring,
        Verb::Destroy => ResourceStatus::Freeing,
    };
    instance.record.reached_world = true;
    let is_awaited = resource.generation == report.generation && resource.status == expected;
    let outputs = |answer: &str| decode::<Object>("effects", &report.key, answer);
    match (&report.answer, is_awaited) {
        (Ok(answer), true) => succeeded(desk, &mut instance, name, verb, outputs(answer)?)?,
        (Err(failure), true) => failed(desk, &mut instance, name, verb, failure)?,
        // A late success of a step that was given up: it is recorded, and the status decides what becomes of it.
        (Ok(answer), false) if verb == Verb::Ensure && resource.status == ResourceStatus::Absent => {
            let found = ResourceState { status: ResourceStatus::Present, outputs: outputs(answer)?, ..resource };
            instance.record.generation.gone.remove(name);
            instance.record.resources.insert(name.to_owned(), found);
        }
        (_, false) => return Ok(stale(desk)),
    }
    instance.save(&mut desk.account)?;
    Ok(Outcome::Applied)
}

fn succeeded(desk: &mut Desk<'_>, instance: &mut Instance, name: &str, verb: Verb, outputs: Object) -> Ruled<()> {
    let is_restoring = instance.is(InstanceStatus::Restoring);
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    match verb {
        Verb::Ensure => {
            resource.status = ResourceStatus::Present;
            resource.outputs = outputs;
            resource.suspended = false;
            resource.restore_due = is_restoring && resource.backup.is_some();
        }
        Verb::Change => {
            resource.status = ResourceStatus::Present;
            resource.suspended = resource.suspending;
            // How it stands is kept in `suspended`; as an output it would tell which way it came to stand so.
            resource.outputs.extend(outputs.into_iter().filter(|(name, _)| name != "state"));
        }
        // A backup counts when it is verified, and only then may anything be freed.
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
            return failed(desk, instance, name, verb, &failure);
        }
        Verb::Restore => {
            resource.status = ResourceStatus::Present;
            resource.backup = None;
        }
        Verb::Destroy => {
            resource.status = ResourceStatus::Absent;
            resource.outputs = Object::new();
            resource.inputs = Object::new();
            resource.suspended = false;
        }
    }
    Ok(())
}

fn failed(desk: &mut Desk<'_>, instance: &mut Instance, name: &str, verb: Verb, failure: &EffectFailure) -> Ruled<()> {
    let id = instance.id.clone();
    let status = instance.status();
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    // What was refused does not exist; of anything else nobody knows, so it is undone as if it did.
    let is_refused = failure.class == EffectFailureClass::Final;
    resource.status = match verb {
        Verb::Ensure if is_refused => ResourceStatus::Absent,
        Verb::Destroy => ResourceStatus::Stuck,
        _ => ResourceStatus::Present,
    };
    let step = format!("{name}/{}", verb.name());
    let values = json!({"instance": id, "step": step, "code": failure.code});
    let reference = format!("{id}:{step}:{}", resource.generation);
    match (status, verb) {
        (Some(InstanceStatus::Provisioning), Verb::Ensure) => {
            instance.record.failed = Some(FailedStep { step: step.clone(), code: failure.code.clone(), at: desk.now });
            instance.set_status(InstanceStatus::Error);
            let error = json!({"step": step, "code": failure.code, "message": failure.message});
            instance.set("error", error);
            send_once(&mut desk.account, "provisioning_failed", To::Account, &reference, &values)?;
        }
        // The state before: what was made anew is freed again, its backup is still there.
        (Some(InstanceStatus::Restoring), Verb::Ensure | Verb::Restore) => {
            instance.record.archive_paused = true;
            instance.set_status(InstanceStatus::Archiving);
        }
        (Some(InstanceStatus::Archiving), Verb::Backup) => {
            instance.record.archive_paused = true;
            let back = instance.record.before.take().unwrap_or(InstanceStatus::Suspended);
            instance.set_status(back);
        }
        _ => resource.blocked = true,
    }
    send_once(&mut desk.account, "step_failed", To::Admin, &reference, &values)
}

/// The health watch comes back only when health changes; then it is asked for anew.
pub(super) fn health(desk: &mut Desk<'_>, report: &EffectReport, id: &str) -> Ruled<Outcome> {
    let Some(mut instance) = Instance::find(desk, id)? else { return unattended(desk, report) };
    if instance.record.watching.is_none() || instance.record.generation.watch != report.generation {
        return Ok(stale(desk));
    }
    let reference = format!("{}:{}", report.key, report.generation);
    // A watch that failed, or that tells nothing new, is not asked for again before address or status change.
    let answer = match &report.answer {
        Err(failure) => {
            let values = json!({"effect": report.key, "kind": desk.kind, "code": failure.code});
            send_once(&mut desk.account, "effect_failed", To::Admin, &reference, &values)?;
            return Ok(Outcome::Applied);
        }
        Ok(answer) => decode::<Object>("effects", &report.key, answer)?,
    };
    let health = answer.get("health").and_then(Value::as_str).unwrap_or("unknown");
    if ["healthy", "unhealthy"].contains(&health) && instance.text("health_status") != Some(health) {
        instance.record.watching = None;
        instance.set("health_status", json!(health));
        let values = json!({"instance": instance.id, "health": health});
        if health == "unhealthy" {
            send_once(&mut desk.account, "instance_unhealthy", To::Account, &reference, &values)?;
            send_once(&mut desk.account, "instance_unhealthy", To::Admin, &reference, &values)?;
        } else {
            send_once(&mut desk.account, "instance_recovered", To::Account, &reference, &values)?;
        }
        instance.save(&mut desk.account)?;
    }
    Ok(Outcome::Applied)
}
