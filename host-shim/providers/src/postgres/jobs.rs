//! Background jobs: work that takes longer than a call runs in a thread, and later calls poll its result. After a
//! restart of the host, the next poll starts the work again, which checks what has already been done.

use crate::postgres::failed::Failed;
use host_provider_api::{Call, CallOutcome};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum number of concurrent jobs.
const JOBS_MAX: usize = 8;
/// Milliseconds until the first poll. The delay doubles with each poll.
const POLL_MS: i64 = 1_000;
/// Maximum delay until the next poll in milliseconds.
const POLL_MS_MAX: i64 = 60_000;
/// Prefix of tokens, before the number of polls.
const TOKEN: &str = "look:";

/// Scope, key and generation of the call.
type Id = (String, String, u32);

/// Running jobs, and finished jobs whose outcome has not been returned. The receiver is absent while a call waits for
/// the job.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<HashMap<Id, Option<Receiver<CallOutcome>>>>);

impl Jobs {
    /// Starts the work unless it is already running, and waits for it. Returns its outcome, or `InProgress` if it takes
    /// longer than `wait` or another call is waiting for it.
    pub fn run(
        &self,
        call: &Call,
        wait: Duration,
        work: impl FnOnce() -> Result<CallOutcome, Failed> + Send + 'static,
    ) -> CallOutcome {
        let id = (call.scope.clone(), call.key.clone(), call.generation);
        let receiver = {
            let mut jobs = self.jobs();
            match jobs.get_mut(&id).map(Option::take) {
                Some(Some(receiver)) => receiver,
                Some(None) => return in_progress(call),
                None if jobs.len() >= JOBS_MAX => {
                    return CallOutcome::retry("busy", "the maximum number of background jobs is running");
                }
                None => {
                    let (sender, receiver) = channel();
                    // Sending fails if the receiver was dropped because no call polls any longer.
                    thread::spawn(move || drop(sender.send(work().unwrap_or_else(|Failed(outcome)| outcome))));
                    jobs.insert(id.clone(), None);
                    receiver
                }
            }
        };
        let outcome = receiver.recv_timeout(wait);
        let mut jobs = self.jobs();
        match outcome {
            Ok(outcome) => {
                jobs.remove(&id);
                outcome
            }
            Err(RecvTimeoutError::Timeout) => {
                jobs.insert(id, Some(receiver));
                in_progress(call)
            }
            Err(RecvTimeoutError::Disconnected) => {
                jobs.remove(&id);
                CallOutcome::retry("work-lost", "the work ended without a result")
            }
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Id, Option<Receiver<CallOutcome>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_progress(call: &Call) -> CallOutcome {
    let polls: u32 = call.token.as_deref().and_then(|token| token.strip_prefix(TOKEN)?.parse().ok()).unwrap_or(0);
    let after_ms = POLL_MS.saturating_mul(1 << polls.min(10)).min(POLL_MS_MAX);
    CallOutcome::InProgress { after_ms, token: format!("{TOKEN}{}", polls.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_continues_between_polls_runs_once_and_restarts_after_its_result_was_returned() {
        let (jobs, begun) = (Jobs::default(), Arc::new(AtomicUsize::new(0)));
        let call = Call { key: "k".to_owned(), ..Call::default() };
        let (end, ended) = channel::<()>();
        let work = |ended: Option<Receiver<()>>| {
            let begun = begun.clone();
            move || {
                begun.fetch_add(1, Ordering::SeqCst);
                if let Some(ended) = ended {
                    ended.recv().expect("a signal");
                }
                Ok(CallOutcome::Done(json!(1)))
            }
        };
        let soon = Duration::from_millis(20);
        let CallOutcome::InProgress { after_ms: 1_000, token } = jobs.run(&call, soon, work(Some(ended))) else {
            panic!()
        };
        let poll = Call { token: Some(token), ..call.clone() };
        let CallOutcome::InProgress { after_ms: 2_000, .. } = jobs.run(&poll, soon, work(None)) else { panic!() };
        end.send(()).expect("received");
        let later = Duration::from_secs(10);
        assert_eq!(jobs.run(&poll, later, work(None)), CallOutcome::Done(json!(1)));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(jobs.run(&poll, later, work(None)), CallOutcome::Done(json!(1)));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn work_that_panics_is_retried() {
        let call = Call { key: "k".to_owned(), ..Call::default() };
        let outcome = Jobs::default().run(&call, Duration::from_secs(10), || panic!("on purpose"));
        assert!(matches!(&outcome, CallOutcome::Retry { code, .. } if code == "work-lost"), "{outcome:?}");
    }
}
