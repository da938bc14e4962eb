//! Runs an event once: decides it on a snapshot of its account, and commits the result.

use super::decide::{Decided, FailedAttempt, begin};
use super::report::{Disposition, Report};
use super::{ATTEMPTS_MAX, CONFLICTS_MAX, Processor, RETRY_DELAYS_MS, waiting};
use extension_contract::{Account, DeferReason, Event, Failure, LogLevel, Outcome, Payload, Refusal, Reply, Timestamp};
use host_store::{
    Applied, Changes, Conflict, EffectChange, InboxChange, InboxMove, InboxProgress, InboxRow, InboxState, NewInbox,
    Provenance, Run, StoreError, Stored,
};
use host_wasm_runner::runner::{RunError, Used};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The inbox row of a run's event.
#[derive(Clone)]
enum InboxSlot {
    /// Not stored yet; with the received bytes.
    New(Arc<Vec<u8>>),
    /// Stored under this number, in this state.
    Known(u64, InboxState),
}

/// One attempt to run an event.
#[derive(Clone)]
pub(super) struct Attempt {
    row: InboxSlot,
    event: Arc<Event>,
    failures: u32,
    /// Outcome of the last committed run.
    last: Option<Outcome>,
    /// Since when a waiting event has been waiting; waking it in vain does not restart the wait.
    waits_since: Option<Timestamp>,
    later: bool,
}

impl Attempt {
    /// Creates the attempt of a new event.
    pub fn first(event: Event, raw: Vec<u8>) -> Self {
        let (row, event) = (InboxSlot::New(Arc::new(raw)), Arc::new(event));
        Attempt { row, event, failures: 0, last: None, waits_since: None, later: false }
    }

    /// Creates the attempt of a woken or retried event. An event of the payment source is placed again unless it waits
    /// in its account.
    pub fn again(row: InboxRow) -> Self {
        let of_account = matches!(row.outcome, Some(Outcome::Deferred(DeferReason::Fact(_) | DeferReason::Effect(_))));
        let mut event = row.event;
        if matches!(event.payload, Payload::Payment(_)) && !of_account {
            event.account = None;
        }
        let waits_since = row.state.waits_since();
        let (row, failures, last) = (InboxSlot::Known(row.seq, row.state), row.failures, row.outcome);
        Attempt { row, event: Arc::new(event), failures, last, waits_since, later: true }
    }

    /// Creates the attempt of a redriven event, which starts with no failed attempts and no wait.
    pub fn redriven(row: InboxRow) -> Self {
        Attempt { failures: 0, waits_since: None, ..Attempt::again(row) }
    }

    /// Returns the number in the inbox; none for a new event.
    pub fn seq(&self) -> Option<u64> {
        match self.row {
            InboxSlot::New(_) => None,
            InboxSlot::Known(seq, _) => Some(seq),
        }
    }

    /// Returns the event.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// The result of storing an outcome.
pub(super) enum Committed {
    /// The outcome is stored, or the failure of an attempt.
    Stored(Box<Report>),
    /// Data that the decision read has changed; nothing is stored.
    Outdated,
    /// Another host has stored the event or moved it to another state; nothing is stored.
    RunElsewhere,
}

impl Attempt {
    /// Sets the attempt number, and the platform account for an internal event without an account.
    fn begin(&mut self) {
        let failures = self.failures;
        let has_account = self.event.account.is_some() || matches!(self.event.payload, Payload::Payment(_));
        if has_account && self.event.attempt == failures + 1 {
            // If the event had another owner, it would be copied.
            return;
        }
        begin(Arc::make_mut(&mut self.event), failures);
    }
}

impl Processor {
    /// Runs an event and adds the keys that it wakes to `wakes`. Commits the decision made ahead if its reads are
    /// unchanged.
    pub(super) fn run(
        &mut self,
        mut attempt: Attempt,
        mut ahead: Option<Decided>,
        now: Timestamp,
        wakes: &mut Vec<String>,
    ) -> Stored<Report> {
        if ahead.is_none() {
            attempt.begin();
        }
        for _ in 0..CONFLICTS_MAX {
            match ahead.take().map_or_else(|| self.decide(&attempt, now), Ok) {
                Ok(decided) => {
                    let decided = self.within_limit(attempt.event(), decided)?;
                    match self.record_outcome(&attempt, decided, now, wakes)? {
                        Committed::Stored(report) => return Ok(*report),
                        Committed::Outdated => {}
                        Committed::RunElsewhere => return self.report_elsewhere(&attempt),
                    }
                }
                Err(failed) => return self.fail(attempt, failed, now),
            }
        }
        self.put_off(&attempt, now)
    }

