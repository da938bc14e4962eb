//! Processes events. An event is decided on a snapshot of its account and committed as a whole; then the events that it wakes
//! are run.
//!
//! Only the processor writes the inbox. It calls the extension through a [`Runner`] and does not interpret decisions;
//! it determines itself which account an event belongs to, which events are duplicates, and which events wait.

mod ask;
mod decide;
mod expire;
mod group;
mod lendable;
mod limit;
mod log_replay;
mod refuse;
mod report;
mod revisit;
mod run;
mod waiting;
mod wake;

pub use ask::{Answerer, AskError, Questions};
pub use decide::{DecidedAhead, Decider, WEBHOOK_OF_STRIPE};
pub use group::Arrived;
pub use limit::{OPEN_EFFECTS_MAX, is_by_limit as is_refused_by_limit, open_effects};
pub use log_replay::{Difference, difference_from_record, replay_log};
pub use refuse::by_intake as is_refused_by_intake;
pub use report::{Disposition, Report};

use decide::Deciding;
use extension_contract::{
    Account, ConfigDecl, Declarations, EffectDecl, Event, Outcome, Refusal, Reply, RetryPolicy, Timestamp,
};
use host_store::{
    ConfigError, Declared, InboxRow, InboxState, NotState, Partition, Permitted, Scope, Store, StoreError,
};
use host_wasm_runner::runner::Runner;
use lendable::Lendable;
use run::{Attempt, caller_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Maximum number of failed attempts before an event becomes a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;
/// Delay after the first, second, … failed attempt, in milliseconds: 1 s, 10 s, 1 min, 10 min.
pub const RETRY_DELAYS_MS: [i64; ATTEMPTS_MAX as usize - 1] = [1_000, 10_000, 60_000, 600_000];
/// Maximum number of parked events. Beyond it, the oldest are evicted, starting with those that do not carry this host's mark.
pub const PARKED_MAX: u64 = 100_000;
/// Maximum wait of an event for a claim, a fact or an effect, in milliseconds: 30 days.
pub const WAIT_MAX_MS: i64 = 30 * 24 * 3_600_000;
/// Maximum number of events that run in the commit that wakes them; the others run with [`Processor::retry_due`].
pub const WOKEN_MAX: usize = 10_000;
/// Maximum number of parked events of one connected account; beyond it, the account's oldest parked events are evicted.
pub const PARKED_CONNECTED_MAX: usize = 10_000;
/// Maximum number of decisions in one attempt. If concurrent changes invalidate all of them, the attempt fails.
pub const CONFLICTS_MAX: u32 = 8;

/// The business of a processor.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Business {
    /// Name, for example `solobase`.
    pub name: String,
    /// True for real money. An event of the other mode is recorded and ignored.
    pub livemode: bool,
    /// Configuration as text, by declared key; an absent key has its default.
    pub config: BTreeMap<String, String>,
    /// Declarations of the business, in addition to the declarations of the extension.
    pub own: OwnDeclarations,
    /// SHA-256 of catalog and configuration, hex; recorded with every outcome.
    pub catalog_hash: String,
    /// What the manifest permits the extension to do. The default restricts nothing. The operator permits the effects of the
    /// business.
    pub permitted: Permitted,
    /// Parts of the extension's rows that are excluded from the state.
    pub not_state: NotState,
}

/// What a business declares in addition to the extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDeclarations {
    /// Configuration keys.
    pub config: Vec<ConfigDecl>,
    /// Effect kinds of its resources.
    pub effects: Vec<EffectDecl>,
    /// Retry policies for its own effects and the extension's, by resource (`database`) or effect kind (`database.ensure`).
    pub retries: Vec<(String, RetryPolicy)>,
}

impl OwnDeclarations {
    /// Returns the extension's declarations together with the business's. A retry policy for an effect kind takes precedence
    /// over one for its resource.
    pub fn beside(&self, declarations: &Declarations) -> Declarations {
        let mut joined = declarations.clone();
        joined.config.extend(self.config.iter().cloned());
        joined.effects.extend(self.effects.iter().cloned());
        for effect in &mut joined.effects {
            let resource = effect.kind.split_once('.').map_or(effect.kind.as_str(), |(resource, _)| resource);
            let of = |name: &str| self.retries.iter().find(|(known, _)| known == name);
            if let Some((_, policy)) = of(&effect.kind).or_else(|| of(resource)) {
                effect.retry = policy.clone();
            }
        }
        joined
    }
}

