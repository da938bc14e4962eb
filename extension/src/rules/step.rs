//! Commands on manual tasks: `step.complete` reports the outputs, `step.assign` assigns a person, `step.abandon` gives
//! up a resource that could not be freed. `instance.retry` retries a waiting step automatically.

use crate::actions::permission::operators_only;
use crate::actions::task::{claim_names, done};
use crate::catalog::product::required_text;
use crate::catalog::schema::{Doer, check_told};
use crate::catalog::words::one_of;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field, wrong_name};
use crate::model::json::Object;
use crate::model::records::instance::{Effects, InstanceStatus, ResourceStatus};
use crate::model::secret::has_password;
use extension_contract::*;
use serde_json::Value;

/// Returns the instance and the waiting manual step that a command names. The name of a step with a variant may lack the variant.
fn waiting_step(desk: &mut Desk<'_>, body: &Object) -> Ruled<(Instance, String)> {
    let (id, step) = (required_text(body, "id")?, required_text(body, "step")?);
    let instance = Instance::load(desk, &id)?;
    let entries = instance.record.resources.iter();
    let waiting: Vec<&String> =
        entries.filter(|(_, resource)| resource.status == ResourceStatus::ByHand).map(|(entry, _)| entry).collect();
    let is_named =
        |entry: &&&String| ***entry == step || instance.decl.resource(entry).is_some_and(|decl| decl.name == step);
    if let Some(entry) = waiting.iter().find(is_named) {
        let entry = (*entry).clone();
        return Ok((instance, entry));
    }
    if instance.record.resources.contains_key(&step) {
        return Err(Refusal::BadTransition(format!("{step} does not wait for a person")).into());
    }
    match waiting.is_empty() {
        true => {
            let found = format!("`{step}` is not a waiting step: no step of {id} waits for a person");
            Err(wrong_field("/step", FieldErrorCode::NotAllowed, found, ""))
        }
        false => Err(wrong_name("/step", &step, "is not a waiting step", one_of(&waiting))),
    }
}

/// `step.complete`: accepts the outputs, or requests their verification first.
pub(super) fn complete(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (mut instance, name) = waiting_step(desk, body)?;
    let declared = instance.decl.clone();
    let Some(by_hand) = declared.resource(&name).and_then(|decl| decl.or_manual.as_ref()) else {
        return Err(Refusal::BadTransition(format!("{name} is no longer a manual step")).into());
    };
    if by_hand.by == Doer::Admin {
        operators_only(desk)?;
    }
    let nothing = Object::new();
    let outputs = match body.get("outputs") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(outputs)) => outputs,
        Some(_) => return Err(wrong_field("/outputs", FieldErrorCode::WrongType, "", "an object")),
    };
    let outputs = check_told("/outputs", &name, &by_hand.asks, desk.actor.kind, outputs)?;
    if let Some((key, _)) = outputs.iter().find(|(_, value)| value.as_str().is_some_and(has_password)) {
        let (found, expected) =
            ("has a password in it", "the address without it, and the password as a reference to a secret");
        return Err(wrong_field(&format!("/outputs/{key}"), FieldErrorCode::NotAllowed, found, expected));
    }
    let Some(mut resource) = instance.record.resources.get(&name).cloned() else {
        return Err(Refusal::NotFound(name).into());
    };
    let mut unused = claim_names(&declared, &name, &resource);
    resource.outputs = outputs;
    let used = claim_names(&declared, &name, &resource);
    if let Some(key) = desk.account.claim_free(&used)? {
        return Err(Refusal::NameTaken(key).into());
    }
    unused.retain(|key| !used.contains(key));
    if !unused.is_empty() {
        desk.account.release_claims(unused, None);
    }
    if let Some(task) = &mut resource.task {
        (task.done_by, task.refused) = (Some(desk.actor.subject.clone()), None);
    }
    let is_verified = by_hand.verify;
    if !is_verified {
        done(&mut resource, instance.is(InstanceStatus::Restoring));
    }
    instance.record.resources.insert(name, resource);
    instance.record.effects = Effects::Begun;
    instance.save(&mut desk.account)?;
    match is_verified {
        true => Ok(Outcome::Applied.into()),
        false => Ok(Verdict::answered(Answer::Product(instance.id))),
    }
}

/// `step.assign`: assigns the task to a person, or to nobody with an empty name.
pub(super) fn assign(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let to = body.get("to").and_then(Value::as_str);
    let to = to.ok_or_else(|| wrong_field("/to", FieldErrorCode::Missing, "", "a name, or an empty text"))?;
    if to.len() > NAME_BYTES || to.contains(char::is_control) {
        let (found, expected) = ("", format!("at most {NAME_BYTES} bytes without control characters"));
        return Err(wrong_field("/to", FieldErrorCode::OutOfRange, found, expected));
    }
    let (mut instance, name) = waiting_step(desk, body)?;
    if let Some(task) = instance.record.resources.get_mut(&name).and_then(|resource| resource.task.as_mut()) {
        task.assigned_to = Some(to.to_owned()).filter(|to| !to.is_empty());
    }
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(instance.id)))
}

/// `step.abandon`: records a resource that could not be freed as abandoned, so that it no longer blocks the instance. A
/// resource that still exists keeps its names, because a new holder of the names would find it. `gone` means that the
/// resource was deleted by hand; it can also be set later.
pub(super) fn abandon(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, name) = (required_text(body, "id")?, required_text(body, "step")?);
    let is_gone = match body.get("gone") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(_) => return Err(wrong_field("/gone", FieldErrorCode::WrongType, "", "true or false")),
    };
    let mut instance = Instance::load(desk, &id)?;
    let stuck = instance.record.resources.get(&name).filter(|resource| resource.status == ResourceStatus::Stuck);
    let resource = match (stuck.cloned(), instance.record.abandoned.get(&name).filter(|_| is_gone).cloned()) {
        (Some(stuck), _) => stuck,
        (None, Some(abandoned)) => abandoned,
        (None, None) => {
            let text = format!("{name} is not stuck: expected a resource that could not be freed");
            return Err(Refusal::BadTransition(text).into());
        }
    };
    if is_gone {
        let claims = claim_names(&instance.decl, &name, &resource);
        if !claims.is_empty() {
            desk.account.release_claims(claims, None);
        }
        instance.record.abandoned.remove(&name);
    } else {
        instance.record.abandoned.insert(name.clone(), resource.clone());
    }
    if instance.record.resources.contains_key(&name) {
        instance.record.resources.insert(name, resource.gone());
    }
    if instance.is(InstanceStatus::Terminated) {
        instance.release_names(desk, None);
    }
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// Maximum length of a name in bytes.
const NAME_BYTES: usize = 200;
