//! What happens to an event: decided on a snapshot of its account, committed whole, and what it wakes.
//!
//! The processor is the only one that writes the inbox. It calls the extension through a [`Runner`] and never looks
//! into a decision; what it decides itself is where an event belongs, what is a repetition, and what waits for what.

mod ask;
mod expire;
mod group;
mod log_replay;
mod refuse;
mod report;
mod run;
mod waiting;
mod wake;

pub use ask::AskError;
pub use log_replay::{Difference, difference_from_record, replay_log};
pub use refuse::by_intake as is_refused_by_intake;
pub use report::{Disposition, EffectRef, Report};

use crate::business::Own;
use crate::snapshot::{Context, Seen, Snapshot};
use extension_contract::{Account, Event, Outcome, Payload, Refusal, Reply, StoreError, Timestamp};
use host_store::{ConfigError, Declared, InboxRow, InboxState, NotState, Partition, Scope, Store};
use host_wasm_runner::runner::{Runner, SharedImports};
use run::{Attempt, caller_of};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Attempts of an event that ends in an error, before it is a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;
/// Delay after the first, second, … failed attempt, in milliseconds: 1 s, 10 s, 1 min, 10 min.
pub const RETRY_DELAYS_MS: [i64; ATTEMPTS_MAX as usize - 1] = [1_000, 10_000, 60_000, 600_000];
/// Most parked events; beyond it the oldest without a mark of ours go first.
pub const PARKED_MAX: u64 = 100_000;
/// How long an event may wait for a claim, a fact or an effect, in milliseconds: 30 days.
pub const WAIT_MAX_MS: i64 = 30 * 24 * 3_600_000;
/// Most events that run because one event committed; the others follow with [`Processor::retry_due`].
pub const WOKEN_MAX: usize = 10_000;
/// Most parked events of one connected account; beyond it the oldest of them go.
pub const PARKED_CONNECTED_MAX: usize = 10_000;
/// Times that an event is decided anew because its account changed meanwhile, before it counts as failed.
pub const CONFLICTS_MAX: u32 = 8;

/// Whose events a processor takes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Business {
    /// Name, for example `solobase`.
    pub name: String,
    /// True for real money. An event of the other mode is recorded and ignored.
    pub livemode: bool,
    /// Configuration as text, by declared key; what is absent has its default.
    pub config: BTreeMap<String, String>,
    /// What it declares beside what the extension does.
    pub own: Own,
    /// SHA-256 of catalog and configuration, hex; recorded beside every outcome.
    pub catalog_hash: String,
    /// What of the JSON in its rows is no state, as the extension's manifest says.
    pub not_state: NotState,
}

/// What went by without an outcome of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Parked events that were given up because there were more than [`PARKED_MAX`], or than
    /// [`PARKED_CONNECTED_MAX`] of a connected account.
    pub parked_evicted: u64,
    /// Woken events that were left for [`Processor::retry_due`] because there were more than [`WOKEN_MAX`].
    pub woken_postponed: u64,
}

/// Runs the events of one business in one mode over one store.
///
/// An `Err` of any method is a store that failed: nothing of that call is stored, except what an open group holds,
/// which the caller then rolls back with [`Processor::rollback_group`]. Alone [`StoreError::Denied`] says that the caller
/// brought an event of another business, of which nothing is stored at all.
pub struct Processor {
    /// None only while a call of the extension has it.
    store: Option<Box<dyn Store>>,
    runner: Box<dyn Runner>,
    business: Business,
    declared: Arc<Declared>,
    provider_kinds: HashSet<String>,
    partition: Partition,
    in_group: bool,
    parked_max: u64,
    parked_connected_max: usize,
    counters: Counters,
}