/// Counters of evicted and postponed events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Parked events that were evicted because of [`PARKED_MAX`] or [`PARKED_CONNECTED_MAX`].
    pub parked_evicted: u64,
    /// Woken events that were postponed to [`Processor::retry_due`], because they belong to another account than the event that
    /// woke them, or because of [`WOKEN_MAX`].
    pub woken_postponed: u64,
}

/// The writes that become durable together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Each write is durable by itself.
    None,
    /// All writes since the group began.
    Open,
    /// Like `Open`, but the store may hold writes back and apply several at once; see [`Store::begin_together`].
    Together,
}

/// Runs the events of one business in one mode over one store.
///
/// An `Err` of any method means that the store failed: the group in which the error occurred is not stored. If the
/// caller has opened the group, it must roll the group back with [`Processor::rollback_group`]. Only
/// [`StoreError::Misuse`] means that the event belongs to another business; such an event is not stored.
pub struct Processor {
    store: Lendable<dyn Store>,
    runner: Box<dyn Runner>,
    business: Business,
    deciding: Arc<Deciding>,
    group: Group,
    /// Number of groups to run before the changes of a group are again applied together.
    apart_left: u32,
    parked_max: u64,
    parked_connected_max: usize,
    open_effects_max: usize,
    counters: Counters,
}

impl Processor {
    /// Creates a processor.
    ///
    /// # Errors
    /// Fails if the configuration does not match the declared keys.
    pub fn new(store: Box<dyn Store>, runner: Box<dyn Runner>, business: Business) -> Result<Self, ConfigError> {
        let declarations = business.own.beside(runner.declarations());
        let permitted =
            business.permitted.clone().with_effects(business.own.effects.iter().map(|decl| decl.kind.as_str()));
        let declared = Declared::new(&declarations, &business.config)?;
        let declared = Arc::new(declared.without_state(business.not_state.clone()).permitting(permitted));
        let payment_kinds = declarations.payment_kinds.iter().cloned().collect();
        let partition = Partition { business: business.name.clone(), livemode: business.livemode };
        Ok(Processor {
            store: Lendable::new(store),
            runner,
            business,
            deciding: Arc::new(Deciding { partition, declared, payment_kinds }),
            group: Group::None,
            apart_left: 0,
            parked_max: PARKED_MAX,
            parked_connected_max: PARKED_CONNECTED_MAX,
            open_effects_max: OPEN_EFFECTS_MAX,
            counters: Counters::default(),
        })
    }

    /// Sets a limit other than [`PARKED_MAX`].
    pub fn set_parked_max(&mut self, parked_max: u64) {
        self.parked_max = parked_max;
    }

    /// Sets a limit other than [`PARKED_CONNECTED_MAX`].
    pub fn set_parked_connected_max(&mut self, parked_connected_max: usize) {
        self.parked_connected_max = parked_connected_max;
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        self.store.get()
    }

    /// Returns the store, so that the outbox and tests can change it.
    pub fn store_mut(&mut self) -> &mut dyn Store {
        self.store.get_mut()
    }

    /// Replaces the store, outside of a group; the old store is dropped.
    pub fn set_store(&mut self, store: Box<dyn Store>) {
        self.store = Lendable::new(store);
    }

    /// Returns the runner of the extension.
    pub fn runner(&self) -> &dyn Runner {
        &*self.runner
    }

    /// Returns the business.
    pub fn business(&self) -> &Business {
        &self.business
    }

    /// Returns declarations and configuration, indexed.
    pub fn declared(&self) -> &Declared {
        &self.deciding.declared
    }

    /// Returns the counters since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns business and mode: the part of the store that belongs to this processor.
    pub fn partition(&self) -> &Partition {
        &self.deciding.partition
    }

    /// Returns the scope of an account of this business.
    pub fn scope(&self, account: Account) -> Scope {
        self.deciding.partition.scope(account)
    }

    /// Consumes the processor and returns the store and the runner.
    pub fn into_parts(self) -> (Box<dyn Store>, Box<dyn Runner>) {
        (self.store.into_inner(), self.runner)
    }

