//! One run of one event: place it, decide it in one transaction of its account, store what came out.

use super::place::Placed;
use super::report::{Disposition, EffectRef, Report};
use super::{ATTEMPTS_MAX, HOST_CALLS_MAX, Processor, RETRY_DELAYS_MS, product, wrong_mode};
use crate::runner::{RunError, Runner};
use host_store::{
    Access, Changes, Context, EffectChange, InboxChange, InboxRow, InboxState, LogEntry, Provenance, Trace, Transaction,
};
use products_contract::{
    Account, DeferReason, Event, Failure, Handled, IgnoreReason, Outcome, Payload, Refusal, Reply, StoreError, Stored,
    Timestamp,
};
use sha2::{Digest, Sha256};

/// An event that is to run.
pub(super) struct Work {
    pub seq: u64,
    pub event: Event,
    pub failures: u32,
    /// Outcome of the last run that committed.
    pub last: Option<Outcome>,
    pub later: bool,
    /// Fuel of all calls of this run.
    pub fuel: u64,
    /// What the extension logged in this run, kept whatever comes of it.
    pub logs: Vec<LogEntry>,
}

impl Work {
    pub fn first(seq: u64, event: Event) -> Self {
        Work { seq, event, failures: 0, last: None, later: false, fuel: 0, logs: Vec::new() }
    }

    /// Woken or tried again. A provider's event is placed anew unless it waits for something of its account.
    pub fn again(row: InboxRow) -> Self {
        let of_account = matches!(row.outcome, Some(Outcome::Deferred(DeferReason::Fact(_) | DeferReason::Effect(_))));
        let mut event = row.event;
        if matches!(event.payload, Payload::Provider(_)) && !of_account {
            event.account = None;
        }
        let (seq, failures, last) = (row.seq, row.failures, row.outcome);
        Work { seq, event, failures, last, later: true, fuel: 0, logs: Vec::new() }
    }

    /// Driven again by an operator: it has all its attempts again.
    pub fn redriven(row: InboxRow) -> Self {
        Work { failures: 0, ..Work::again(row) }
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
    pub changes: Changes,
    pub trace: Trace,
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
            changes: Changes::default(),
            trace: Trace::default(),
        }
    }
}

/// An attempt without an outcome.
pub(super) struct Failed {
    pub error: RunError,
    pub account: Option<Account>,
}

impl Processor {
    /// Run an event and add the keys that it wakes to `wakes`.
    pub(super) fn run(&mut self, mut work: Work, now: Timestamp, wakes: &mut Vec<String>) -> Stored<Report> {
        work.event.attempt = work.failures + 1;
        match self.decide(&mut work)? {
            Ok(decided) => self.settle(work, decided, now, wakes),
            Err(failed) => self.fail(work, failed, now),
        }
    }

    fn decide(&mut self, work: &mut Work) -> Stored<Result<Decided, Failed>> {
        if let Payload::Provider(_) = work.event.payload {
            if let Some(outcome) = wrong_mode(&work.event, self.business.livemode) {
                return Ok(Ok(Decided::by_host(outcome)));
            }
            // A kind that is missing altogether is for the extension to call malformed.
            if !work.event.kind.is_empty() && !self.provider_kinds.contains(&work.event.kind) {
                return Ok(Ok(Decided::by_host(Outcome::Ignored(IgnoreReason::UnhandledKind))));
            }
        }
        let account = match self.place(work)? {
            Placed::At(account) => account,
            Placed::Decided(decided) => return Ok(Ok(*decided)),
            Placed::Failed(failed) => return Ok(Err(failed)),
        };
        work.event.account = Some(account.clone());
        Ok(self.handle(work, account))
    }

