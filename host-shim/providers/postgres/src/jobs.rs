//! Work that takes longer than a call may: it goes on in a thread, and looks ask for its end. After a restart it is begun anew, and
//! finds what was done.

use crate::failed::Failed;
use host_provider_api::{Call, CallOutcome};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Works that go on at a time.
const JOBS_MAX: usize = 8;
/// Milliseconds until the first look, doubled with each.
const LOOK_MS: i64 = 1_000;
/// Milliseconds until a look at most.
const LOOK_MS_MAX: i64 = 60_000;
/// What tokens begin with, before the number of looks.
const TOKEN: &str = "look:";

/// Scope, key, generation.
type Id = (String, String, u32);

/// What goes on. A work that a call waits at just now has no receiver here.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<HashMap<Id, Option<Receiver<CallOutcome>>>>);

impl Jobs {
    /// The work's answer if it ends soon, else that it is in progress.
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
                    return CallOutcome::retry("busy", "as much work goes on as may at a time");
                }
                None => {
                    let (sender, receiver) = channel();
                    // Nobody waits for an answer that nobody asks for again.
                    thread::spawn(move || drop(sender.send(work().unwrap_or_else(|Failed(answer)| answer))));
                    jobs.insert(id.clone(), None);
                    receiver
                }
            }
        };
        let answer = receiver.recv_timeout(wait);
        let mut jobs = self.jobs();
        match answer {
            Ok(answer) => {
                jobs.remove(&id);
                answer
            }
            Err(RecvTimeoutError::Timeout) => {
                jobs.insert(id, Some(receiver));
                in_progress(call)
            }
            Err(RecvTimeoutError::Disconnected) => {
                jobs.remove(&id);
                CallOutcome::retry("work-lost", "the work ended without an answer")
            }
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Id, Option<Receiver<CallOutcome>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_progress(call: &Call) -> CallOutcome {
    let looks: u32 = call.token.as_deref().and_then(|token| token.strip_prefix(TOKEN)?.parse().ok()).unwrap_or(0);
    let after_ms = LOOK_MS.saturating_mul(1 << looks.min(10)).min(LOOK_MS_MAX);
    CallOutcome::InProgress { after_ms, token: format!("{TOKEN}{}", looks.saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_goes_on_between_looks_is_done_once_and_begins_anew_when_it_was_answered() {
        let (jobs, begun) = (Jobs::default(), Arc::new(AtomicUsize::new(0)));
        let call = Call { key: "k".to_owned(), ..Call::default() };
        let (end, ended) = channel::<()>();
        let work = |ended: Option<Receiver<()>>| {
            let begun = begun.clone();
            move || {
                begun.fetch_add(1, Ordering::SeqCst);
                if let Some(ended) = ended {
                    ended.recv().expect("told to end");
                }
                Ok(CallOutcome::Done(json!(1)))
            }
        };
        let soon = Duration::from_millis(20);
        let CallOutcome::InProgress { after_ms: 1_000, token } = jobs.run(&call, soon, work(Some(ended))) else {
            panic!()
        };
        let look = Call { token: Some(token), ..call.clone() };
        let CallOutcome::InProgress { after_ms: 2_000, .. } = jobs.run(&look, soon, work(None)) else { panic!() };
        end.send(()).expect("heard");
        let later = Duration::from_secs(10);
        assert_eq!(jobs.run(&look, later, work(None)), CallOutcome::Done(json!(1)));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(jobs.run(&look, later, work(None)), CallOutcome::Done(json!(1)));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn work_that_dies_is_tried_again() {
        let call = Call { key: "k".to_owned(), ..Call::default() };
        let answer = Jobs::default().run(&call, Duration::from_secs(10), || panic!("on purpose"));
        assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "work-lost"), "{answer:?}");
    }
}
