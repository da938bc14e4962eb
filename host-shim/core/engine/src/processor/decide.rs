//! Decides an event: the extension sees a snapshot of the event's account, and nothing is written.
//!
//! A [`Decider`] decides on its own thread while the writer commits. The commit requires that nothing the decision read
//! has changed; otherwise the writer decides the event again.

use super::lendable::Lendable;
use super::waiting::{WakeKeys, connected_account};
use super::{Processor, wrong_mode};
use crate::decision::{self, DecisionError, PreparedDecision};
use crate::snapshot::{Access, Context, FinishedSnapshot, Handle, LogEntry, PlacementResult, Snapshot};
use extension_contract::{
    Account, Decision, DeferReason, Event, Failure, IgnoreReason, Outcome, Payload, Reply, Timestamp,
};
use host_store::{AccountRow, Declared, InboxState, Partition, Reader, StoreError};
use host_wasm_runner::runner::{Ran, RunError, Runner, Used};
use std::collections::HashSet;
use std::sync::Arc;

/// The source of Stripe's events.
const STRIPE: &str = "stripe";
/// The hook for Stripe's webhooks, as manifests call it.
pub const WEBHOOK_OF_STRIPE: &str = "webhook.stripe";

/// The business, its mode and its declarations: everything that a decision needs apart from the store and the extension.
#[derive(Debug)]
pub(super) struct Deciding {
    pub(super) partition: Partition,
    pub(super) declared: Arc<Declared>,
    /// Kinds of payment source events that the extension handles.
    pub(super) payment_kinds: HashSet<String>,
}

/// A decided run that is not stored yet.
pub(super) struct Decided {
    pub outcome: Outcome,
    pub reply: Option<Reply>,
    pub state: InboxState,
    /// Wake keys, for `Read::woken_by`.
    pub waits_for: Vec<String>,
    pub account: Option<Account>,
    pub prepared: PreparedDecision,
    pub claim_answers: String,
    /// Recorded in place of the component's hash, if the intake decided.
    pub decided_by: Option<&'static str>,
    /// Resources used by the call.
    pub used: Used,
    /// Log entries of the extension.
    pub logs: Vec<LogEntry>,
}

impl Decided {
    /// Creates a final outcome decided by the host.
    pub fn by_host(outcome: Outcome) -> Self {
        Decided {
            outcome,
            reply: None,
            state: InboxState::Done,
            waits_for: Vec::new(),
            account: None,
            prepared: PreparedDecision::default(),
            claim_answers: String::new(),
            decided_by: None,
            used: Used::default(),
            logs: Vec::new(),
        }
    }
}

/// A failed attempt.
pub(super) struct FailedAttempt {
    pub error: RunError,
    pub account: Option<Account>,
    pub logs: Vec<LogEntry>,
}

/// Sets the attempt number and, for an internal event without an account, the platform account.
pub(super) fn begin(event: &mut Event, failures: u32) {
    event.attempt = failures + 1;
    if !matches!(event.payload, Payload::Payment(_)) {
        event.account.get_or_insert(Account::Platform);
    }
}

/// A decision that was made ahead of the commit.
pub struct DecidedAhead {
    pub(super) decided: Decided,
    /// Revision of the catalog in the snapshot.
    pub(super) catalog_revision: u64,
}

/// Decides new events with its own reader and extension.
pub struct Decider {
    reader: Lendable<dyn Reader>,
    runner: Box<dyn Runner>,
    deciding: Arc<Deciding>,
}

impl Decider {
    /// Creates a decider of the processor's business and mode.
    ///
    /// # Errors
    /// Fails if the store has only one handle.
    pub fn of(processor: &Processor, runner: Box<dyn Runner>) -> Result<Self, StoreError> {
        let reader = Lendable::new(processor.store().reader()?);
        Ok(Decider { reader, runner, deciding: processor.deciding.clone() })
    }

    /// Decides events in one snapshot, in order. `None` leaves the event to the writer: it is a duplicate, belongs to another
    /// business, refers to a snapshot event, must wait, or its decision failed. Sets the attempt number of each event.
    pub fn decide<'e>(&mut self, events: impl IntoIterator<Item = &'e mut Event>) -> Vec<Option<Box<DecidedAhead>>> {
        let reader = self.reader.get_mut();
        let has_begun = reader.begin().is_ok();
        let catalog = self.deciding.partition.scope(Account::Platform);
        let catalog = if has_begun { reader.account(&catalog).ok() } else { None };
        let mut decided = Vec::new();
        for event in events {
            let Some(AccountRow { revision: catalog_revision, .. }) = catalog else {
                decided.push(None);
                continue;
            };
            decided.push(self.decide_one(event, catalog_revision));
        }
        if has_begun {
            // A reader that cannot end its snapshot cannot begin the next, and the writer decides.
            let _ = self.reader.get_mut().end();
        }
        decided
    }

    fn decide_one(&mut self, event: &mut Event, catalog_revision: u64) -> Option<Box<DecidedAhead>> {
        let partition = &self.deciding.partition;
        let is_new = matches!(self.reader.get().event(partition, &event.source, &event.id), Ok(None));
        // If a snapshot event is stored in the meantime, its thin event is a duplicate, which the commit alone does not
        // detect.
        let names_snapshot = event.payment.as_ref().is_some_and(|facts| facts.snapshot_event.is_some());
        if !is_new || names_snapshot || event.business != partition.business {
            return None;
        }
        begin(event, 0);
        let (deciding, runner) = (&self.deciding, &mut *self.runner);
        let decided = self.reader.lend(|reader| deciding.decide(reader, runner, event, event.received_at));
        let decided = decided.ok().filter(|run| !matches!(run.outcome, Outcome::Deferred(_)));
        decided.map(|decided| Box::new(DecidedAhead { decided, catalog_revision }))
    }
}

