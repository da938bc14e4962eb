//! The threads that call providers. The outbox decides how many calls run: it starts a call only if its provider has capacity.

use host_provider_api::Call;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Makes calls, each on its own thread.
#[derive(Clone)]
pub(crate) struct Calls(Arc<Shared>);

struct Shared {
    threads_max: usize,
    make: Box<dyn Fn(Call) + Send + Sync>,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Calls that wait for a thread, in order. Each is either new or has already been made.
    waiting: VecDeque<Call>,
    threads: usize,
    is_stopped: bool,
}

impl Calls {
    /// Creates an object that makes calls on at most this many threads. `make` makes a call and reports its reply.
    pub(crate) fn new(threads_max: usize, make: impl Fn(Call) + Send + Sync + 'static) -> Calls {
        Calls(Arc::new(Shared { threads_max, make: Box::new(make), state: Mutex::default(), ended: Condvar::new() }))
    }

    /// Starts calls.
    pub(crate) fn begin(&self, calls: Vec<Call>) {
        let mut state = self.0.state();
        state.waiting.extend(calls);
        let wanted = state.waiting.len().min(self.0.threads_max.saturating_sub(state.threads));
        let wanted = if state.is_stopped { 0 } else { wanted };
        state.threads += wanted;
        drop(state);
        for _ in 0..wanted {
            let shared = self.0.clone();
            if thread::Builder::new().name("call".to_owned()).spawn(move || shared.work()).is_err() {
                // The machine has no thread to spare; an existing one takes the call.
                self.0.state().threads -= 1;
                self.0.ended.notify_all();
            }
        }
    }

    /// Waits for the calls that have begun. Calls that are still waiting are not made; the next host makes them, as after a crash.
    pub(crate) fn stop(&self) {
        let mut state = self.0.state();
        state.is_stopped = true;
        while state.threads > 0 {
            state = self.0.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in between still leaves a valid queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next call, or none if the thread should end; it is then no longer counted.
    fn next(&self) -> Option<Call> {
        let mut state = self.state();
        let next = if state.is_stopped { None } else { state.waiting.pop_front() };
        if next.is_none() {
            state.threads -= 1;
            self.ended.notify_all();
        }
        next
    }

    fn work(&self) {
        while let Some(call) = self.next() {
            // A provider's panic must not end the thread while it is counted. The call's lease expires without an answer, and the
            // call is repeated.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.make)(call)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn call(key: &str) -> Call {
        Call { key: key.to_owned(), ..Call::default() }
    }

    #[test]
    fn a_call_that_hangs_holds_up_no_other_and_stop_waits_for_it() {
        let (go_on, hang) = mpsc::channel::<()>();
        let (made, all_made) = mpsc::channel();
        let (hang, made) = (Mutex::new(hang), Mutex::new(made));
        let calls = Calls::new(4, move |call| {
            if call.key == "slow" {
                hang.lock().expect("no panic").recv().expect("sent");
            }
            made.lock().expect("no panic").send(call.key).expect("the test waits");
        });
        calls.begin(vec![call("slow")]);
        calls.begin(vec![call("a"), call("b")]);
        let next = || all_made.recv_timeout(Duration::from_secs(60)).expect("made");
        let mut others = [next(), next()];
        others.sort();
        assert_eq!(others, ["a", "b"]);
        let stopping = calls.clone();
        let stop = thread::spawn(move || stopping.stop());
        go_on.send(()).expect("it waits");
        stop.join().expect("stopped");
        assert_eq!(all_made.try_recv().as_deref(), Ok("slow"), "it was made before the end");
        calls.begin(vec![call("late")]);
        assert!(all_made.try_recv().is_err(), "no call begins after the end");
    }
}
