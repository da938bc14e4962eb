//! Finds the resources and secrets that should exist according to a store: all that were created but not destroyed.

use host_engine::outbox::Recorded;
use host_provider_api::ResourceId;
use host_provider_api::scripted::Resource;
use host_scenario::error::ReplayError;
use host_store::{Partition, Read};

/// Returns the resources of a business and mode, or of the whole store, according to the stored effect results.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn recorded(store: &dyn Read, of: Option<&Partition>) -> Result<Vec<Resource>, ReplayError> {
    Ok(Recorded::of(store, of)?.resources())
}

/// Returns the secret references in the recorded resources and in the results of `secret.ensure`, each with the resource or effect that
/// contains it, sorted.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn recorded_secrets(store: &dyn Read) -> Result<Vec<(ResourceId, String)>, ReplayError> {
    Ok(Recorded::of(store, None)?.secrets())
}
