//! Takes the calls that are due, makes them, and reports back. A call without a report is repeated when its lease has ended.

use crate::block::{Block, BlockError};
use host::remote::{Answer, CALLS_MAX, Lease, Leased, LentCall};
use host_http::Method;
use host_provider_api::{Call, CallOutcome, Registry, Reply};
use serde_json::json;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

/// Number of times that a report is sent.
const REPORTS_MAX: u32 = 4;
/// Wait before the report is sent again, in milliseconds; doubled each time.
const REPORT_AGAIN_MS: u64 = 500;

/// A worker of a block.
pub struct Worker {
    block: Block,
    registry: Registry,
    name: String,
    /// True until the first request was answered.
    is_new: bool,
}

/// What a round has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The calls that were made, as kind, account and key, each with the name of its outcome.
    pub calls: Vec<(String, &'static str)>,
    /// True if more is due now.
    pub more: bool,
    /// Time at which something is due next, in milliseconds since the epoch.
    pub next: Option<i64>,
}

impl Worker {
    /// Creates a worker. Its name must be the same after a restart, and no other worker of the block may have it.
    pub fn new(block: Block, registry: Registry, name: &str) -> Worker {
        Worker { block, registry, name: name.to_owned(), is_new: true }
    }

    /// Carries out one round: lets the block do what needs no worker, takes calls, makes them at the same time, and reports back.
    ///
    /// # Errors
    /// Fails if the block does not answer, or refuses a request. Calls that were made and not reported are repeated later.
    pub fn round(&mut self) -> Result<Round, BlockError> {
        let lease = Lease { owner: self.name.clone(), limit: CALLS_MAX, restarted: self.is_new };
        let leased = self.block.send(Method::Post, "/outbox/lease", Some(&json!(lease)))?;
        let leased: Leased = serde_json::from_value(leased)
            .map_err(|error| BlockError::Foreign { path: "/outbox/lease".to_owned(), problem: error.to_string() })?;
        self.is_new = false;
        let mode = if leased.livemode { "live" } else { "test" };
        let space = format!("{}/{mode}", leased.business);
        let registry = &self.registry;
        let answers: Vec<Answer> = thread::scope(|scope| {
            let made: Vec<_> = leased.calls.iter().map(|lent| scope.spawn(|| answer(registry, &space, lent))).collect();
            // The registry turns the panic of a provider into an answer.
            made.into_iter().map(|made| made.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut calls = Vec::with_capacity(answers.len());
        for (lent, answer) in leased.calls.iter().zip(&answers) {
            self.report(answer)?;
            calls.push((format!("{} {} {}", lent.kind, lent.account, lent.key), name_of(&answer.reply)));
        }
        Ok(Round { calls, more: leased.more, next: leased.next })
    }

    /// Sends an answer, again if the block does not take it.
    fn report(&self, answer: &Answer) -> Result<(), BlockError> {
        let body = json!([answer]);
        let mut wait = REPORT_AGAIN_MS;
        for _ in 1..REPORTS_MAX {
            match self.block.send(Method::Post, "/outbox/answers", Some(&body)) {
                Err(error) if error.is_transient() => thread::sleep(Duration::from_millis(wait)),
                done => return done.map(drop),
            }
            wait *= 2;
        }
        self.block.send(Method::Post, "/outbox/answers", Some(&body)).map(drop)
    }
}

/// Makes a call with the provider of its kind and returns the answer for the block. `space` is the name of business and mode.
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
    };
    Answer {
        account: lent.account.clone(),
        key: lent.key.clone(),
        generation: lent.generation,
        lease: lent.lease,
        reply: registry.call(&call),
    }
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
