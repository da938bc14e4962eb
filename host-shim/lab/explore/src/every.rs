//! Explores many stories on several threads.

use crate::explorer::{ExploreLimits, Explored, Watch, explore};
use crate::tale::Tale;
use host_scenario::error::ReplayError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Explores stories, `jobs` at a time. Returns one result per story in the given order; the result is None if `watch`
/// stopped the exploration before the story was begun.
///
/// # Errors
///
/// Fails if a story can't be played as it is written.
pub fn explore_every(
    tales: &[Tale],
    limits: &ExploreLimits,
    jobs: usize,
    watch: &dyn Watch,
) -> Result<Vec<Option<Explored>>, ReplayError> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Explored, ReplayError>>>> = Mutex::new(tales.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, tales.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(tale) = tales.get(at).filter(|_| watch.goes_on(0)) else { break };
                    let explored = explore(tale, limits, watch);
                    // A panic of another thread leaves the list of results valid.
                    results.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(explored);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().map(Option::transpose).collect()
}
