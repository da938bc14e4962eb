//! Which resources should exist according to a store: all resources that were created and not destroyed.

use host::outbox::each_done;
use host_provider_api::Simulation;
use host_provider_api::scripted::{Resource, Scripted};
use host_scenario::error::ReplayError;
use host_store::{Partition, Store};

/// Returns the resources of a business and mode, or of the whole store, according to the stored effect results.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn recorded(store: &dyn Store, of: Option<&Partition>) -> Result<Vec<Resource>, ReplayError> {
    let made = Scripted::new();
    each_done(store, of, &mut |call, outputs| made.remember(call, outputs))?;
    Ok(made.inventory())
}
