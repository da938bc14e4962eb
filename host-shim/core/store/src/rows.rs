//! The host's own rows: inbox, outbox and claims. What the extension sees is in `extension-contract`.

use crate::scope::Scope;
use extension_contract::{Account, CatalogRow, Effect, Event, Outcome, StoredRow, Timestamp};

/// What [`Store::open`](crate::Store::open) reads at once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OpenedRows {
    /// Revision of the account, 0 for a new one.
    pub account_revision: u64,
    /// Revision of the catalog, 0 for a new one.
    pub catalog_revision: u64,
    /// Rows in order of their keys.
    pub rows: Vec<StoredRow>,
    /// Products and prices of the catalog in order of their keys.
    pub catalog: Vec<CatalogRow>,
    /// Whether each fact that was asked for is noted, in the order of the question.
    pub facts: Vec<bool>,
}

/// Effect kind of a timer: it comes back as an event at its not-before time.
pub const TIMER: &str = "timer.at";
/// Effect kind of a message: it arrives once at the account in `to`.
pub const MESSAGE: &str = "account.send";
/// Kind of the effects that come in as an event of the provider, whosever it is.
pub const PROVIDER_EVENT: &str = "provider.event";
/// Kind of the effects by which an account is erased: see [`Changes::erase`](crate::Changes::erase).
pub const ERASE: &str = "account.erase";
/// Kinds that the host carries out itself: no extension declares them, and no provider is called.
pub const OF_HOST: [&str; 4] = [TIMER, MESSAGE, PROVIDER_EVENT, ERASE];

/// Where an event stands.
#[derive(Clone, Debug, PartialEq)]
pub enum InboxState {
    /// Stored, without an outcome; tried again at `not_before` (milliseconds since the epoch).
    Pending {
        /// Earliest next attempt.
        not_before: Timestamp,
    },
    /// No account is known; it waits for one of its claim keys.
    Parked {
        /// When it began to wait.
        since: Timestamp,
    },
    /// It ran and waits for a claim, a fact or an effect.
    Deferred {
        /// When it began to wait.
        since: Timestamp,
    },
    /// It has a final outcome.
    Done,
    /// It failed too often; an operator must look.
    Dead,
}

/// How an outcome came about: enough to compare a later run with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Provenance {
    /// SHA-256 of catalog and configuration, hex.
    pub catalog_hash: String,
    /// SHA-256 of the component, hex; `native` for the library.
    pub component_hash: String,
    /// Answers of `claims.take` in order, as text.
    pub claim_answers: String,
    /// Fuel used.
    pub fuel: u64,
    /// SHA-256 over the effects that were asked for, hex.
    pub effects_hash: String,
}

/// One run of an event: none is ever overwritten, but by an erasure.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// When it ran.
    pub at: Timestamp,
    /// Outcome; none if it failed.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub error: Option<String>,
    /// How the outcome came about; none if it failed or the host decided by itself.
    pub provenance: Option<Provenance>,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    /// Order of acceptance, from 1.
    pub seq: u64,
    /// The envelope, with its account once it is placed.
    pub event: Event,
    /// Mode of the partition that it belongs to.
    pub livemode: bool,
    /// The bytes as they came.
    pub raw: Vec<u8>,
    /// Where it stands.
    pub state: InboxState,
    /// Attempts that ended in an error.
    pub failures: u32,
    /// The last error, for operators.
    pub error: Option<String>,
    /// The last outcome.
    pub outcome: Option<Outcome>,
    /// How the last run came about; see [`Store::runs`](crate::Store::runs) for all of them.
    pub provenance: Option<Provenance>,
    /// True once its account was erased: nothing can be decided by it any more, or compared with it.
    pub erased: bool,
}

/// Where an effect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectState {
    /// Not begun, or waiting for its next attempt.
    Queued,
    /// An attempt was begun; after a crash it is begun again under the same key.
    Running,
    /// Its result is in the inbox.
    Finished,
    /// Cancelled, or replaced by a newer generation before it began.
    Cancelled,
}

/// Who carries an effect out, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lease {
    /// The fencing number: a higher one replaces a lower one, whose answer then comes late. 0 before the first.
    pub number: u64,
    /// When it runs out, or when what is in progress is looked at, milliseconds since the epoch; none if it is silent.
    pub until: Option<Timestamp>,
    /// What the provider finds its work in progress again by.
    pub token: Option<String>,
}

/// A stored effect; identified by scope, key and generation.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// Order of the request within the store, from 1.
    pub seq: u64,
    /// Who asked.
    pub scope: Scope,
    /// What was asked.
    pub effect: Effect,
    /// Where it stands.
    pub state: EffectState,
    /// Attempts that were begun.
    pub attempts: u32,
    /// Earliest next attempt: the effect's own not-before, later the backoff.
    pub due_at: Timestamp,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Id of the event that asked for it.
    pub caused_by: String,
    /// Its last lease.
    pub lease: Lease,
    /// True once its account was erased: what was asked is not known any more.
    pub erased: bool,
}

/// A claim on a name. A row without holder is a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Who holds it.
    pub holder: Option<Account>,
    /// Until when; none for good. Judged by event time.
    pub until: Option<Timestamp>,
    /// Nobody may take it before.
    pub blocked_until: Option<Timestamp>,
}

/// An open timer as it stands in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// Its key.
    pub key: String,
    /// When it is due.
    pub due_at: Timestamp,
}
