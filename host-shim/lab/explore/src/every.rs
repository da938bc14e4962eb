//! Explores many stories on several threads.

use crate::explorer::{ExploreLimits, Explored, Watch, explore};
use crate::tale::Tale;
use host_replay::parallel::in_order;
use host_scenario::error::ReplayError;

/// Explores stories, `jobs` at a time. Returns one result per story in the given order. The result is None if `watch`
/// stopped the exploration before the story began.
///
/// # Errors
///
/// Fails if a story can't be run as written.
pub fn explore_every(
    tales: &[Tale],
    limits: &ExploreLimits,
    jobs: usize,
    watch: &dyn Watch,
) -> Result<Vec<Option<Explored>>, ReplayError> {
    let mut results = Vec::new();
    let explored =
        |tale: &&Tale| watch.goes_on(0).then(|| explore(tale, limits, watch).map_err(|error| of_story(tale, error)));
    in_order(tales.iter().collect(), jobs, explored, |_, explored| {
        results.push(explored.transpose()?);
        Ok::<(), ReplayError>(())
    })?;
    Ok(results)
}

/// Adds the story's name to an error of the store or the host, which does not contain it.
fn of_story(tale: &Tale, error: ReplayError) -> ReplayError {
    match error {
        ReplayError::Store(_) | ReplayError::Host(_) => {
            ReplayError::Host(format!("{}: {error}", tale.scenario.file.display()))
        }
        other => other,
    }
}