impl Processor {
    /// A processor; fails if the configuration is not the one that the extension declares.
    pub fn new(store: Box<dyn Store>, runner: Box<dyn Runner>, business: Business) -> Result<Self, ConfigError> {
        let declarations = business.own.beside(runner.declarations());
        let declared =
            Arc::new(Declared::new(&declarations, &business.config)?.without_state(business.not_state.clone()));
        let provider_kinds = declarations.provider_kinds.iter().cloned().collect();
        let partition = Partition { business: business.name.clone(), livemode: business.livemode };
        Ok(Processor {
            partition,
            store: Some(store),
            runner,
            business,
            declared,
            provider_kinds,
            in_group: false,
            parked_max: PARKED_MAX,
            parked_connected_max: PARKED_CONNECTED_MAX,
            counters: Counters::default(),
        })
    }

    /// Another bound than [`PARKED_MAX`].
    pub fn set_parked_max(&mut self, parked_max: u64) {
        self.parked_max = parked_max;
    }

    /// Another bound than [`PARKED_CONNECTED_MAX`].
    pub fn set_parked_connected_max(&mut self, parked_connected_max: usize) {
        self.parked_connected_max = parked_connected_max;
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.store.as_deref().expect("a call of the extension gives the store back before it returns")
    }

    /// The store, to be changed by the outbox and by tests.
    pub fn store_mut(&mut self) -> &mut dyn Store {
        self.store.as_deref_mut().expect("a call of the extension gives the store back before it returns")
    }

    /// Go on over another store, outside of a group; what was in use is left behind.
    pub fn set_store(&mut self, store: Box<dyn Store>) {
        self.store = Some(store);
    }

    /// The extension.
    pub fn runner(&self) -> &dyn Runner {
        &*self.runner
    }

    /// The business.
    pub fn business(&self) -> &Business {
        &self.business
    }

    /// Declarations and configuration, ready to be looked up.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// What went by without an outcome of its own, since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The business and its mode: the part of the store that is this processor's.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The scope of an account of this business.
    pub fn scope(&self, account: Account) -> Scope {
        self.partition.scope(account)
    }

    /// End, with the parts.
    pub fn into_parts(mut self) -> (Box<dyn Store>, Box<dyn Runner>) {
        (self.take_store(), self.runner)
    }

    /// Begin a group: what follows is durable with [`Processor::commit_group`], all at once.
    pub fn begin_group(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.store_mut().begin() {
            // A store that began and could not say so must not stay in a group that nobody ends.
            let _ = self.store_mut().rollback();
            return Err(error);
        }
        self.in_group = true;
        Ok(())
    }

    /// Make the group durable. On an error it is thrown away.
    pub fn commit_group(&mut self) -> Result<(), StoreError> {
        self.in_group = false;
        let committed = self.store_mut().commit();
        if committed.is_err() {
            // The error to report is the commit's; what cannot be rolled back is gone with the store.
            let _ = self.store_mut().rollback();
        }
        committed
    }

    /// Throw the group away.
    pub fn rollback_group(&mut self) -> Result<(), StoreError> {
        self.in_group = false;
        self.store_mut().rollback()
    }

    /// True between `begin_group` and its end.
    pub fn in_group(&self) -> bool {
        self.in_group
    }

