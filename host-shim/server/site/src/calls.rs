//! Threads that call providers. Waiting calls are taken account by account, so that an account with many calls does not
//! hold up the others.

use host_provider_api::Call;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Calls that wait for a thread.
#[derive(Debug, Default)]
struct Waiting {
    /// The calls of each account, in order.
    of_account: BTreeMap<String, VecDeque<Call>>,
    /// The accounts with calls, in the order of their turns.
    turns: VecDeque<String>,
    is_stopped: bool,
}

impl Waiting {
    fn add(&mut self, call: Call) {
        let calls = self.of_account.entry(call.scope.clone()).or_default();
        if calls.is_empty() {
            self.turns.push_back(call.scope.clone());
        }
        calls.push_back(call);
    }

    /// Removes the next call of the account whose turn it is.
    fn next(&mut self) -> Option<Call> {
        let account = self.turns.pop_front()?;
        let calls = self.of_account.get_mut(&account)?;
        let call = calls.pop_front();
        if calls.is_empty() {
            self.of_account.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        call
    }
}

/// The waiting calls, and the signal that one has come.
#[derive(Debug, Default)]
pub(crate) struct CallQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl CallQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic in between leaves a queue that is still a queue.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds calls, in order.
    pub(crate) fn add(&self, calls: Vec<Call>) {
        let mut waiting = self.lock();
        calls.into_iter().for_each(|call| waiting.add(call));
        self.changed.notify_all();
    }

    /// Ends the threads. Calls that still wait are not made; the next host makes them, as after a crash.
    fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// Waits for the next call; none after [`CallQueue::stop`].
    fn take(&self) -> Option<Call> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_stopped {
                return None;
            }
            if let Some(call) = waiting.next() {
                return Some(call);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads of a queue. They end when this value is dropped.
#[derive(Debug)]
pub(crate) struct CallThreads {
    queue: Arc<CallQueue>,
    threads: Vec<JoinHandle<()>>,
}

impl CallThreads {
    /// Ends the threads, and waits for the calls that have begun.
    pub(crate) fn stop(mut self) {
        self.queue.stop();
        for thread in std::mem::take(&mut self.threads) {
            // The threads catch panics of providers.
            let _ = thread.join();
        }
    }
}

impl Drop for CallThreads {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

/// Starts threads that make the calls of a queue.
pub(crate) fn spawn(
    queue: Arc<CallQueue>,
    threads: usize,
    make: impl Fn(Call) + Send + Sync + 'static,
) -> io::Result<CallThreads> {
    let make = Arc::new(make);
    let spawn = |number| {
        let (queue, make) = (queue.clone(), make.clone());
        thread::Builder::new().name(format!("call-{number}")).spawn(move || {
            while let Some(call) = queue.take() {
                // A provider's panic must not end the thread. The call's lease ends without an answer, and it is made again.
                let _ = catch_unwind(AssertUnwindSafe(|| make(call)));
            }
        })
    };
    let threads = (0..threads).map(spawn).collect::<io::Result<_>>()?;
    Ok(CallThreads { queue, threads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_take_turns() {
        let mut waiting = Waiting::default();
        let call =
            |account: &str, key: &str| Call { scope: account.to_owned(), key: key.to_owned(), ..Call::default() };
        for (account, key) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("c", "1"), ("b", "2")] {
            waiting.add(call(account, key));
        }
        let taken: Vec<String> = std::iter::from_fn(|| waiting.next()).map(|call| call.scope + &call.key).collect();
        assert_eq!(taken, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }
}
