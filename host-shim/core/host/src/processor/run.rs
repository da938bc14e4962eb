//! One run of one event: decide it on a snapshot of its account, commit what came out.

use super::report::{Disposition, Report};
use super::waiting::connected_account;
use super::{ATTEMPTS_MAX, CONFLICTS_MAX, Processor, RETRY_DELAYS_MS, wrong_mode};
use crate::decision::{self, Kept, Unkept};
use crate::snapshot::{Access, Context, Place, Seen};
use extension_contract::{
    Account, Decision, DeferReason, Event, Failure, IgnoreReason, Outcome, Payload, Refusal, Reply, StoreError, Stored,
    Timestamp,
};
use host_store::{
    Applied, Changes, EffectChange, InboxChange, InboxMove, InboxProgress, InboxRow, InboxState, LogEntry, NewInbox,
    Provenance, Run,
};
use host_wasm_runner::runner::{RunError, Used};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Where a run's event stands in the inbox.
#[derive(Clone)]
enum Row {
    /// Not in it yet, with the bytes as they came.
    New(Arc<Vec<u8>>),
    /// There, under this number.
    Known(u64),
}

/// An event that is to run.
#[derive(Clone)]
pub(super) struct Attempt {
    row: Row,
    event: Arc<Event>,
    failures: u32,
    /// Outcome of the last run that committed.
    last: Option<Outcome>,
    /// Since when it waits, if it does; a wait does not begin anew each time that it is woken in vain.
    waits_since: Option<Timestamp>,
    later: bool,
}

impl Attempt {
    /// An event that comes for the first time.
    pub fn first(event: Event, raw: Vec<u8>) -> Self {
        let (row, event) = (Row::New(Arc::new(raw)), Arc::new(event));
        Attempt { row, event, failures: 0, last: None, waits_since: None, later: false }
    }

    /// Woken or tried again. A provider's event is placed anew unless it waits for something of its account.
    pub fn again(row: InboxRow) -> Self {
        let of_account = matches!(row.outcome, Some(Outcome::Deferred(DeferReason::Fact(_) | DeferReason::Effect(_))));
        let mut event = row.event;
        if matches!(event.payload, Payload::Provider(_)) && !of_account {
            event.account = None;
        }
        let waits_since = match row.state {
            InboxState::Parked { since } | InboxState::Deferred { since } => Some(since),
            _ => None,
        };
        let (row, failures, last) = (Row::Known(row.seq), row.failures, row.outcome);
        Attempt { row, event: Arc::new(event), failures, last, waits_since, later: true }
    }

    /// Driven again by an operator: it has all its attempts again.
    pub fn redriven(row: InboxRow) -> Self {
        Attempt { failures: 0, waits_since: None, ..Attempt::again(row) }
    }

