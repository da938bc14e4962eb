//! What one event changed, applied whole or not at all, and what must still be so when it is.

use crate::rows::{ClaimRow, EffectRow, EffectState, InboxState, Lease, Run};
use crate::scope::Scope;
use extension_contract::{Account, Event, Outcome, Reference, Reply, Row, RowKey, StoreError, Stored, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A row as an account holds it, with all that a change said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWrite {
    /// Which row.
    pub key: RowKey,
    /// The row as it is now; none is gone, which only a record can be.
    pub row: Option<Row>,
    /// `data-version` of the component that wrote it.
    pub data_version: u32,
    /// Whether later events of the account need it.
    pub live: bool,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// What it was brought to.
    pub fingerprint: Option<String>,
}

/// What must still be so when a change is applied; what is none or not named is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Expected {
    /// Revision of the account.
    pub account_revision: Option<u64>,
    /// Revision of the catalog of the account's business and mode.
    pub catalog_revision: Option<u64>,
    /// Claims by full key, as they were read.
    pub claims: Vec<(String, Option<ClaimRow>)>,
}

/// The event's own row of the inbox.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one stands in each change, most of them new events")]
pub enum InboxChange {
    /// The event is new: it is written once, in the state that it has by now.
    New(Box<NewInbox>),
    /// It is there, and stands elsewhere now.
    Move(InboxMove),
}

/// An event that the inbox has not seen.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInbox {
    /// The envelope; its account is set only if it is known without placing.
    pub event: Arc<Event>,
    /// Mode of the partition that it belongs to.
    pub livemode: bool,
    /// The bytes as they came; empty where the payload says all.
    pub raw: Arc<Vec<u8>>,
    /// Where it stands.
    pub standing: Standing,
}

/// A new standing of an event that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxMove {
    /// Which row.
    pub seq: u64,
    /// Where it stands.
    pub standing: Standing,
}

/// Where an event stands, and the run that brought it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Account, once placed; none leaves the row's account as it is.
    pub account: Option<Account>,
    /// State.
    pub state: InboxState,
    /// Attempts that ended in an error.
    pub failures: u32,
    /// The last error, for operators.
    pub error: Option<String>,
    /// Outcome, if there is one.
    pub outcome: Option<Outcome>,
    /// Full keys that wake it (see `Store::woken_by`); replaces what it waited for before.
    /// Only a parked or deferred row waits.
    pub waits_for: Vec<String>,
    /// The run that ended so; none where the host moved the row by itself.
    pub run: Option<Run>,
}

/// A change to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectChange {
    /// A new effect; its `seq` is given by the store.
    Insert(Box<EffectRow>),
    /// Another standing of a known one.
    Update {
        /// Key.
        key: String,
        /// Generation.
        generation: u32,
        /// New state.
        state: EffectState,
        /// Attempts begun.
        attempts: u32,
        /// Earliest next attempt.
        due_at: Timestamp,
        /// Lease.
        lease: Lease,
    },
}

/// Everything that one event changed in its scope.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Changes {
    /// Scope of all rows below; none if only the inbox row changes.
    pub scope: Option<Scope>,
    /// Id of the event, written beside each fact.
    pub event_id: String,
    /// Rows, each key once.
    pub rows: Vec<RowWrite>,
    /// New facts.
    pub facts: BTreeSet<String>,
    /// Claims by full key; none is removed.
    pub claims: BTreeMap<String, Option<ClaimRow>>,
    /// Outbox, in the order of the requests.
    pub effects: Vec<EffectChange>,
    /// Who is answered, and what: the last answer to each is kept, for who asks again.
    pub reply: Option<(String, Reply)>,
    /// The event's own inbox row.
    pub inbox: Option<InboxChange>,
    /// Erase what the scope's account said, after everything else of this change.
    ///
    /// Events of the account that are done or dead lose their raw bytes, what their payload says beyond ids, amounts and
    /// times, and the words of their errors; effects that have ended lose payload and context; answers go. Rows stay, and so does
    /// what is not through yet: events that are pending, parked or deferred and effects that are open, which a later
    /// erasure takes. Log entries are in no store.
    pub erase: bool,
    /// What must still be so.
    pub expected: Expected,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in.
    Done {
        /// Number of the new inbox row, if there is one.
        seq: Option<u64>,
    },
    /// Something is not as it was expected, or the new event is in already: nothing was changed.
    Conflict,
}

impl Changes {
    /// True if more than the inbox row changes.
    pub fn has_rows(&self) -> bool {
        self.decides() || !self.effects.is_empty() || self.reply.is_some() || self.erase
    }

    /// True if the account is another afterwards: its revision rises. What becomes of an effect is not the account's, and
    /// what is erased is nothing that an extension reads, so that no decision depends on it.
    pub fn decides(&self) -> bool {
        !(self.rows.is_empty() && self.facts.is_empty() && self.claims.is_empty())
    }

    /// Refuse what no store could keep, whatever is in it.
    pub(crate) fn check(&self) -> Stored<()> {
        let refuse = |text: String| Err(StoreError::Unavailable(text));
        let expects_revisions = self.expected.account_revision.is_some() || self.expected.catalog_revision.is_some();
        if self.scope.is_none() && (self.has_rows() || expects_revisions) {
            return refuse("changes without a scope".into());
        }
        let mut keys = BTreeSet::new();
        for write in &self.rows {
            if !keys.insert(&write.key) {
                return refuse(format!("`{}` is written twice by one change", write.key));
            }
            if !write.fits() {
                return refuse(format!("what is written is no `{}`", write.key));
            }
        }
        Ok(())
    }
}

impl RowWrite {
    /// True if the row is the one that the key names.
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
