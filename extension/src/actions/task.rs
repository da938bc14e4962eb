//! The manual task of a resource: what its outputs claim, and how an observation ends it.

use crate::catalog::schema::TypeDecl;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Answer;
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::{ResourceState, ResourceStatus};
use extension_contract::{FieldError, FieldErrorCode, Refusal};
use serde_json::{Value, json};

/// Value of `done_by` for a step that an effect completed.
pub(crate) const MACHINE: &str = "machine";

/// Marks the resource as present.
pub(crate) fn done(resource: &mut ResourceState, is_restoring: bool) {
    resource.status = ResourceStatus::Present;
    resource.may_exist = false;
    resource.restore_backup(is_restoring);
}

/// Applies a successful observation of a resource that a person reported, or that an effect may have created.
pub(crate) fn observed(resource: &mut ResourceState, observation: &Object, is_restoring: bool) {
    if observation.get("exists") == Some(&json!(false)) {
        return refused(resource, "not-found");
    }
    if let Some(outputs) = observation.get("outputs").and_then(Value::as_object) {
        resource.outputs.extend(outputs.clone());
    }
    if let Some(task) = &mut resource.task {
        task.done_by.get_or_insert_with(|| MACHINE.to_owned());
    }
    done(resource, is_restoring);
}

/// Rejects the reported outputs: the resource waits for a person again.
pub(crate) fn refused(resource: &mut ResourceState, code: &str) {
    resource.status = ResourceStatus::ByHand;
    resource.outputs = Object::new();
    if let Some(task) = &mut resource.task {
        // Only a person who reported outputs waits for the reply.
        task.refused = task.done_by.take().map(|_| code.to_owned());
        task.may_exist &= task.opened_at.is_some() || code != "not-found";
    }
}

/// Returns the reply to the person after the observation. Releases the claims of rejected outputs.
pub(crate) fn reply(desk: &mut Desk<'_>, instance: &Instance, name: &str, claims: Vec<String>) -> Answer {
    let task = instance.record.resources.get(name).and_then(|resource| resource.task.as_ref());
    match task.and_then(|task| task.refused.as_ref()) {
        None => Answer::Product(instance.id.clone()),
        Some(code) => {
            if !claims.is_empty() {
                desk.account.release_claims(claims, None);
            }
            let found = format!("verification failed: {code}");
            let error = FieldError::new("/outputs", FieldErrorCode::NotAllowed, found);
            Answer::Refused(Refusal::Invalid(vec![error]))
        }
    }
}

/// Returns the claim keys of a resource's outputs that are unique among accounts.
pub(crate) fn claim_names(decl: &TypeDecl, entry: &str, resource: &ResourceState) -> Vec<String> {
    let Some(provision) = decl.resource(entry) else { return Vec::new() };
    let asks = provision.or_manual.iter().flat_map(|by_hand| &by_hand.asks);
    let unique = asks.filter_map(|field| {
        let space = field.space(&format!("{}.{}", decl.name, provision.name))?;
        Some(String::from(ClaimKey::Name { space: &space, value: resource.outputs.get(&field.name)?.as_str()? }))
    });
    unique.collect()
}
