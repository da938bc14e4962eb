//! Takes the calls that are due, makes them, and reports back. A call without a report is repeated when its lease has expired.

use crate::block::{Block, BlockError, TRIES_MAX};
use host_engine::outbox::Rooms;
use host_engine::remote::{Answer, BODY_BYTES_MAX, CALLS_MAX, Lease, Leased, LentCall};
use host_provider_api::{Call, CallOutcome, Registry, Reply};
use host_providers::http::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::thread;

/// A worker of a block.
pub struct Worker {
    block: Block,
    registry: Registry,
    name: String,
    /// True until the first request was answered.
    is_new: bool,
}

/// The result of a round.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The calls that were made, as kind, account and key, each with the name of its outcome.
    pub calls: Vec<(String, &'static str)>,
    /// Those of the calls whose answers the block did not accept, each with the reason. They are made again when their leases
    /// have expired.
    pub unreported: Vec<(String, String)>,
    /// True if more is due now.
    pub more: bool,
    /// Time at which something is next due, in milliseconds since the epoch.
    pub next: Option<i64>,
}

impl Worker {
    /// Creates a worker. Its name must be the same after a restart, and no other worker of the block may have it.
    pub fn new(block: Block, registry: Registry, name: &str) -> Worker {
        Worker { block, registry, name: name.to_owned(), is_new: true }
    }

    /// Carries out one round: lets the block do what needs no worker, takes calls, makes them concurrently, and reports back.
    ///
    /// # Errors
    /// Fails if the block lends no calls. An answer that the block does not accept holds up no other answer.
    pub fn round(&mut self) -> Result<Round, BlockError> {
        let lease = Lease { owner: self.name.clone(), limit: CALLS_MAX, restarted: self.is_new };
        let leased = self.block.send(Method::Post, "/outbox/lease", Some(&json!(lease)))?;
        let leased: Leased = serde_json::from_value(leased)
            .map_err(|error| BlockError::Foreign { path: "/outbox/lease".to_owned(), problem: error.to_string() })?;
        self.is_new = false;
        let mode = if leased.livemode { "live" } else { "test" };
        let space = format!("{}/{mode}", leased.business);
        let answers = answers(&self.registry, &space, &leased.calls);
        let (mut calls, mut unreported) = (Vec::with_capacity(answers.len()), Vec::new());
        let mut tries = TRIES_MAX;
        for (lent, answer) in &answers {
            let call = format!("{} {} {}", lent.kind, lent.account, lent.key);
            let body = json!([answer]);
            if let Err(error) = self.block.send_again(Method::Post, "/outbox/answers", Some(&body), tries) {
                if error.is_transient() {
                    // The block is down: longer waits would only let the other leases expire.
                    tries = 1;
                }
                unreported.push((call.clone(), error.to_string()));
            }
            calls.push((call, name_of(&answer.reply)));
        }
        Ok(Round { calls, unreported, more: leased.more, next: leased.next })
    }
}

/// Makes calls, as many at the same time as their providers have capacity for, and returns each with its answer.
fn answers<'c>(registry: &Registry, space: &str, calls: &'c [LentCall]) -> Vec<(&'c LentCall, Answer)> {
    let mut waiting: Vec<&LentCall> = calls.iter().collect();
    let (mut rooms, mut answers) = (Rooms::default(), Vec::new());
    while !waiting.is_empty() {
        let of: Vec<(&str, &str)> = waiting.iter().map(|lent| (lent.kind.as_str(), lent.account.as_str())).collect();
        let mut chosen = rooms.choose(registry, &of, CALLS_MAX);
        let entered: Vec<_> =
            chosen.iter().map(|at| (rooms.enter(registry, of[*at].0, of[*at].1), of[*at].1)).collect();
        if chosen.is_empty() {
            // A provider without capacity answers when the call should be repeated.
            chosen = (0..waiting.len()).collect();
        }
        let begun: Vec<&LentCall> = chosen.iter().map(|at| waiting[*at]).collect();
        let made: Vec<Answer> = thread::scope(|scope| {
            let threads: Vec<_> = begun.iter().map(|lent| scope.spawn(move || answer(registry, space, lent))).collect();
            // The registry turns the panic of a provider into an answer.
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        for (number, scope) in entered {
            if let Some(number) = number {
                rooms.leave(number, scope);
            }
        }
        answers.extend(begun.into_iter().zip(made));
        let chosen: BTreeSet<usize> = chosen.into_iter().collect();
        let mut places = 0..;
        waiting.retain(|_| places.next().is_none_or(|place| !chosen.contains(&place)));
    }
    answers
}

/// Makes a call with the provider for its kind and returns the answer for the block. `space` is the name of business and mode.
pub fn answer(registry: &Registry, space: &str, lent: &LentCall) -> Answer {
    let call = Call {
        kind: lent.kind.clone(),
        scope: format!("{space}/{}", lent.account),
        key: lent.key.clone(),
        generation: lent.generation,
        attempt: lent.attempt,
        payload: lent.payload.clone(),
        token: lent.token.clone(),
        deadline: lent.deadline,
        lease: lent.lease,
        secrets: registry.secret_access(),
        // The block does not say when the effect was requested.
        requested_at: 0,
    };
    let answer = Answer {
        account: lent.account.clone(),
        key: lent.key.clone(),
        generation: lent.generation,
        lease: lent.lease,
        reply: registry.call(&call),
    };
    fitting(answer)
}

/// Replaces a reply that is too long for the block with a failure, because the block would refuse it every time.
fn fitting(answer: Answer) -> Answer {
    let bytes = json!([answer]).to_string().len();
    if bytes <= BODY_BYTES_MAX {
        return answer;
    }
    let text = format!("the provider's answer takes {bytes} bytes, the block takes at most {BODY_BYTES_MAX}");
    Answer { reply: CallOutcome::refused("answer-too-large", text).into(), ..answer }
}

fn name_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Answer(CallOutcome::Done(_)) => "done",
        Reply::Answer(CallOutcome::InProgress { .. }) => "in progress",
        Reply::Answer(CallOutcome::Retry { .. }) => "failed, retried",
        Reply::Answer(CallOutcome::Refused { .. }) => "failed",
        Reply::Silence { .. } => "working",
    }
}
