//! Commands about what a person makes in place of a machine: `step.complete` tells what was made, `step.assign` hands it to
//! somebody. A step that waits is tried by the machine again with `instance.retry`. `step.abandon` gives up what could not be taken
//! away.

use super::command::operators_only;
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::catalog::product::required_text;
use crate::catalog::schema::{Doer, TypeDecl, check_told};
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::{InstanceStatus, ResourceState, ResourceStatus};
use crate::model::secret::has_password;
use extension_contract::*;
use serde_json::{Value, json};

/// The instance and the entry that a command names, if a person is to make it.
fn named(desk: &mut Desk<'_>, body: &Object) -> Ruled<(Instance, String)> {
    let (id, step) = (required_text(body, "id")?, required_text(body, "step")?);
    let instance = Instance::load(desk, &id)?;
    let Some(resource) = instance.record.resources.get(&step) else {
        let known: Vec<&str> = instance.decl.provisions.iter().map(|decl| decl.name.as_str()).collect();
        let message = format!("nothing is asked of it: expected a step that waits, of {}", known.join(", "));
        return Err(wrong_field("/step", FieldErrorCode::NotAllowed, message));
    };
    if resource.status != ResourceStatus::ByHand {
        return Err(Refusal::BadTransition(format!("{step} does not wait for a person")).into());
    }
    Ok((instance, step))
}

/// `step.complete`: what was made is there, or is looked at first.
pub(super) fn complete(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (mut instance, name) = named(desk, body)?;
    let declared = instance.decl.clone();
    let Some(by_hand) = declared.resource(&name).and_then(|decl| decl.or_manual.as_ref()) else {
        return Err(Refusal::BadTransition(format!("{name} is not made by hand any more")).into());
    };
    if by_hand.by == Doer::Admin {
        operators_only(desk)?;
    }
    let nothing = Object::new();
    let told = match body.get("outputs") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(told)) => told,
        Some(_) => return Err(wrong_field("/outputs", FieldErrorCode::WrongType, "expected an object")),
    };
    let told = check_told("/outputs", &name, &by_hand.asks, desk.actor.kind, told)?;
    if let Some((key, _)) = told.iter().find(|(_, value)| value.as_str().is_some_and(has_password)) {
        let message = "has a password in it: expected the address without, and the password as a reference to a secret";
        return Err(wrong_field(&format!("/outputs/{key}"), FieldErrorCode::NotAllowed, message));
    }
    let Some(mut resource) = instance.record.resources.get(&name).cloned() else {
        return Err(Refusal::NotFound(name).into());
    };
    let mut unused = names(&declared, &name, &resource);
    resource.outputs = told;
    let used = names(&declared, &name, &resource);
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
    let is_looked_at = by_hand.verify;
    if !is_looked_at {
        done(&mut resource, instance.is(InstanceStatus::Restoring));
    }
    instance.record.resources.insert(name, resource);
    instance.record.reached_world = true;
    instance.save(&mut desk.account)?;
    match is_looked_at {
        true => Ok(Outcome::Applied.into()),
        false => Ok(Verdict::answered(Answer::Product(instance.id))),
    }
}

/// `step.assign`: whose it is from now on; nobody's with an empty name.
pub(super) fn assign(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let to = body.get("to").and_then(Value::as_str);
    let to =
        to.ok_or_else(|| wrong_field("/to", FieldErrorCode::Missing, "expected who makes it, or an empty text"))?;
    if to.len() > NAME_BYTES || to.contains(char::is_control) {
        let message = format!("expected at most {NAME_BYTES} bytes without control characters");
        return Err(wrong_field("/to", FieldErrorCode::OutOfRange, message));
    }
    let (mut instance, name) = named(desk, body)?;
    if let Some(task) = instance.record.resources.get_mut(&name).and_then(|resource| resource.task.as_mut()) {
        task.assigned_to = Some(to.to_owned()).filter(|to| !to.is_empty());
    }
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(instance.id)))
}

/// `step.abandon`: what could not be taken away stays in the world, is written down, and holds up nothing any more.
pub(super) fn abandon(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (id, name) = (required_text(body, "id")?, required_text(body, "step")?);
    let mut instance = Instance::load(desk, &id)?;
    let stuck = instance.record.resources.get(&name).filter(|resource| resource.status == ResourceStatus::Stuck);
    let Some(resource) = stuck.cloned() else {
        return Err(Refusal::BadTransition(format!("{name} is not stuck: its end did not fail")).into());
    };
    let told = names(&instance.decl, &name, &resource);
    if !told.is_empty() {
        desk.account.release_claims(told, None);
    }
    instance.record.abandoned.insert(name.clone(), resource.clone());
    instance.record.resources.insert(name, resource.gone());
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// Who did it where the machine had done it after all.
pub(super) const MACHINE: &str = "machine";

/// Bytes of a name at most.
const NAME_BYTES: usize = 200;

/// It is there.
fn done(resource: &mut ResourceState, is_restoring: bool) {
    resource.status = ResourceStatus::Present;
    resource.restore_due = is_restoring && resource.backup.is_some();
}

/// What a look came to: at what a person told, or for what the machine may have made.
pub(super) fn checked(resource: &mut ResourceState, seen: &Object, is_restoring: bool) {
    if seen.get("exists") == Some(&json!(false)) {
        return refused(resource, "not-found");
    }
    if let Some(outputs) = seen.get("outputs").and_then(Value::as_object) {
        resource.outputs.extend(outputs.clone());
    }
    if let Some(task) = &mut resource.task {
        task.done_by.get_or_insert_with(|| MACHINE.to_owned());
    }
    done(resource, is_restoring);
}

/// What was told does not count: it is waited for again.
pub(super) fn refused(resource: &mut ResourceState, code: &str) {
    resource.status = ResourceStatus::ByHand;
    resource.outputs = Object::new();
    if let Some(task) = &mut resource.task {
        // Of what nobody told nobody waits to hear.
        task.refused = task.done_by.take().map(|_| code.to_owned());
        task.may_exist &= task.opened_at.is_some() || code != "not-found";
    }
}

/// What who told it is answered after the look; what does not count is anybody's again.
pub(super) fn answer(desk: &mut Desk<'_>, instance: &Instance, name: &str, told: Vec<String>) -> Answer {
    let task = instance.record.resources.get(name).and_then(|resource| resource.task.as_ref());
    match task.and_then(|task| task.refused.as_ref()) {
        None => Answer::Product(instance.id.clone()),
        Some(code) => {
            if !told.is_empty() {
                desk.account.release_claims(told, None);
            }
            let message = format!("it was looked at: {code}");
            let error = FieldError { path: "/outputs".to_owned(), code: FieldErrorCode::NotAllowed, message };
            Answer::Refused(Refusal::Invalid(vec![error]))
        }
    }
}

/// Claims of what only one account may have told of a resource.
pub(super) fn names(decl: &TypeDecl, entry: &str, resource: &ResourceState) -> Vec<String> {
    let Some(provision) = decl.resource(entry) else { return Vec::new() };
    let asks = provision.or_manual.iter().flat_map(|by_hand| &by_hand.asks);
    let unique = asks.filter_map(|field| {
        let space = field.space(&format!("{}.{}", decl.name, provision.name))?;
        Some(String::from(ClaimKey::Name { space: &space, value: resource.outputs.get(&field.name)?.as_str()? }))
    });
    unique.collect()
}