    /// Number in the inbox; none for one that is not in it yet.
    pub fn seq(&self) -> Option<u64> {
        match self.row {
            Row::New(_) => None,
            Row::Known(seq) => Some(seq),
        }
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// What a run leads to, before it is stored.
pub(super) struct Decided {
    pub outcome: Outcome,
    pub reply: Option<Reply>,
    pub state: InboxState,
    /// Full keys of `Store::woken_by`.
    pub waits_for: Vec<String>,
    pub account: Option<Account>,
    pub kept: Kept,
    pub claim_answers: String,
    /// Who decided in place of a component; none if one did, or the host for all of them.
    pub decided_by: Option<&'static str>,
    /// What the call used.
    pub used: Used,
    /// What the extension logged.
    pub logs: Vec<LogEntry>,
}

impl Decided {
    /// A final outcome that the host gives by itself.
    pub fn by_host(outcome: Outcome) -> Self {
        Decided {
            outcome,
            reply: None,
            state: InboxState::Done,
            waits_for: Vec::new(),
            account: None,
            kept: Kept::default(),
            claim_answers: String::new(),
            decided_by: None,
            used: Used::default(),
            logs: Vec::new(),
        }
    }
}

/// An attempt without an outcome.
pub(super) struct Failed {
    pub error: RunError,
    pub account: Option<Account>,
    pub logs: Vec<LogEntry>,
}

impl Attempt {
    /// Make the event say which attempt this is, and whose it is where nobody else says it.
    fn begin(&mut self) {
        let failures = self.failures;
        // Nobody else has it yet, so nothing is copied.
        let event = Arc::make_mut(&mut self.event);
        event.attempt = failures + 1;
        if !matches!(event.payload, Payload::Provider(_)) {
            event.account.get_or_insert(Account::Platform);
        }
    }
}

impl Processor {
    /// Decide an event before its turn to be committed comes. None of a failure, which nothing could be committed by: it
    /// is decided again when its turn comes, so that one which uses up its fuel does so twice.
    pub(super) fn decide_ahead(&mut self, attempt: &mut Attempt, now: Timestamp) -> Option<Decided> {
        attempt.begin();
        self.decide(attempt, now).ok()
    }

    /// Run an event and add the keys that it wakes to `wakes`. What was decided ahead is committed if all that it was
    /// decided by still holds.
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
                    if let Some(report) = self.record_outcome(&attempt, decided, now, wakes)? {
                        return Ok(report);
                    }
                }
                Err(failed) => return self.fail(attempt, failed, now),
            }
        }
        let text = format!("its account changed {CONFLICTS_MAX} times while it was decided");
        let error = RunError::Failure(Failure::Store(StoreError::Unavailable(text)));
        self.fail(attempt, Failed { error, account: None, logs: Vec::new() }, now)
    }

    fn decide(&mut self, attempt: &Attempt, now: Timestamp) -> Result<Decided, Failed> {
        let since = attempt.waits_since.unwrap_or(now);
        let event = &*attempt.event;
        if let Payload::Provider(_) = event.payload {
            if let Some(outcome) = wrong_mode(event, self.business.livemode) {
                return Ok(Decided::by_host(outcome));
            }
            // A kind that is missing altogether is for the extension to call malformed.
            if !event.kind.is_empty() && !self.provider_kinds.contains(&event.kind) {
                return Ok(Decided::by_host(Outcome::Ignored(IgnoreReason::UnhandledKind)));
            }
        }
        let context = self.context(event, event.account.clone());
        let (seen, answer) = self.call(context, |runner, imports| runner.handle(imports, event));
        let kept = self.judge(&seen, answer);
        let Seen { store, place, mut trace, .. } = seen;
        self.give_back(store);
        let logs = std::mem::take(&mut trace.logs);
        let account = match &place {
            Some(Place::Here(account)) => Some(account.clone()),
            _ => None,
        };
        let (decision, kept, used) = match kept {
            Ok(kept) => kept,
            Err(error) => return Err(Failed { error, account, logs }),
        };
        let decided = match place {
            Some(Place::Parked { keys, marked }) => Decided {
                state: InboxState::Parked { since },
                waits_for: self.parked_waits_for(event, &keys, marked),
                kept,
                ..Decided::by_host(Outcome::Deferred(DeferReason::Claim(keys)))
            },
            Some(Place::Ignored(reason)) => Decided { kept, ..Decided::by_host(Outcome::Ignored(reason)) },
            Some(Place::Refused(refusal)) => Decided { kept, ..Decided::by_host(Outcome::Rejected(refusal)) },
            Some(Place::Here(_)) | None => {
                let (state, waits_for) = match (&decision.outcome, &account) {
                    (Outcome::Deferred(reason), Some(account)) => {
                        let waits_for = self.deferred_waits_for(event, account.clone(), reason);
                        (InboxState::Deferred { since }, waits_for)
                    }
                    (Outcome::Deferred(_), None) => {
                        let error = RunError::BadDecision("it defers an event of no account".to_owned());
                        return Err(Failed { error, account, logs });
                    }
                    _ => (InboxState::Done, Vec::new()),
                };
                let (outcome, reply) = (decision.outcome, decision.reply);
                Decided { reply, state, waits_for, account, kept, ..Decided::by_host(outcome) }
            }
        };
        Ok(Decided { claim_answers: trace.claim_answers, used, logs, ..decided })
    }

    /// The decision with the changes that it means; or why it is not kept.
    fn judge(
        &self,
        seen: &Seen,
        answer: host_wasm_runner::runner::Ran<Decision>,
    ) -> Result<(Decision, Kept, Used), RunError> {
        if let Some(text) = &seen.trace.unavailable {
            return Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text.clone()))));
        }
        let (mut decision, used) = answer?;
        if matches!(seen.place, Some(Place::Parked { .. } | Place::Ignored(_) | Place::Refused(_))) {
            return Ok((decision, Kept::nothing_but_expected(seen), used));
        }
        match decision::keep(seen, self.runner.declarations().data_version, &mut decision) {
            Ok(kept) => Ok((decision, kept, used)),
            Err(Unkept::Contract(problem)) => Err(RunError::BadDecision(problem)),
            Err(Unkept::Store(error)) => Err(RunError::Failure(Failure::Store(error))),
        }
    }

    fn context(&self, event: &Event, account: Option<Account>) -> Context {
        Context {
            partition: self.partition.clone(),
            account,
            connected_account: connected_account(event).map(str::to_owned),
            event_id: event.id.clone(),
            now: event.received_at,
            access: Access::Account,
            declared: self.declared.clone(),
        }
    }

    /// Store an outcome with all that it changed; none if its account changed meanwhile.
    pub(super) fn record_outcome(
        &mut self,
        attempt: &Attempt,
        mut decided: Decided,
        now: Timestamp,
        wakes: &mut Vec<String>,
    ) -> Stored<Option<Report>> {
        let keys = super::wake::keys_of(attempt.event(), &decided);
        let mut changes = std::mem::take(&mut decided.kept.changes);
        changes.event_id.clone_from(&attempt.event.id);
        let event = &attempt.event;
        let caller = caller_of(event);
        if let (Some(caller), Some(reply), Some(account)) = (caller, &decided.reply, &decided.account) {
            changes.scope.get_or_insert_with(|| self.partition.scope(account.clone()));
            changes.reply = Some((caller.to_owned(), reply.clone()));
        }
        let provenance = Provenance {
            catalog_hash: self.business.catalog_hash.clone(),
            component_hash: decided.decided_by.unwrap_or(self.runner.hash()).to_owned(),
            claim_answers: std::mem::take(&mut decided.claim_answers),
            fuel: decided.used.fuel,
            effects_hash: effects_hash(&changes),
        };
        let outcome = Some(decided.outcome.clone());
        let run = Run { at: now, outcome: outcome.clone(), error: None, provenance: Some(provenance) };
        changes.inbox = Some(self.inbox_change(
            attempt,
            InboxProgress {
                account: decided.account.clone(),
                state: decided.state,
                failures: attempt.failures,
                error: None,
                outcome,
                waits_for: std::mem::take(&mut decided.waits_for),
                run: Some(run),
            },
        ));
        let seq = match self.store_mut().apply(&changes) {
            Ok(Applied::Done { seq }) => seq,
            Ok(Applied::Conflict) => return Ok(None),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let error = RunError::Failure(Failure::Store(error));
                let failed = Failed { error, account: decided.account, logs: decided.logs };
                return self.fail(attempt.clone(), failed, now).map(Some);
            }
        };
        wakes.extend(keys);
        let refusal = match &decided.outcome {
            Outcome::Rejected(refusal) => Some(refusal.clone()),
            _ => None,
        };
        let has_caller = caller.is_some();
        let mut report = self.report(attempt, seq, decided.account, Disposition::Outcome(decided.outcome));
        report.effects = decided.kept.asked;
        Used { fuel: report.fuel, memory_bytes: report.memory_bytes, host_calls: report.host_calls } = decided.used;
        report.logs = decided.logs;
        report.alert = refusal.is_some() && !has_caller;
        report.reply = decided.reply.or(refusal.filter(|_| has_caller).map(Reply::Refused));
        Ok(Some(report))
    }

    fn inbox_change(&self, attempt: &Attempt, progress: InboxProgress) -> InboxChange {
        match &attempt.row {
            Row::New(raw) => InboxChange::New(Box::new(NewInbox {
                event: attempt.event.clone(),
                livemode: self.business.livemode,
                raw: raw.clone(),
                progress,
            })),
            Row::Known(seq) => InboxChange::Move(InboxMove { seq: *seq, progress }),
        }
    }

    /// Store a failed attempt, and nothing else of it.
    fn fail(&mut self, attempt: Attempt, failed: Failed, now: Timestamp) -> Stored<Report> {
        let failures = attempt.failures + 1;
        let delay = RETRY_DELAYS_MS.get(attempt.failures as usize).filter(|_| failures < ATTEMPTS_MAX);
        let state = match delay {
            Some(delay) => InboxState::Pending { not_before: now.saturating_add(*delay) },
            None => InboxState::Dead,
        };
        let dead = state == InboxState::Dead;
        let error = Some(failed.error.to_string());
        let inbox = self.inbox_change(
            &attempt,
            InboxProgress {
                account: failed.account.clone(),
                state,
                failures,
                error: error.clone(),
                outcome: attempt.last.clone(),
                waits_for: Vec::new(),
                run: Some(Run { at: now, outcome: None, error, provenance: None }),
            },
        );
        let changes = Changes { event_id: attempt.event.id.clone(), inbox: Some(inbox), ..Changes::default() };
        let seq = match self.store_mut().apply(&changes)? {
            Applied::Done { seq } => seq,
            Applied::Conflict => return Err(StoreError::Unavailable("the event is in the inbox already".to_owned())),
        };
        let mut report = self.report(&attempt, seq, failed.account, Disposition::Failed(failed.error));
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

/// Who waits for an event's answer: whom it names, or who gave the command.
pub(super) fn caller_of(event: &Event) -> Option<&str> {
    let gave = matches!(event.payload, Payload::Command(_)).then_some(&*event.id);
    event.reply_to.as_deref().or(gave)
}

/// SHA-256 of nothing, hex.
const NO_EFFECTS_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// SHA-256 over the new effects in order, hex. Each goes in with all its members, since a change of any is one.
fn effects_hash(changes: &Changes) -> String {
    if changes.effects.is_empty() {
        // Most events ask for nothing.
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

/// The refusal of an event that the host gave up because what it waits for never came.
pub(super) fn never_came(outcome: Option<&Outcome>) -> Outcome {
    Outcome::Rejected(Refusal::NotFound(outcome.and_then(Outcome::reason).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_no_effects_is_that_of_nothing() {
        assert_eq!(NO_EFFECTS_HASH, hex::encode(Sha256::digest([])));
        assert_eq!(effects_hash(&Changes::default()), NO_EFFECTS_HASH);
    }
}
