//! The changes of one event, which a store applies atomically, and the conditions under which it applies them.

use crate::error::{StoreError, Stored};
use crate::rows::{ClaimRow, EffectRow, EffectState, InboxRow, InboxState, Lease, Run};
use crate::scope::Scope;
use extension_contract::{Account, Event, Outcome, Reference, Reply, Row, RowKey, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A row to write, with the metadata of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWrite {
    /// Key of the row.
    pub key: RowKey,
    /// New content; none deletes the row. Only records can be deleted.
    pub row: Option<Row>,
    /// `data-version` of the component that wrote the row.
    pub data_version: u32,
    /// True if later events of the account need the row: [`Read::open`](crate::Read::open) returns the live rows.
    pub live: bool,
    /// References of the row to other rows, to the catalog and to names.
    pub references: Vec<Reference>,
    /// Fingerprint of the state that the row was reconciled with.
    pub fingerprint: Option<String>,
}

/// The conditions under which a change is applied. Omitted conditions are not checked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Expected {
    /// Expected revision of the account.
    pub account_revision: Option<u64>,
    /// Expected revision of the catalog of the account's business and mode.
    pub catalog_revision: Option<u64>,
    /// Expected claims by full key; none if the claim must not exist.
    pub claims: Vec<(String, Option<ClaimRow>)>,
    /// Expected states and leases of effects of the scope.
    pub effects: Vec<ExpectedEffect>,
    /// Expected generations of effects of the scope.
    pub generations: Vec<ExpectedGenerations>,
    /// Expected state of the stored event that the change moves.
    pub inbox: Option<InboxState>,
}

/// The state and the lease that a stored effect must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedEffect {
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Expected state.
    pub state: EffectState,
    /// Expected number of the lease.
    pub lease: u64,
}

/// All generations that an effect must have. They change without a change of the account's revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedGenerations {
    /// Key of the effect.
    pub key: String,
    /// Number, state and lease of each generation, oldest first; empty if the effect must not exist.
    pub generations: Vec<(u32, EffectState, u64)>,
}

impl ExpectedGenerations {
    /// Expects the generations of an effect as they were read.
    pub fn of(key: &str, rows: &[EffectRow]) -> ExpectedGenerations {
        let generations = rows.iter().map(|row| (row.effect.generation, row.state, row.lease.number)).collect();
        ExpectedGenerations { key: key.to_owned(), generations }
    }
}

impl ExpectedEffect {
    /// Expects an effect as it was read.
    pub fn of(row: &EffectRow) -> ExpectedEffect {
        let (key, generation) = (row.effect.key.clone(), row.effect.generation);
        ExpectedEffect { key, generation, state: row.state, lease: row.lease.number }
    }
}

/// A change of the event's own inbox row.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "each change has one, mostly of a new event")]
pub enum InboxChange {
    /// Inserts a new event in its current state.
    New(Box<NewInbox>),
    /// Updates the progress of a stored event.
    Move(InboxMove),
}

/// An event that is not yet in the inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInbox {
    /// The event. Its account is set only if the account is known without placement.
    pub event: Arc<Event>,
    /// Mode of the event's partition.
    pub livemode: bool,
    /// Received bytes; empty if the payload contains all of them.
    pub raw: Arc<Vec<u8>>,
    /// Initial progress.
    pub progress: InboxProgress,
}

/// New progress of a stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxMove {
    /// Number of the inbox row.
    pub seq: u64,
    /// New progress.
    pub progress: InboxProgress,
}

/// The changing part of an inbox row, and the run that produced it.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxProgress {
    /// Account of the event; none keeps the row's account.
    pub account: Option<Account>,
    /// State.
    pub state: InboxState,
    /// Number of failed attempts.
    pub failures: u32,
    /// Last error, for operators.
    pub error: Option<String>,
    /// Outcome, if there is one.
    pub outcome: Option<Outcome>,
    /// Full keys that wake the row (see [`Read::woken_by`](crate::Read::woken_by)); they replace the earlier keys.
    /// Ignored unless the row is parked or deferred.
    pub waits_for: Vec<String>,
    /// The run that ended in this state; none if the host itself changed the row.
    pub run: Option<Run>,
}

impl NewInbox {
    /// Returns the insertion of a row of another store. The row's number, its runs and `erased` are not part of it.
    pub fn copied(row: &InboxRow, waits_for: &[String]) -> NewInbox {
        let progress = InboxProgress {
            account: row.event.account.clone(),
            state: row.state.clone(),
            failures: row.failures,
            error: row.error.clone(),
            outcome: row.outcome.clone(),
            waits_for: waits_for.to_vec(),
            run: None,
        };
        let (event, raw) = (Arc::new(row.event.clone()), Arc::new(row.raw.clone()));
        NewInbox { event, livemode: row.livemode, raw, progress }
    }
}

