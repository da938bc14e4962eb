//! Finds the resources and secrets that should exist according to a store: all that were created and not destroyed. The
//! store is read one page at a time, so that a reader's snapshot stays short; a later call continues after the last
//! page.

use super::done::done_page;
use host_provider_api::scripted::{Resource, Scripted};
use host_provider_api::{ResourceId, SECRET_PREFIX, Simulation, map_texts};
use host_store::{Partition, Read, StoreError};
use serde_json::Value;
use std::collections::BTreeSet;

/// The resources and secrets that were created by the effect results of a store, up to some page.
#[derive(Default)]
pub struct Recorded {
    made: Scripted,
    /// References from `secret.ensure`, with the effect that created each.
    ensured: BTreeSet<(ResourceId, String)>,
    after: u64,
}

impl Recorded {
    /// Reads all results of a business and mode, or of the whole store.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn of(store: &dyn Read, of: Option<&Partition>) -> Result<Recorded, StoreError> {
        let mut recorded = Recorded::default();
        while recorded.read_page(store, of)? {}
        Ok(recorded)
    }

    /// Reads the next page of results. Returns false at the end of the store.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn read_page(&mut self, store: &dyn Read, of: Option<&Partition>) -> Result<bool, StoreError> {
        let Recorded { made, ensured, after } = self;
        let next = done_page(store, of, *after, &mut |call, outputs| {
            made.remember(call, outputs);
            if call.kind == "secret.ensure" {
                references(&call.resource_id(), outputs.clone(), ensured);
            }
        })?;
        *after = next.unwrap_or(*after);
        Ok(next.is_some())
    }

    /// Returns the resources.
    pub fn resources(&self) -> Vec<Resource> {
        self.made.inventory()
    }

    /// Returns the secret references in resources and in `secret.ensure` effects, each with the resource or effect that
    /// contains it, sorted.
    pub fn secrets(&self) -> Vec<(ResourceId, String)> {
        let mut found = self.ensured.clone();
        for resource in self.made.inventory() {
            references(&resource.id, resource.outputs, &mut found);
            references(&resource.id, Value::Object(resource.settings), &mut found);
        }
        found.into_iter().collect()
    }
}

/// Adds the secret references in a value.
fn references(id: &ResourceId, value: Value, found: &mut BTreeSet<(ResourceId, String)>) {
    let found = std::cell::RefCell::new(found);
    // The text itself is unchanged; only the references in it are collected.
    map_texts(value, &|text| {
        if text.starts_with(SECRET_PREFIX) {
            found.borrow_mut().insert((id.clone(), text.clone()));
        }
        text
    });
}
