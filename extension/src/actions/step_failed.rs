//! Records that an operation on a resource of an instance failed, and notifies people.

use super::task;
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::model::concern::Verb;
use crate::model::halt::Ruled;
use crate::model::mails;
use crate::model::notice::send_once;
use crate::model::records::instance::{ArchiveMode, Change, InstanceStatus, ResourceStatus, Task};
use extension_contract::{EffectFailure, EffectFailureClass};
use serde_json::json;

/// Records that an operation on a resource failed, and notifies the operators; fails the instance, its restore or its archive if
/// it cannot go on without the operation.
pub(crate) fn step_failed(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    name: &str,
    verb: Verb,
    failure: &EffectFailure,
) -> Ruled<()> {
    let id = instance.id.clone();
    let status = instance.status();
    let by_hand = instance.decl.resource(name).is_some_and(|decl| decl.or_manual.is_some());
    let Some(resource) = instance.record.resources.get_mut(name) else { return Ok(()) };
    if verb == Verb::Observe {
        task::refused(resource, &failure.code);
        return Ok(());
    }
    // After a refusal the resource does not exist; after other failures its existence is unknown.
    let is_refused = failure.class == EffectFailureClass::Final;
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
    match (status, verb) {
        (Some(InstanceStatus::Provisioning), Verb::Ensure | Verb::Run) => {
            instance.record.lost_since = instance.record.lost_since.map(|_| desk.now);
            instance.change(Change::Fail(desk.now))?;
            let error = json!({"step": step, "code": failure.code, "message": failure.message});
            instance.set("error", error);
            send_once(&mut desk.account, &mails::PROVISIONING_FAILED, &reference, &values)?;
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
        (_, Verb::Restore) => (resource.blocked, resource.restore_due) = (true, true),
        _ => resource.blocked = true,
    }
    send_once(&mut desk.account, &mails::STEP_FAILED, &reference, &values)
}