/// A change to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectChange {
    /// Inserts a new effect; the store assigns its `seq`.
    Insert(Box<EffectRow>),
    /// Updates a stored effect.
    Update {
        /// Key of the effect.
        key: String,
        /// Generation of the effect.
        generation: u32,
        /// New state.
        state: EffectState,
        /// Number of started attempts.
        attempts: u32,
        /// Earliest time of the next attempt.
        due_at: Timestamp,
        /// Lease.
        lease: Lease,
    },
}

/// All changes of one event in its scope.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Changes {
    /// Scope of all rows below; none if only the inbox row changes.
    pub scope: Option<Scope>,
    /// Id of the event, stored with each fact.
    pub event_id: String,
    /// Time of the run, stored with each row as its last change, in milliseconds since the epoch.
    pub at: Timestamp,
    /// Rows to write; each key at most once.
    pub rows: Vec<RowWrite>,
    /// New facts.
    pub facts: BTreeSet<String>,
    /// Claims to write, by full key; none removes the claim.
    pub claims: BTreeMap<String, Option<ClaimRow>>,
    /// Changes of the outbox, in the order of the requests.
    pub effects: Vec<EffectChange>,
    /// Caller and its reply. The last reply to each caller is kept for repeated requests.
    pub reply: Option<(String, Reply)>,
    /// The event's own inbox row.
    pub inbox: Option<InboxChange>,
    /// Erases personal data of the scope's account, after all other changes.
    ///
    /// Done and dead events of the account lose their raw bytes, their error texts, and their payload except ids,
    /// amounts and times. Ended effects lose payload and context. Replies are deleted. Rows stay, and so do unfinished
    /// events (pending, parked, deferred) and open effects, which a later erasure covers. Log entries are not in the
    /// store.
    pub erase: bool,
    /// Conditions under which the changes are applied.
    pub expected: Expected,
}

/// The result of applying a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The change was applied.
    Done {
        /// Number of the new inbox row, if any.
        seq: Option<u64>,
    },
    /// A condition does not hold: nothing was changed.
    Conflict(Conflict),
}

/// The first condition of a change that does not hold. They are checked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The stored event is in another state, or the inbox already has the new event: another host has processed it.
    /// Whether the inbox has the new event is checked last.
    Event,
    /// An effect has another state, lease or generation: another host carries it out, or it has ended.
    Effect,
    /// A revision or a claim has changed since the decision read it.
    Read,
}

impl Changes {
    /// Returns true if more than the inbox row changes.
    pub fn has_rows(&self) -> bool {
        self.decides() || !self.effects.is_empty() || self.reply.is_some() || self.erase
    }

    /// Returns true if the change raises the account's revision. Effects, replies and erasures do not raise it.
    pub fn decides(&self) -> bool {
        !(self.rows.is_empty() && self.facts.is_empty() && self.claims.is_empty())
    }

    /// Refuses changes that are invalid for every store, whatever its content.
    ///
    /// # Errors
    /// `StoreError::Misuse` with the broken rule.
    pub fn check(&self) -> Stored<()> {
        let refuse = |text: String| Err(StoreError::Misuse(text));
        let expects_revisions = self.expected.account_revision.is_some() || self.expected.catalog_revision.is_some();
        if self.scope.is_none() && (self.has_rows() || expects_revisions) {
            return refuse("changes of rows or expected revisions need a scope".into());
        }
        let expects_effects = !(self.expected.effects.is_empty() && self.expected.generations.is_empty());
        if self.scope.is_none() && expects_effects {
            return refuse("expected effects need a scope".into());
        }
        if self.expected.inbox.is_some() && !matches!(self.inbox, Some(InboxChange::Move(_))) {
            return refuse("an expected state of an event needs a change of a stored event".into());
        }
        let mut keys = BTreeSet::new();
        for write in &self.rows {
            if !keys.insert(&write.key) {
                return refuse(format!("one change writes `{}` twice", write.key));
            }
            if !write.fits() {
                return refuse(format!("the row written to `{}` does not match the key", write.key));
            }
        }
        Ok(())
    }
}

impl RowWrite {
    /// Returns true if the row has the kind and id of the key.
    fn fits(&self) -> bool {
        match (&self.key, &self.row) {
            (RowKey::Record(_), None) => true,
            (_, None) => false,
            (RowKey::Product(id), Some(Row::Product(row))) => row.id == *id,
            (RowKey::Price(id), Some(Row::Price(row))) => row.id == *id,
            (RowKey::Purchase(id), Some(Row::Purchase(row))) => row.id == *id,
            (RowKey::Subscription(id), Some(Row::Subscription(row))) => row.id == *id,
            (RowKey::Record(key), Some(Row::Record(row))) => row.collection == key.collection && row.id == key.id,
            _ => false,
        }
    }
}
