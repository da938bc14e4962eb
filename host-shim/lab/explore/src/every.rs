//! Many stories, on several threads.

use crate::explorer::{ExploreLimits, Explored, Watch, explore};
use crate::tale::Tale;
use host_scenario::error::ReplayError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Explores stories, `jobs` at a time; what came of each, in their order. What was not begun when the watch ended it has none.
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
                    // A list of results stays good whatever another thread did.
                    results.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(explored);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().map(Option::transpose).collect()
}