    /// Begins a group: [`Processor::commit_group`] makes all following writes durable together.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn begin_group(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.store_mut().begin() {
            // If the store began a group before it failed, the group must be ended.
            let _ = self.store_mut().rollback();
            return Err(error);
        }
        self.group = Group::Open;
        Ok(())
    }

    /// Makes the group durable.
    ///
    /// # Errors
    /// Fails if the store fails; the group is then rolled back.
    pub fn commit_group(&mut self) -> Result<(), StoreError> {
        self.group = Group::None;
        let committed = self.store_mut().commit();
        if committed.is_err() {
            // Report the error of the commit; a failed rollback adds nothing.
            let _ = self.store_mut().rollback();
        }
        committed
    }

    /// Rolls the group back.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn rollback_group(&mut self) -> Result<(), StoreError> {
        self.group = Group::None;
        self.store_mut().rollback()
    }

    /// Returns true in an open group.
    pub fn in_group(&self) -> bool {
        self.group != Group::None
    }

    /// Runs `body` in the open group, or in its own group.
    ///
    /// # Errors
    /// Fails with the error of `body`, or if the store fails.
    pub fn grouped<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.in_group() {
            return body(self);
        }
        self.begin_group()?;
        match body(self) {
            Ok(value) => self.commit_group().map(|()| value),
            Err(error) => {
                // Report the first error.
                let _ = self.rollback_group();
                Err(error)
            }
        }
    }

    /// Runs `body` in the open group as one step. If another host is changing the same data, the step is undone and the group
    /// committed; then the step runs again, first in a new group, where it may wait for the other host.
    ///
    /// # Errors
    /// Fails with the error of `body`, even if [`CONFLICTS_MAX`] steps in a row met another host, or if the store fails.
    pub(crate) fn step<T>(
        &mut self,
        mut body: impl FnMut(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.store().has_peers() || self.group == Group::Together {
            return body(self);
        }
        let mut conflicts = 0;
        loop {
            self.store_mut().mark()?;
            match body(self) {
                Err(StoreError::Locked(_)) if conflicts < CONFLICTS_MAX => {
                    self.store_mut().undo()?;
                    self.commit_group()?;
                    conflicts += 1;
                    self.begin_group()?;
                }
                done => return done,
            }
        }
    }

    /// Creates a processor of the same business over another writing handle of the store, for another thread. None if the store
    /// has only one such handle.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn peer(&self, runner: Box<dyn Runner>) -> Result<Option<Processor>, StoreError> {
        let Some(store) = self.store().peer()? else { return Ok(None) };
        Ok(Some(Processor {
            store: Lendable::new(store),
            runner,
            business: self.business.clone(),
            deciding: self.deciding.clone(),
            group: Group::None,
            apart_left: 0,
            parked_max: self.parked_max,
            parked_connected_max: self.parked_connected_max,
            open_effects_max: self.open_effects_max,
            counters: Counters::default(),
        }))
    }

    /// Returns the last stored reply to an event's caller, so that a repeated request gets it again.
    ///
    /// None for an event that has no caller, has no reply yet, or was erased.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn reply_of(&self, row: &InboxRow) -> Result<Option<Reply>, StoreError> {
        let (Some(caller), Some(account)) = (caller_of(&row.event), &row.event.account) else { return Ok(None) };
        let stored = self.store().reply(&self.deciding.partition.scope(account.clone()), caller)?;
        Ok(stored.or_else(|| match &row.outcome {
            Some(Outcome::Rejected(refusal)) if !row.erased => Some(Reply::Refused(refusal.clone())),
            _ => None,
        }))
    }

    /// Returns the report for a repetition of a stored event; none if this business and mode have no such row.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn told_again(&self, seq: u64) -> Result<Option<Report>, StoreError> {
        let Some(row) = self.store().inbox(seq)?.filter(|row| self.is_own(row)) else { return Ok(None) };
        Ok(Some(Report { reply: self.reply_of(&row)?, ..Report::duplicate(&row) }))
    }

    /// Runs every due pending event, oldest first, and the events that it wakes. `now` in milliseconds.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn retry_due(&mut self, now: Timestamp) -> Result<Vec<Report>, StoreError> {
        self.retry_due_at_most(now, usize::MAX)
    }

    /// Like [`Processor::retry_due`], with at most this number of pending events.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn retry_due_at_most(&mut self, now: Timestamp, at_most: usize) -> Result<Vec<Report>, StoreError> {
        let mut reports = Vec::new();
        let mut seen: BTreeSet<u64> = BTreeSet::new();
        loop {
            let due: Vec<u64> = self.store().inbox_due(&self.deciding.partition, now, 100)?;
            let room = at_most.saturating_sub(seen.len());
            let due: Vec<u64> = due.into_iter().filter(|seq| !seen.contains(seq)).take(room).collect();
            if due.is_empty() {
                return Ok(reports);
            }
            seen.extend(&due);
            for seq in due {
                let ran = self.grouped(|processor| {
                    processor.step(|processor| match processor.store().inbox(seq)? {
                        Some(row) if matches!(row.state, InboxState::Pending { .. }) => {
                            processor.run_and_wake(Attempt::again(row), None, now)
                        }
                        _ => Ok(Vec::new()),
                    })
                })?;
                reports.extend(ran.into_iter().map(Report::later));
            }
        }
    }

    /// Returns the time after `now` at which the next pending event is due, in milliseconds.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn next_retry(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.store().inbox_next_due(&self.deciding.partition, now)
    }

    /// Runs an event again on behalf of an operator: a dead letter, a rejected, waiting or pending event.
    ///
    /// An applied, ignored, duplicate, stale or erased event is reported as `duplicate`, and an event that the intake refused is
    /// reported with its refusal; neither is run again. Returns no report if this business and mode have no such row.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn redrive(&mut self, seq: u64, now: Timestamp) -> Result<Vec<Report>, StoreError> {
        self.grouped(|processor| processor.step(|processor| processor.redrive_in_group(seq, now)))
    }

    fn redrive_in_group(&mut self, seq: u64, now: Timestamp) -> Result<Vec<Report>, StoreError> {
        let row = self.store().inbox(seq)?.filter(|row| self.is_own(row));
        let Some(row) = row else { return Ok(Vec::new()) };
        match (&row.state, &row.outcome) {
            _ if row.erased => return Ok(vec![Report::duplicate(&row)]),
            (InboxState::Done, _) if refuse::by_intake(&row) => return Ok(vec![refuse::report(&row)]),
            (InboxState::Done, Some(Outcome::Rejected(_)) | None) => {}
            (InboxState::Done, _) => return Ok(vec![Report::duplicate(&row)]),
            _ => {}
        }
        self.run_and_wake(Attempt::redriven(row), None, now)
    }

    /// Returns rows that wait for a retry, and dead letters, in order of acceptance.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn failed(&self) -> Result<Vec<InboxRow>, StoreError> {
        pages(|after| self.store().failed(&self.deciding.partition, after, PAGE))
    }

    /// Returns dead letters, in order of acceptance.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn dead(&self) -> Result<Vec<InboxRow>, StoreError> {
        pages(|after| self.store().dead(&self.deciding.partition, after, PAGE))
    }

    /// Returns a page of the inbox of this business and mode, in order of acceptance, after row `after`. Fewer than `limit` rows
    /// mean that it is the last page.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn inbox_after(&self, after: u64, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.store().inbox_after(Some(&self.deciding.partition), after, limit)
    }

    /// Returns true for a row of this business and mode.
    fn is_own(&self, row: &InboxRow) -> bool {
        row.event.business == self.deciding.partition.business && row.livemode == self.deciding.partition.livemode
    }
}