    /// Postpones an event whose account kept changing while it was decided. This is contention, not a fault of the
    /// event, so it does not count as a failed attempt.
    pub(super) fn put_off(&mut self, attempt: &Attempt, now: Timestamp) -> Stored<Report> {
        let text = format!("its account changed {CONFLICTS_MAX} times while it was decided");
        let error = RunError::Failure(Failure::Store(StoreError::Unavailable(text).into()));
        let failed = FailedAttempt { error, account: None, logs: Vec::new() };
        let not_before = now.saturating_add(RETRY_DELAYS_MS[0]);
        let state = InboxState::Pending { not_before, waits_since: attempt.waits_since };
        self.record_failure(attempt, failed, state, attempt.failures, now)
    }

    fn decide(&mut self, attempt: &Attempt, now: Timestamp) -> Result<Decided, FailedAttempt> {
        let since = attempt.waits_since.unwrap_or(now);
        let (deciding, runner) = (&self.deciding, &mut *self.runner);
        self.store.lend(|store| deciding.decide(store, runner, &attempt.event, since))
    }

    /// Stores an outcome with all its changes, unless another host or a change of what the decision read prevents it.
    pub(super) fn record_outcome(
        &mut self,
        attempt: &Attempt,
        mut decided: Decided,
        now: Timestamp,
        wakes: &mut Vec<String>,
    ) -> Stored<Committed> {
        let keys = waiting::woken_by(attempt.event(), &decided.prepared);
        if self.is_held_elsewhere(attempt, &decided)? {
            decided.state = InboxState::Pending { not_before: now, waits_since: decided.state.waits_since() };
            decided.waits_for = Vec::new();
        }
        let mut changes = std::mem::take(&mut decided.prepared.changes);
        changes.event_id.clone_from(&attempt.event.id);
        changes.at = now;
        let event = &attempt.event;
        let caller = caller_of(event);
        if let (Some(caller), Some(reply), Some(account)) = (caller, &decided.reply, &decided.account) {
            changes.scope.get_or_insert_with(|| self.deciding.partition.scope(account.clone()));
            changes.reply = Some((caller.to_owned(), reply.clone()));
        }
        let provenance = Provenance {
            catalog_hash: self.business.catalog_hash.clone(),
            component_hash: decided.decided_by.unwrap_or(self.runner.hash()).to_owned(),
            claim_answers: std::mem::take(&mut decided.claim_answers),
            fuel: decided.used.fuel,
            effects_hash: effects_hash(&changes),
        };
        let is_parked = matches!(decided.state, InboxState::Parked { .. });
        let outcome = Some(decided.outcome.clone());
        let run = Run { at: now, outcome: outcome.clone(), error: None, provenance: Some(provenance) };
        let progress = InboxProgress {
            account: decided.account.clone(),
            state: decided.state,
            failures: attempt.failures,
            error: None,
            outcome,
            waits_for: std::mem::take(&mut decided.waits_for),
            run: Some(run),
        };
        self.set_inbox(&mut changes, attempt, progress);
        let seq = match self.store_mut().apply(&changes) {
            Ok(Applied::Done { seq }) => seq,
            Ok(Applied::Conflict(Conflict::Event)) => return Ok(Committed::RunElsewhere),
            Ok(Applied::Conflict(Conflict::Effect | Conflict::Read)) => return Ok(Committed::Outdated),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Locked(_))) => return Err(error),
            Err(error) => {
                let error = RunError::Failure(Failure::Store(error.into()));
                let failed = FailedAttempt { error, account: decided.account, logs: decided.logs };
                return self.fail(attempt.clone(), failed, now).map(|report| Committed::Stored(Box::new(report)));
            }
        };
        wakes.extend(keys);
        let is_parked_with_error = is_parked && decided.logs.iter().any(|entry| entry.level == LogLevel::Error);
        let refusal = match &decided.outcome {
            Outcome::Rejected(refusal) => Some(refusal.clone()),
            _ => None,
        };
        let has_caller = caller.is_some();
        let mut report = self.report(attempt, seq, decided.account, Disposition::Outcome(decided.outcome));
        report.effects = decided.prepared.requested;
        Used { fuel: report.fuel, memory_bytes: report.memory_bytes, host_calls: report.host_calls } = decided.used;
        report.logs = decided.logs;
        report.alert = (refusal.is_some() && !has_caller) || (is_parked_with_error && !report.later);
        report.reply = decided.reply.or(refusal.filter(|_| has_caller).map(Reply::Refused));
        Ok(Committed::Stored(Box::new(report)))
    }

    /// Returns the report of an event that another host has run in the meantime.
    pub(super) fn report_elsewhere(&self, attempt: &Attempt) -> Stored<Report> {
        let found = match attempt.seq() {
            None => self.duplicate(attempt.event())?,
            Some(seq) => self.store().inbox(seq)?.map(|row| Report::duplicate(&row).later()),
        };
        found.ok_or_else(|| StoreError::Unavailable(format!("the inbox has lost the event `{}`", attempt.event.id)))
    }

    /// Returns whether another account already holds a claim that the decision waits for. No later take would wake the
    /// event, so it is decided again at once, in the account that holds the claim.
    fn is_held_elsewhere(&self, attempt: &Attempt, decided: &Decided) -> Stored<bool> {
        let (Outcome::Deferred(DeferReason::Claim(keys)), InboxState::Deferred { .. }) =
            (&decided.outcome, &decided.state)
        else {
            return Ok(false);
        };
        // It has already been decided again, and still waits.
        if attempt.last.as_ref() == Some(&decided.outcome) {
            return Ok(false);
        }
        let full_keys = waiting::WakeKeys(self.partition()).full_claim_keys(attempt.event(), keys);
        let holders = self.store().claims(&full_keys)?.into_iter().filter_map(|claim| claim?.holder);
        Ok(holders.into_iter().any(|holder| Some(&holder) != decided.account.as_ref()))
    }

    /// Adds the new progress of the attempt's event, on the condition that no other host has run the event.
    fn set_inbox(&self, changes: &mut Changes, attempt: &Attempt, progress: InboxProgress) {
        changes.inbox = Some(match &attempt.row {
            InboxSlot::New(raw) => InboxChange::New(Box::new(NewInbox {
                event: attempt.event.clone(),
                livemode: self.business.livemode,
                raw: raw.clone(),
                progress,
            })),
            InboxSlot::Known(seq, state) => {
                changes.expected.inbox = Some(state.clone());
                InboxChange::Move(InboxMove { seq: *seq, progress })
            }
        });
    }

    /// Stores a failed attempt, without changes.
    fn fail(&mut self, attempt: Attempt, failed: FailedAttempt, now: Timestamp) -> Stored<Report> {
        if self.is_of_newer(&attempt, &failed)? {
            let not_before = now.saturating_add(RETRY_DELAYS_MS[0]);
            let state = InboxState::Pending { not_before, waits_since: attempt.waits_since };
            return self.record_failure(&attempt, failed, state, attempt.failures, now);
        }
        let failures = attempt.failures + 1;
        let delay = RETRY_DELAYS_MS.get(attempt.failures as usize).filter(|_| failures < ATTEMPTS_MAX);
        let state = match delay {
            Some(delay) => {
                InboxState::Pending { not_before: now.saturating_add(*delay), waits_since: attempt.waits_since }
            }
            None => InboxState::Dead,
        };
        self.record_failure(&attempt, failed, state, failures, now)
    }

    /// Returns true if another host has a newer extension and has written rows of the account or the catalog with it, which
    /// this host cannot read during an upgrade. A host with that extension decides the event, so this does not count as a
    /// failed attempt.
    fn is_of_newer(&self, attempt: &Attempt, failed: &FailedAttempt) -> Stored<bool> {
        let (store, own) = (self.store(), self.runner.declarations().data_version);
        let Some(account) = failed.account.as_ref().or(attempt.event.account.as_ref()).filter(|_| store.has_peers())
        else {
            return Ok(false);
        };
        let scope = self.partition().scope(account.clone());
        for scope in [&scope, &scope.catalog()] {
            if store.account(scope)?.data_version.is_some_and(|newest| newest > own) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records that an attempt had no outcome, and the next state of its event.
    fn record_failure(
        &mut self,
        attempt: &Attempt,
        failed: FailedAttempt,
        state: InboxState,
        failures: u32,
        now: Timestamp,
    ) -> Stored<Report> {
        let dead = state == InboxState::Dead;
        let error = Some(failed.error.to_string());
        let progress = InboxProgress {
            account: failed.account.clone(),
            state,
            failures,
            error: error.clone(),
            outcome: attempt.last.clone(),
            waits_for: Vec::new(),
            run: Some(Run { at: now, outcome: None, error, provenance: None }),
        };
        let mut changes = Changes { event_id: attempt.event.id.clone(), ..Changes::default() };
        self.set_inbox(&mut changes, attempt, progress);
        let seq = match self.store_mut().apply(&changes)? {
            Applied::Done { seq } => seq,
            Applied::Conflict(_) => return self.report_elsewhere(attempt),
        };
        let mut report = self.report(attempt, seq, failed.account, Disposition::Failed(failed.error));
        report.logs = failed.logs;
        report.alert = dead;
        Ok(report)
    }

    fn report(&self, attempt: &Attempt, new: Option<u64>, account: Option<Account>, result: Disposition) -> Report {
        let event = &attempt.event;
        Report {
            seq: attempt.seq().or(new).unwrap_or_default(),
            event_id: event.id.clone(),
            source: event.source.clone(),
            kind: event.kind.clone(),
            account,
            result,
            effects: Vec::new(),
            reply_to: event.reply_to.clone(),
            reply: None,
            fuel: 0,
            memory_bytes: 0,
            host_calls: 0,
            logs: Vec::new(),
            later: attempt.later,
            livemode: self.business.livemode,
            alert: false,
        }
    }
}

/// Returns the caller that waits for a reply: the one that the event names, or the id of a command.
pub(super) fn caller_of(event: &Event) -> Option<&str> {
    let command = matches!(event.payload, Payload::Command(_)).then_some(&*event.id);
    event.reply_to.as_deref().or(command)
}

/// SHA-256 of no bytes, hex.
const NO_EFFECTS_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Returns the SHA-256 over the new effects with all their members, in order, hex.
fn effects_hash(changes: &Changes) -> String {
    if changes.effects.is_empty() {
        // Most events request no effects.
        return NO_EFFECTS_HASH.to_owned();
    }
    let mut hash = Sha256::new();
    for change in &changes.effects {
        if let EffectChange::Insert(row) = change {
            let text = serde_json::to_string(&row.effect).expect("an effect has only text keys");
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    hex::encode(hash.finalize())
}

/// Returns the refusal of a given-up event, with the reason of its wait.
pub(super) fn wait_timed_out(outcome: Option<&Outcome>) -> Outcome {
    Outcome::Rejected(Refusal::NotFound(outcome.and_then(Outcome::reason).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_no_effects_is_the_hash_of_no_bytes() {
        assert_eq!(NO_EFFECTS_HASH, hex::encode(Sha256::digest([])));
        assert_eq!(effects_hash(&Changes::default()), NO_EFFECTS_HASH);
    }
}