impl Deciding {
    /// Decides an event over a handle of a store, which it returns. `since` is the time since which the event has been
    /// waiting, if it has to wait.
    pub(super) fn decide<H: Handle + 'static>(
        &self,
        handle: H,
        runner: &mut dyn Runner,
        event: &Event,
        since: Timestamp,
    ) -> (H, Result<Decided, FailedAttempt>) {
        if let Payload::Payment(_) = event.payload {
            if let Some(outcome) = wrong_mode(event, self.partition.livemode) {
                return (handle, Ok(Decided::by_host(outcome)));
            }
            // The extension rejects a missing kind as malformed.
            if !event.kind.is_empty() && !self.payment_kinds.contains(&event.kind) {
                return (handle, Ok(Decided::by_host(Outcome::Ignored(IgnoreReason::UnhandledKind))));
            }
        }
        if hook_of(event).is_some_and(|hook| !self.declared.permitted().has_hook(hook)) {
            return (handle, Ok(Decided::by_host(Outcome::Ignored(IgnoreReason::UnhandledKind))));
        }
        let snapshot = Snapshot::new(handle, self.context(event));
        let (snapshot, answer) = snapshot.call_with(|imports| runner.handle(imports, event));
        let checked = check(&snapshot, runner.declarations().data_version, answer);
        let FinishedSnapshot { store, place, mut trace, .. } = snapshot;
        let logs = std::mem::take(&mut trace.logs);
        let account = match &place {
            Some(PlacementResult::Here(account)) => Some(account.clone()),
            _ => None,
        };
        let decided = checked.and_then(|(decision, prepared, used)| {
            let run = self.run_of(event, since, (place, account.clone()), decision, prepared)?;
            Ok(Decided { claim_answers: trace.claim_answers, used, ..run })
        });
        match decided {
            Ok(decided) => (store, Ok(Decided { logs, ..decided })),
            Err(error) => (store, Err(FailedAttempt { error, account, logs })),
        }
    }

    /// Returns the run for a checked decision: its outcome, and the keys that the event waits for.
    fn run_of(
        &self,
        event: &Event,
        since: Timestamp,
        (place, account): (Option<PlacementResult>, Option<Account>),
        decision: Decision,
        prepared: PreparedDecision,
    ) -> Result<Decided, RunError> {
        Ok(match place {
            Some(PlacementResult::Parked { keys, marked }) => Decided {
                state: InboxState::Parked { since },
                waits_for: WakeKeys(&self.partition).of_parked(event, &keys, marked),
                prepared,
                ..Decided::by_host(Outcome::Deferred(DeferReason::Claim(keys)))
            },
            Some(PlacementResult::Ignored(reason)) => {
                Decided { prepared, ..Decided::by_host(Outcome::Ignored(reason)) }
            }
            Some(PlacementResult::Refused(refusal)) => {
                Decided { prepared, ..Decided::by_host(Outcome::Rejected(refusal)) }
            }
            Some(PlacementResult::Here(_)) | None => {
                let (state, waits_for) = match (&decision.outcome, &account) {
                    (Outcome::Deferred(reason), Some(account)) => {
                        let waits_for = WakeKeys(&self.partition).of_deferred(event, account.clone(), reason);
                        (InboxState::Deferred { since }, waits_for)
                    }
                    (Outcome::Deferred(_), None) => {
                        return Err(RunError::BadDecision("it defers an event of no account".to_owned()));
                    }
                    _ => (InboxState::Done, Vec::new()),
                };
                let (outcome, reply) = (decision.outcome, decision.reply);
                Decided { reply, state, waits_for, account, prepared, ..Decided::by_host(outcome) }
            }
        })
    }

    fn context(&self, event: &Event) -> Context {
        Context {
            partition: self.partition.clone(),
            account: event.account.clone(),
            connected_account: connected_account(event).map(str::to_owned),
            event_id: event.id.clone(),
            now: event.received_at,
            access: Access::Account,
            declared: self.declared.clone(),
        }
    }
}

/// Returns the hook of an event, as manifests call it; none for an event that needs no hook, for example a command.
fn hook_of(event: &Event) -> Option<&str> {
    match event.payload {
        Payload::Product(_) => Some(&event.kind),
        Payload::Payment(_) if event.source == STRIPE => Some(WEBHOOK_OF_STRIPE),
        _ => None,
    }
}

/// Returns the decision with its store changes, or the error that discards it.
fn check<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    data_version: u32,
    answer: Ran<Decision>,
) -> Result<(Decision, PreparedDecision, Used), RunError> {
    if let Some(text) = &snapshot.trace.unavailable {
        return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text.clone()).into())));
    }
    let (mut decision, used) = answer?;
    if matches!(
        snapshot.place,
        Some(PlacementResult::Parked { .. } | PlacementResult::Ignored(_) | PlacementResult::Refused(_))
    ) {
        return Ok((decision, PreparedDecision::only_expectations(snapshot), used));
    }
    match decision::prepare(snapshot, data_version, &mut decision) {
        Ok(prepared) => Ok((decision, prepared, used)),
        Err(DecisionError::Contract(problem)) => Err(RunError::BadDecision(problem)),
        Err(DecisionError::Store(error)) => Err(RunError::Failure(Failure::Store(error))),
    }
}
