//! Runs jobs on several threads, and passes on their results in the order of the jobs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Runs the jobs `0..count` on `threads` threads, and passes each result to `take` in the order of the jobs. `take` runs
/// on the caller's thread.
///
/// # Errors
///
/// Returns the first error of `take`. Each thread then ends after its current job.
///
/// # Panics
///
/// Panics if a job panics.
pub(crate) fn in_order<T: Send, E>(
    count: usize,
    threads: usize,
    run: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let work = |results: mpsc::Sender<(usize, T)>| {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= count || results.send((job, run(job))).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads.clamp(1, count.max(1)) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        // The channel ends when all threads have ended. If a thread has panicked, the scope panics as well.
        for (job, result) in results {
            waiting.insert(job, result);
            while let Some(result) = waiting.remove(&due) {
                take(due, result)?;
                due += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn results_arrive_in_the_order_of_the_jobs_even_if_a_later_job_ends_first() {
        // Given two threads, where job 0 ends only after job 9 has begun
        let last_has_begun = Barrier::new(2);
        let run = |job| {
            if job == 0 || job == 9 {
                last_has_begun.wait();
            }
            job * 10
        };
        // When ten jobs run
        let mut taken = Vec::new();
        let all: Result<(), ()> = in_order(10, 2, run, |job, result| {
            taken.push((job, result));
            Ok(())
        });
        // Then the results are in order
        assert_eq!(all, Ok(()));
        assert_eq!(taken, (0..10).map(|job| (job, job * 10)).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_all_threads() {
        let begun = AtomicUsize::new(0);
        let run = |_| begun.fetch_add(1, Ordering::Relaxed);
        let error = in_order(1_000_000, 2, run, |job, _| if job == 3 { Err(job) } else { Ok(()) });
        assert_eq!(error, Err(3));
        assert!(begun.load(Ordering::Relaxed) < 1_000_000, "all jobs ran");
    }

    #[test]
    fn nothing_runs_without_jobs() {
        let none: Result<(), ()> = in_order(0, 2, |_| panic!("there is no job"), |_, ()| Err(()));
        assert_eq!(none, Ok(()));
    }
}
