//! What a store says should exist: every resource that was made, and was not destroyed since.

use host::outbox::each_done;
use host_provider_api::Simulation;
use host_provider_api::scripted::{Resource, Scripted};
use host_scenario::error::ReplayError;
use host_store::{Partition, Store};

/// The resources of this business and mode, or of all that a store has, by the results that came in. Nothing is started and
/// nothing written.
pub fn recorded(store: &dyn Store, of: Option<&Partition>) -> Result<Vec<Resource>, ReplayError> {
    let made = Scripted::new();
    each_done(store, of, &mut |call, outputs| made.remember(call, outputs))?;
    Ok(made.inventory())
}