/// Rows per query.
const PAGE: usize = 500;

/// Reads all pages of rows.
fn pages(read: impl Fn(u64) -> Result<Vec<InboxRow>, StoreError>) -> Result<Vec<InboxRow>, StoreError> {
    let mut rows: Vec<InboxRow> = Vec::new();
    loop {
        let page = read(rows.last().map_or(0, |row| row.seq))?;
        let full = page.len() == PAGE;
        rows.extend(page);
        if !full {
            return Ok(rows);
        }
    }
}

/// Returns the outcome of an event whose mode differs from that of its secret or of the business; none for other events. Called
/// before the extension (S09, S76).
///
/// A secret is named `test/…` or `live/…`. A live Connect endpoint also gets the test events of its connected accounts,
/// so a live secret does not contradict such an event.
fn wrong_mode(event: &Event, livemode: bool) -> Option<Outcome> {
    let of_event = event.livemode?;
    let facts = event.payment.as_ref()?;
    let of_secret = facts.matched_secret.as_deref().and_then(|secret| match secret.split_once('/') {
        Some(("test", _)) => Some(false),
        Some(("live", _)) => Some(true),
        _ => None,
    });
    let connect_test_event = of_secret == Some(true) && !of_event && facts.connected_account.is_some();
    if of_secret.is_some_and(|of_secret| of_secret != of_event) && !connect_test_event {
        return Some(Outcome::Rejected(Refusal::ModeMismatch));
    }
    (of_event != livemode).then_some(Outcome::Ignored(extension_contract::IgnoreReason::WrongMode))
}

/// Returns true if a repeated command has the same caller and content; only then is the stored reply returned.
pub fn is_same_command(known: &Event, again: &Event) -> bool {
    let same_account = again.account.is_none() || known.account == again.account;
    same_account
        && (&known.kind, &known.actor, &known.reply_to) == (&again.kind, &again.actor, &again.reply_to)
        && known.payload == again.payload
}
