//! Records that an operation on a resource of an instance failed, and notifies people.

use super::task;
use crate::catalog::schema::{SetBy, TypeDecl};
use crate::catalog::template::fields_shown;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::correlation::Verb;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::{
    ArchiveMode, Change, CreationError, Data, InstanceStatus, Power, ResourceStatus, Task,
};
use extension_contract::{EffectFailure, EffectFailureClass};
use serde_json::json;

/// Records that an operation on a resource failed after this number of attempts, and notifies the operators; fails the instance, its
/// restore or its archive if it cannot go on without the operation. A refused change leaves the former inputs in force, and the
/// instance keeps the values of the fields that they show.
pub(crate) fn step_failed(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    name: &str,
    verb: Verb,
    failure: &EffectFailure,
    attempts: u32,
) -> Ruled<()> {
    let id = instance.id.clone();
    let status = instance.status();
    let by_hand = instance.decl.resource(name).is_some_and(|decl| decl.or_manual.is_some());
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    if verb == Verb::Observe {
        task::refused(resource, &failure.code);
        return Ok(());
    }
    // After a refusal of the only attempt the resource does not exist. After other failures its existence is unknown: an attempt
    // that was answered with an error may have made it.
    let is_final = failure.class == EffectFailureClass::Final;
    let was_tried = std::mem::take(&mut resource.may_exist) || attempts > 1;
    let is_refused = is_final && !was_tried;
    let requested = resource.requested.take();
    let was_to_run = match resource.status {
        ResourceStatus::Changing => true,
        ResourceStatus::Suspending => false,
        _ => resource.power == Power::Running,
    };
    let is_wanted = match status {
        Some(InstanceStatus::Suspended) => !was_to_run,
        Some(InstanceStatus::Provisioning | InstanceStatus::Running | InstanceStatus::Restoring) => was_to_run,
        _ => false,
    };
    resource.unanswered = false;
    resource.status = match verb {
        Verb::Ensure if is_refused => ResourceStatus::Absent,
        Verb::Ensure => ResourceStatus::Unknown,
        Verb::Run => ResourceStatus::Absent,
        Verb::Destroy => ResourceStatus::Stuck,
        _ => ResourceStatus::Present,
    };
    let is_first = matches!(verb, Verb::Ensure | Verb::Run);
    if is_first && by_hand && status != Some(InstanceStatus::Restoring) {
        let may_exist = verb == Verb::Ensure && !is_refused;
        resource.status = ResourceStatus::ByHand;
        resource.task = Some(Task { code: failure.code.clone(), may_exist, ..Task::default() }.into());
        return Ok(());
    }
    let step = format!("{name}/{}", verb.name());
    let values = json!({"instance": id, "step": step, "code": failure.code});
    let reference = format!("{id}:{step}:{}", resource.generation);
    if let (Some(requested), true) = (requested, is_final) {
        let kept = keep_former_fields(instance, name, &requested);
        if !kept.restored.is_empty() {
            let values = json!({"instance": id, "fields": kept.restored, "code": failure.code});
            send_once(&mut desk.account, &mail_kinds::CHANGE_REFUSED, &reference, &values)?;
        }
        if kept.asks_otherwise {
            return send_once(&mut desk.account, &mail_kinds::STEP_FAILED, &reference, &values);
        }
    }
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    match (status, verb) {
        (Some(InstanceStatus::Provisioning), Verb::Ensure | Verb::Run) => {
            instance.record.lost_since = instance.record.lost_since.map(|_| desk.now);
            instance.change(Change::Fail(desk.now))?;
            let (code, message) = (failure.code.clone(), failure.message.clone());
            instance.fail_with(CreationError { step: Some(step), code, message });
            send_once(&mut desk.account, &mail_kinds::PROVISIONING_FAILED, &reference, &values)?;
        }
        // Back to the archive: new resources are freed again, and the backups still exist.
        (Some(InstanceStatus::Restoring), Verb::Ensure | Verb::Restore | Verb::Run) => {
            instance.record.archive = ArchiveMode::Paused;
            instance.change(Change::FailRestore)?;
        }
        (Some(InstanceStatus::Archiving), Verb::Backup) => {
            instance.record.archive = ArchiveMode::Paused;
            instance.change(Change::FailArchive)?;
        }
        (_, Verb::Restore) => (resource.blocked, resource.data) = (true, Data::Due),
        // The status has changed since the request, so the new status need not wait for a person.
        (_, Verb::Change) if !is_wanted => {}
        _ => resource.blocked = true,
    }
    send_once(&mut desk.account, &mail_kinds::STEP_FAILED, &reference, &values)
}

/// What a refused change leaves behind.
#[derive(Default)]
struct Kept {
    /// Names of the fields that have their former values again.
    restored: Vec<String>,
    /// Whether the instance now asks for other inputs than the refused ones, so that another change may follow.
    asks_otherwise: bool,
}

/// Gives the instance's fields the values that the inputs in force of a resource show. A field that was changed again since the refused
/// request keeps its newest value.
fn keep_former_fields(instance: &mut Instance, name: &str, requested: &Object) -> Kept {
    let (mut kept, decl) = (Kept::default(), instance.decl.clone());
    let in_force = instance.record.resources.get(name).map(|resource| resource.inputs.clone()).unwrap_or_default();
    let Some(provision) = decl.resource(name) else { return kept };
    for (member, template) in &provision.with {
        let (Some(former), Some(refused)) = (in_force.get(member), requested.get(member)) else { continue };
        let refused = fields_shown(template, refused, "instance");
        for (field, former) in fields_shown(template, former, "instance") {
            let of_field = refused.iter().find(|(other, refused)| *other == field && *refused != former);
            let Some((_, refused)) = of_field.filter(|_| is_changed_by_people(&decl, field)) else { continue };
            match instance.metadata.get(field) {
                Some(now) if now == refused => {
                    instance.set(field, former);
                    kept.restored.push(field.to_owned());
                    kept.asks_otherwise = true;
                }
                // A text shows a number as digits, which are not the number.
                Some(now) => kept.asks_otherwise |= now.is_string() == refused.is_string(),
                None => kept.asks_otherwise = true,
            }
        }
    }
    kept
}

/// Returns whether the value of a field is what people wish. The plan and what services report follow from other things, and the claim
/// of a unique field has its own life.
fn is_changed_by_people(decl: &TypeDecl, field: &str) -> bool {
    let is_plan = decl.plan.as_ref().is_some_and(|link| link.field == field);
    let declared = decl.field(field).filter(|_| !is_plan);
    declared.is_some_and(|field| field.set_by != SetBy::Service && field.space(&decl.name).is_none())
}
