//! Processes items on several threads, and passes on the results in the order of the items.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs `run` on each item, on `threads` threads, and passes each item with its result to `take` in the order of the items.
/// `take` runs on the caller's thread.
///
/// # Errors
///
/// Returns the first error of `take`. Each thread then ends after its current item.
///
/// # Panics
///
/// Panics if `run` panics.
pub fn in_order<I: Send, T: Send, E>(
    items: Vec<I>,
    threads: usize,
    run: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(I, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.clamp(1, items.len().max(1));
    let queue = Mutex::new(items.into_iter().enumerate());
    let work = |results: mpsc::Sender<(usize, I, T)>| {
        loop {
            // A panic of another thread leaves the queue valid.
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, item)) = next else { return };
            let result = run(&item);
            if results.send((index, item, result)).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        // The channel closes when all threads have ended. If a thread has panicked, the scope panics as well.
        for (index, item, result) in results {
            waiting.insert(index, (item, result));
            while let Some((item, result)) = waiting.remove(&due) {
                take(item, result)?;
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_arrive_in_the_order_of_the_items_even_if_a_later_item_ends_first() {
        // Given two threads, where item 0 ends only after item 9 has begun
        let last_has_begun = Barrier::new(2);
        let run = |&item: &usize| {
            if item == 0 || item == 9 {
                last_has_begun.wait();
            }
            item * 10
        };
        // When the threads work on ten items
        let mut taken = Vec::new();
        let all: Result<(), ()> = in_order((0..10).collect(), 2, run, |item, result| {
            taken.push((item, result));
            Ok(())
        });
        // Then the results are in order
        assert_eq!(all, Ok(()));
        assert_eq!(taken, (0..10).map(|item| (item, item * 10)).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_all_threads() {
        let begun = AtomicUsize::new(0);
        let run = |_: &usize| begun.fetch_add(1, Ordering::Relaxed);
        let error = in_order((0..1_000_000).collect(), 2, run, |item, _| if item == 3 { Err(item) } else { Ok(()) });
        assert_eq!(error, Err(3));
        assert!(begun.load(Ordering::Relaxed) < 1_000_000, "all items ran");
    }

    #[test]
    fn nothing_runs_without_items() {
        let none: Result<(), ()> = in_order(Vec::<usize>::new(), 2, |_| panic!("there is no item"), |_, ()| Err(()));
        assert_eq!(none, Ok(()));
    }
}