    /// Run `body` in the open group, or in one of its own.
    pub fn grouped<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.in_group {
            return body(self);
        }
        self.begin_group()?;
        match body(self) {
            Ok(value) => self.commit_group().map(|()| value),
            Err(error) => {
                // The first error says what is wrong.
                let _ = self.rollback_group();
                Err(error)
            }
        }
    }

    /// Take an event in: store it, place it, decide it, and run what it wakes.
    ///
    /// `raw` are the bytes as they came, empty where the payload says all. The first report is the event's own, those
    /// of woken events follow in the order in which they ran. An id that the inbox has already is `duplicate`, and the
    /// extension is not called.
    pub fn accept(&mut self, event: Event, raw: Vec<u8>) -> Result<Vec<Report>, StoreError> {
        self.check_business(&event)?;
        self.grouped(|processor| {
            if let Some(duplicate) = processor.duplicate(&event)? {
                return Ok(vec![duplicate]);
            }
            let now = event.received_at;
            processor.run_and_wake(Attempt::first(event, raw), None, now)
        })
    }

    /// An event of another business would be stored and decided as that one's, by the wrong catalog.
    pub(crate) fn check_business(&self, event: &Event) -> Result<(), StoreError> {
        let (own, named) = (&self.partition.business, &event.business);
        if own == named {
            return Ok(());
        }
        let text = format!("event `{}` is of business `{named}`, expected `{own}`", event.id);
        Err(StoreError::Denied(text))
    }

    /// The report of an event that the inbox has already.
    fn duplicate(&self, event: &Event) -> Result<Option<Report>, StoreError> {
        let Some(known) = self.known(event)? else { return Ok(None) };
        let alert = known.event.id == event.id && conflicts_with(&known, event);
        let reply = if tells_the_same(&known.event, event) { self.reply_of(&known)? } else { None };
        Ok(Some(Report { alert, reply, ..Report::duplicate(&known) }))
    }

    /// What the caller of an event was answered last: an answer that got lost is given again.
    ///
    /// None for an event without a caller, one that is not answered yet, and one that was erased.
    pub fn reply_of(&self, row: &InboxRow) -> Result<Option<Reply>, StoreError> {
        let (Some(caller), Some(account)) = (caller_of(&row.event), &row.event.account) else { return Ok(None) };
        let kept = self.store().reply(&self.partition.scope(account.clone()), caller)?;
        Ok(kept.or_else(|| match &row.outcome {
            Some(Outcome::Rejected(refusal)) if !row.erased => Some(Reply::Refused(refusal.clone())),
            _ => None,
        }))
    }

    /// What whoever gave a stored event is told when it comes once more. No report: there is no such row of this business
    /// and mode.
    pub fn told_again(&self, seq: u64) -> Result<Option<Report>, StoreError> {
        let Some(row) = self.store().inbox(seq)?.filter(|row| self.is_own(row)) else { return Ok(None) };
        Ok(Some(Report { reply: self.reply_of(&row)?, ..Report::duplicate(&row) }))
    }

    /// The inbox row of an event with the same source and id, or of the one that tells the same with its object.
    fn known(&self, event: &Event) -> Result<Option<InboxRow>, StoreError> {
        let twin = event.provider.as_ref().and_then(|facts| facts.snapshot_event.as_deref());
        let of = |id: &str| self.store().event(&self.partition, &event.source, id);
        match (of(&event.id)?, twin) {
            (None, Some(twin)) => of(twin),
            (known, _) => Ok(known),
        }
    }

    /// Run every pending event whose time has come, oldest first, and what it wakes. `now` in milliseconds.
    pub fn retry_due(&mut self, now: Timestamp) -> Result<Vec<Report>, StoreError> {
        let mut reports = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let due: Vec<u64> = self.store().inbox_due(&self.partition, now, 100)?;
            let due: Vec<u64> = due.into_iter().filter(|seq| seen.insert(*seq)).collect();
            if due.is_empty() {
                return Ok(reports);
            }
            for seq in due {
                let ran = self.grouped(|processor| match processor.store().inbox(seq)? {
                    Some(row) if matches!(row.state, InboxState::Pending { .. }) => {
                        processor.run_and_wake(Attempt::again(row), None, now)
                    }
                    _ => Ok(Vec::new()),
                })?;
                reports.extend(ran.into_iter().map(Report::later));
            }
        }
    }

    /// Time of the next pending event after `now`, in milliseconds.
    pub fn next_retry(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.store().inbox_next_due(&self.partition, now)
    }

    /// Run an event again because an operator says so: a dead letter, a rejected one, one that waits.
    ///
    /// One that was applied, ignored or found to be a repetition is `duplicate`, and so is one that was erased: nothing
    /// is left to decide by. No report: there is no such row of this business and mode.
    pub fn redrive(&mut self, seq: u64, now: Timestamp) -> Result<Vec<Report>, StoreError> {
        self.grouped(|processor| {
            let row = processor.store().inbox(seq)?.filter(|row| processor.is_own(row));
            let Some(row) = row else { return Ok(Vec::new()) };
            match (&row.state, &row.outcome) {
                _ if row.erased => return Ok(vec![Report::duplicate(&row)]),
                (InboxState::Done, _) if refuse::by_intake(&row) => return Ok(vec![refuse::report(&row)]),
                (InboxState::Done, Some(Outcome::Rejected(_)) | None) => {}
                (InboxState::Done, _) => return Ok(vec![Report::duplicate(&row)]),
                _ => {}
            }
            processor.run_and_wake(Attempt::redriven(row), None, now)
        })
    }

    /// Rows that wait for another attempt and rows that nobody tries any more, in order of acceptance.
    pub fn failed(&self) -> Result<Vec<InboxRow>, StoreError> {
        pages(|after| self.store().failed(&self.partition, after, PAGE))
    }

    /// Dead letters, in order of acceptance.
    pub fn dead(&self) -> Result<Vec<InboxRow>, StoreError> {
        pages(|after| self.store().dead(&self.partition, after, PAGE))
    }

    /// Rows of the inbox in order of acceptance, after `after`: a page of the log of this business and mode. Fewer than
    /// `limit` are the last ones.
    pub fn inbox_after(&self, after: u64, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        let (mut own, mut after) = (Vec::new(), after);
        while own.len() < limit {
            let page = self.store().inbox_after(after, limit)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            own.extend(page.into_iter().filter(|row| self.is_own(row)));
        }
        own.truncate(limit);
        Ok(own)
    }

    /// True for a row of this business and mode.
    fn is_own(&self, row: &InboxRow) -> bool {
        row.event.business == self.partition.business && row.livemode == self.partition.livemode
    }

    fn take_store(&mut self) -> Box<dyn Store> {
        self.store.take().expect("a call of the extension gives the store back before it returns")
    }

    /// Call the extension, which reads the store meanwhile.
    fn call<T>(&mut self, context: Context, body: impl FnOnce(&mut dyn Runner, &SharedImports) -> T) -> (Seen, T) {
        let snapshot = Arc::new(Mutex::new(Snapshot::new(self.take_store(), context)));
        let imports: SharedImports = snapshot.clone();
        let value = body(&mut *self.runner, &imports);
        drop(imports);
        let snapshot = Arc::into_inner(snapshot).expect("a runner keeps no imports beyond the call");
        (snapshot.into_inner().unwrap_or_else(PoisonError::into_inner).finish(), value)
    }

    /// Take the store back from what a call saw.
    fn give_back(&mut self, store: Box<dyn Store>) {
        self.store = Some(store);
    }
}

