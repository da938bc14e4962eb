//! Which resources and secrets should exist according to a store? All that were created and not destroyed.

use host::outbox::each_done;
use host_provider_api::scripted::{Resource, Scripted};
use host_provider_api::{ResourceId, SECRET_PREFIX, Simulation, map_texts};
use host_scenario::error::ReplayError;
use host_store::{Partition, Read};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Returns the resources of a business and mode, or of the whole store, according to the stored effect results.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn recorded(store: &dyn Read, of: Option<&Partition>) -> Result<Vec<Resource>, ReplayError> {
    let made = Scripted::new();
    each_done(store, of, &mut |call, outputs| made.remember(call, outputs))?;
    Ok(made.inventory())
}

/// Returns the secret references in the recorded resources, and of `secret.ensure`, each with the resource or the effect
/// that has it, sorted.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn recorded_secrets(store: &dyn Read) -> Result<Vec<(ResourceId, String)>, ReplayError> {
    let made = Scripted::new();
    let found = RefCell::new(BTreeSet::new());
    let add = |id: &ResourceId, value: Value| {
        // The text stays as it is; only the references in it are collected.
        map_texts(value, &|text| {
            if text.starts_with(SECRET_PREFIX) {
                found.borrow_mut().insert((id.clone(), text.clone()));
            }
            text
        });
    };
    each_done(store, None, &mut |call, outputs| {
        made.remember(call, outputs);
        if call.kind == "secret.ensure" {
            add(&call.resource_id(), outputs.clone());
        }
    })?;
    for resource in made.inventory() {
        add(&resource.id, resource.outputs);
        add(&resource.id, Value::Object(resource.settings));
    }
    Ok(found.into_inner().into_iter().collect())
}