    fn handle(&mut self, work: &mut Work, account: Account) -> Result<Decided, Failed> {
        let context = self.context(&work.event, account.clone(), Access::Full);
        let (event, first_run) = (&mut work.event, work.last.is_none());
        let (mut changes, mut trace, called) = self.call(context, |runner, tx| handle_in(runner, tx, event, first_run));
        work.fuel += called.fuel;
        work.logs.append(&mut trace.logs);
        let handled = match (&trace, called.result) {
            (trace, _) if trace.over_call_limit => Err(RunError::TooManyHostCalls { limit: HOST_CALLS_MAX }),
            (Trace { unavailable: Some(text), .. }, _) => {
                Err(RunError::Failure(Failure::Store(StoreError::Unavailable(text.clone()))))
            }
            (_, result) => result,
        };
        let handled = handled.map_err(|error| Failed { error, account: Some(account.clone()) })?;
        if called.data_version != self.runner.declarations().data_version && writes(&changes) || called.migrated {
            changes.data_version = Some(self.runner.declarations().data_version);
        }
        let (state, waits_for) = match &handled.outcome {
            Outcome::Deferred(reason) => (InboxState::Deferred, self.waits_for(&work.event, account.clone(), reason)),
            _ => (InboxState::Done, Vec::new()),
        };
        let (outcome, reply) = (handled.outcome, handled.reply);
        Ok(Decided { outcome, reply, state, waits_for, account: Some(account), changes, trace })
    }

    pub(super) fn context(&self, event: &Event, account: Account, access: Access) -> Context {
        Context {
            scope: self.scope(account),
            event_id: event.id.clone(),
            connected_account: connected_account(event).map(str::to_owned),
            now: event.received_at,
            access,
            call_limit: HOST_CALLS_MAX,
            declared: self.declared.clone(),
        }
    }

    /// Store an outcome with all that it changed.
    pub(super) fn settle(
        &mut self,
        work: Work,
        mut decided: Decided,
        now: Timestamp,
        wakes: &mut Vec<String>,
    ) -> Stored<Report> {
        let keys = super::wake::keys_of(&work, &decided);
        decided.changes.event_id = work.event.id.clone();
        decided.changes.inbox = Some(InboxChange {
            seq: work.seq,
            account: decided.account.clone(),
            state: decided.state,
            failures: work.failures,
            error: None,
            outcome: Some(decided.outcome.clone()),
            provenance: Some(Provenance {
                catalog_hash: self.business.catalog_hash.clone(),
                component_hash: self.runner.hash().to_owned(),
                claim_answers: decided.trace.claim_answers,
                fuel: work.fuel,
                effects_hash: effects_hash(&decided.changes),
            }),
            waits_for: decided.waits_for,
        });
        match self.store_mut().apply(&decided.changes) {
            Ok(()) => wakes.extend(keys),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                let error = RunError::Failure(Failure::Store(error));
                return self.fail(work, Failed { error, account: decided.account }, now);
            }
        }
        let asked = decided.trace.effects.into_iter().filter(|effect| effect.new);
        let effects = asked
            .map(|effect| EffectRef { kind: effect.kind, key: effect.key, generation: effect.generation })
            .collect();
        let refusal = match &decided.outcome {
            Outcome::Rejected(refusal) => Some(refusal.clone()),
            _ => None,
        };
        let has_caller = work.event.reply_to.is_some() || matches!(work.event.payload, Payload::Command(_));
        let mut report = self.report(work, decided.account, Disposition::Outcome(decided.outcome));
        report.effects = effects;
        report.alert = refusal.is_some() && !has_caller;
        report.reply = decided.reply.or(refusal.filter(|_| has_caller).map(Reply::Refused));
        Ok(report)
    }

    /// Store a failed attempt, and nothing else of it.
    fn fail(&mut self, work: Work, failed: Failed, now: Timestamp) -> Stored<Report> {
        let failures = work.failures + 1;
        let delay = RETRY_DELAYS_MS.get(work.failures as usize).filter(|_| failures < ATTEMPTS_MAX);
        let state = match delay {
            Some(delay) => InboxState::Pending { not_before: now.saturating_add(*delay) },
            None => InboxState::Dead,
        };
        let dead = state == InboxState::Dead;
        let inbox = InboxChange {
            seq: work.seq,
            account: failed.account.clone(),
            state,
            failures,
            error: Some(failed.error.to_string()),
            outcome: work.last.clone(),
            provenance: None,
            waits_for: Vec::new(),
        };
        let changes = Changes { event_id: work.event.id.clone(), inbox: Some(inbox), ..Changes::default() };
        self.store_mut().apply(&changes)?;
        let mut report = self.report(work, failed.account, Disposition::Failed(failed.error));
        report.alert = dead;
        Ok(report)
    }

    fn report(&self, work: Work, account: Option<Account>, result: Disposition) -> Report {
        Report {
            seq: work.seq,
            event_id: work.event.id,
            source: work.event.source,
            kind: work.event.kind,
            account,
            result,
            effects: Vec::new(),
            reply_to: work.event.reply_to,
            reply: None,
            fuel: work.fuel,
            logs: work.logs,
            later: work.later,
            livemode: self.business.livemode,
            alert: false,
        }
    }
}