/// Rows that one look-up brings.
const PAGE: usize = 500;

/// All pages of rows, each read after the last number of the one before.
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

/// The rule for an event of another mode, before anybody is asked (S09, S76).
///
/// A secret is named `test/…` or `live/…`. The endpoint of a live Connect account also gets the test events of its
/// connected accounts, so that a live secret on a test event of a connected account says nothing.
fn wrong_mode(event: &Event, livemode: bool) -> Option<Outcome> {
    let of_event = event.livemode?;
    let facts = event.provider.as_ref()?;
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

/// Whether who gives a command again is who gave it: nobody else is told the answer.
fn tells_the_same(known: &Event, again: &Event) -> bool {
    let same_account = again.account.is_none() || known.account == again.account;
    same_account
        && (&known.kind, &known.actor, &known.reply_to) == (&again.kind, &again.actor, &again.reply_to)
        && known.payload == again.payload
}

/// Whether a provider's event that is known by its id comes with other data, which a provider never does: the first
/// stays, and an operator looks. In another API version it has another shape. What an erased one said is not known any
/// more, so that nothing conflicts with it.
fn conflicts_with(known: &InboxRow, again: &Event) -> bool {
    if known.erased {
        return false;
    }
    let known = &known.event;
    let (Payload::Provider(first), Payload::Provider(second)) = (&known.payload, &again.payload) else { return false };
    let version = |event: &Event| event.provider.as_ref().and_then(|facts| facts.api_version.clone());
    let read = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok();
    let data = |body: &[u8]| read(body).and_then(|body| body.get("data").cloned());
    // What was asked for since is newer than what was sent.
    let time = |event: &Event| event.provider.as_ref().and_then(|facts| facts.time);
    let is_same = version(known) == version(again) && time(known) == time(again);
    first != second && is_same && data(first) != data(second)
}