/// What the calls of one transaction gave.
struct Called {
    result: Result<Handled, RunError>,
    fuel: u64,
    /// Version that the account's rows had; the component's own for a new account.
    data_version: u32,
    migrated: bool,
}

/// Migrate if need be, bring the host's own row up to date, handle.
fn handle_in(runner: &mut dyn Runner, tx: Transaction, event: &mut Event, first_run: bool) -> (Transaction, Called) {
    let component = runner.declarations().data_version;
    let mut called = Called { result: Err(RunError::Trap(String::new())), fuel: 0, data_version: 0, migrated: false };
    let mut tx = tx;
    match tx.store().data_version(&tx.context().scope) {
        Err(error) => {
            called.result = Err(RunError::Failure(Failure::Store(error)));
            return (tx, called);
        }
        Ok(Some(data)) if data > component => {
            let account = tx.context().scope.account.to_string();
            called.result = Err(RunError::DataTooNew { account, data, component });
            return (tx, called);
        }
        Ok(Some(data)) if data < component => {
            called.data_version = data;
            let (given_back, migrated) = runner.migrate(tx, data, event.received_at);
            tx = given_back;
            match migrated {
                Ok(((), used)) => (called.migrated, called.fuel) = (true, used.fuel),
                Err(error) => {
                    called.result = Err(error);
                    return (tx, called);
                }
            }
        }
        Ok(version) => called.data_version = version.unwrap_or_default(),
    }
    if let Payload::Product(_) = event.payload {
        match product::keep(&mut tx, event, first_run) {
            Ok(None) => {}
            Ok(Some(refusal)) => {
                called.result = Ok(Handled { outcome: Outcome::Rejected(refusal), reply: None });
                return (tx, called);
            }
            Err(error) => {
                called.result = Err(RunError::Failure(Failure::Store(error)));
                return (tx, called);
            }
        }
    }
    let (tx, handled) = runner.handle(tx, event);
    called.result = handled.map(|(handled, used)| {
        called.fuel += used.fuel;
        handled
    });
    (tx, called)
}

/// True if the account has rows of the extension afterwards.
fn writes(changes: &Changes) -> bool {
    !(changes.products.is_empty()
        && changes.prices.is_empty()
        && changes.purchases.is_empty()
        && changes.subscriptions.is_empty()
        && changes.records.is_empty()
        && changes.facts.is_empty()
        && changes.claims.is_empty()
        && changes.effects.is_empty())
}

/// The connected account that an event's claim keys bear.
pub(super) fn connected_account(event: &Event) -> Option<&str> {
    event.provider.as_ref().and_then(|facts| facts.connected_account.as_deref())
}

/// SHA-256 over the new effects in order, hex. Each goes in with all its members, since a change of any is one.
fn effects_hash(changes: &Changes) -> String {
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

/// A refusal by the host that names two claim keys.
pub(super) fn inconsistent(first: &str, second: &str) -> Outcome {
    Outcome::Rejected(Refusal::Inconsistent(format!("{first} and {second} belong to two accounts")))
}
