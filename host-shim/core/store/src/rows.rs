//! The host's own rows: inbox, outbox and claims. The rows of the extension are defined in `extension-contract`.

use crate::scope::{Partition, Scope};
use extension_contract::{Account, CatalogRow, Effect, Event, Outcome, Reference, StoredRow, Timestamp};
use std::collections::BTreeMap;

/// The result of [`Read::open`](crate::Read::open).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OpenedRows {
    /// Revision of the account; 0 for a new account.
    pub account_revision: u64,
    /// Revision of the catalog; 0 for a new catalog.
    pub catalog_revision: u64,
    /// Rows in order of their keys.
    pub rows: Vec<StoredRow>,
    /// Products and prices of the catalog in order of their keys.
    pub catalog: Vec<CatalogRow>,
    /// For each requested fact, in order, whether the scope has it.
    pub facts: Vec<bool>,
}

/// Requests the account of an event, and the account's rows and facts that the event needs.
#[derive(Clone, Copy, Debug)]
pub struct PlaceQuery<'q> {
    /// Partition of the event.
    pub partition: &'q Partition,
    /// Full keys of the claims by which the account is found.
    pub claims: &'q [String],
    /// Time at which the claims are held.
    pub now: Timestamp,
    /// The account if nobody holds one of the claims.
    pub otherwise: Option<&'q Account>,
    /// The references named in the event.
    pub named: &'q [Reference],
    /// The facts that the event asks for.
    pub facts: &'q [String],
}

/// The account of an event, and the rows and facts that the event needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The account.
    pub account: Account,
    /// Its rows.
    pub rows: OpenedRows,
}

/// Effect kind of a timer: the host delivers the timer as an event at its not-before time.
pub const TIMER: &str = "timer.at";
/// Effect kind of a message: the host delivers the message once, as an event, to the account in `to`.
pub const MESSAGE: &str = "account.send";
/// Effect kind of an event of the payment source: the host puts the event into the inbox, and places it like a received
/// event.
pub const PAYMENT_EVENT: &str = "payment.event";
/// Effect kind that erases an account: see [`Changes::erase`](crate::Changes::erase).
pub const ERASE: &str = "account.erase";
/// Source of the events that are results of effects.
pub const EFFECT_RESULTS: &str = "effects";
/// Effect kinds that the host carries out itself: no extension declares them, and no provider is called.
pub const OF_HOST: [&str; 4] = [TIMER, MESSAGE, PAYMENT_EVENT, ERASE];

/// The row of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// Revision, which rises with each change of rows, facts or claims; 0 for a new account.
    pub revision: u64,
    /// The newest data version with which one of its rows was ever written.
    pub data_version: Option<u32>,
}

/// What an event waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Its account: the event is parked.
    Parked,
    /// A claim, a fact or an effect: the event is deferred.
    Deferred,
}

/// The state of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxState {
    /// Stored, without an outcome; tried at `not_before`.
    Pending {
        /// Earliest next attempt, in milliseconds since the epoch.
        not_before: Timestamp,
        /// Since when an event that was woken had been waiting. If it must wait again, the wait still counts from then.
        waits_since: Option<Timestamp>,
    },
    /// The event's account is unknown; the event waits for one of its claim keys.
    Parked {
        /// Start of the wait.
        since: Timestamp,
    },
    /// The event ran, and waits for a claim, a fact or an effect.
    Deferred {
        /// Start of the wait.
        since: Timestamp,
    },
    /// The event has a final outcome.
    Done,
    /// The event failed too often; an operator must act.
    Dead,
}

impl InboxState {
    /// Returns since when the event has been waiting, even if the wait was interrupted; none for other events.
    pub fn waits_since(&self) -> Option<Timestamp> {
        match self {
            InboxState::Parked { since } | InboxState::Deferred { since } => Some(*since),
            InboxState::Pending { waits_since, .. } => *waits_since,
            InboxState::Done | InboxState::Dead => None,
        }
    }

    /// Returns true for an event that waits for a key.
    pub fn is_waiting(&self) -> bool {
        matches!(self, InboxState::Parked { .. } | InboxState::Deferred { .. })
    }

    /// The names of all states.
    pub const NAMES: [&str; 5] = ["done", "pending", "parked", "deferred", "dead"];

    /// Returns the name of the state.
    pub fn name(&self) -> &'static str {
        match self {
            InboxState::Done => "done",
            InboxState::Pending { .. } => "pending",
            InboxState::Parked { .. } => "parked",
            InboxState::Deferred { .. } => "deferred",
            InboxState::Dead => "dead",
        }
    }
}

/// The inputs that produced an outcome, for comparison with a later run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Provenance {
    /// SHA-256 of catalog and configuration, hex.
    pub catalog_hash: String,
    /// SHA-256 of the component, hex; `native` for a native library.
    pub component_hash: String,
    /// Results of `claims.take` in order, as text.
    pub claim_answers: String,
    /// Fuel used.
    pub fuel: u64,
    /// SHA-256 of the requested effects, hex.
    pub effects_hash: String,
}

/// One run of an event. Only an erasure overwrites it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Time of the run.
    pub at: Timestamp,
    /// Outcome; none if the run failed.
    pub outcome: Option<Outcome>,
    /// Error, if the run failed.
    pub error: Option<String>,
    /// Provenance of the outcome; none if the run failed or the host itself decided.
    pub provenance: Option<Provenance>,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    /// Number of the row in order of acceptance, from 1.
    pub seq: u64,
    /// The event; it has an account after its placement.
    pub event: Event,
    /// Mode of the event's partition.
    pub livemode: bool,
    /// Received bytes.
    pub raw: Vec<u8>,
    /// State.
    pub state: InboxState,
    /// Number of failed attempts.
    pub failures: u32,
    /// Last error, for operators.
    pub error: Option<String>,
    /// Last outcome.
    pub outcome: Option<Outcome>,
    /// Provenance of the last run; [`Read::runs`](crate::Read::runs) returns all runs.
    pub provenance: Option<Provenance>,
    /// True after the account was erased. An erased event can no longer be run or compared.
    pub erased: bool,
}

/// The state of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectState {
    /// Not started, or waiting for its next attempt.
    Queued,
    /// An attempt was started; after a crash it is started again under the same key.
    Running,
    /// Its result is in the inbox.
    Finished,
    /// Cancelled, or replaced by a newer generation before it started.
    Cancelled,
}

impl EffectState {
    /// Returns true for an effect that has not ended.
    pub fn is_open(self) -> bool {
        matches!(self, EffectState::Queued | EffectState::Running)
    }

    /// Returns the name of the state.
    pub const fn name(self) -> &'static str {
        match self {
            EffectState::Queued => "queued",
            EffectState::Running => "running",
            EffectState::Finished => "finished",
            EffectState::Cancelled => "cancelled",
        }
    }
}

/// A lease on an effect.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lease {
    /// Fencing token: a lease with a higher number replaces a lease with a lower number, and the result of the replaced
    /// lease counts as late. 0 before the first lease.
    pub number: u64,
    /// Time of expiry, or of the next poll of a call in progress, in milliseconds since the epoch; none if the lease
    /// neither expires nor is polled.
    pub until: Option<Timestamp>,
    /// The provider's token for its work in progress.
    pub token: Option<String>,
    /// Name of the host that carries out the effect; none without a lease.
    pub owner: Option<String>,
}

/// A query for effects that may begin.
#[derive(Clone, Copy, Debug)]
pub struct DueQuery<'a> {
    /// Business and mode.
    pub partition: &'a Partition,
    /// The current time, in milliseconds since the epoch.
    pub now: Timestamp,
    /// False if timers do not fire; they are then left out.
    pub timers: bool,
    /// Kinds whose providers have no capacity: their effects are left out, unless they need no call.
    pub busy: &'a [String],
    /// If set, accounts take turns: first the effects that need no call, then the first effect of each account and kind, then the
    /// second of each, and so on, up to this many per account and kind. A store considers the first [`TURNS_SEARCHED_MAX`] due
    /// effects.
    pub turns: Option<usize>,
    /// Maximum number of effects.
    pub limit: usize,
}

/// Maximum number of due effects that a store searches for the accounts' turns.
pub const TURNS_SEARCHED_MAX: usize = 10_000;

impl<'a> DueQuery<'a> {
    /// Selects all due effects, including timers, in time order.
    pub fn of(partition: &'a Partition, now: Timestamp, limit: usize) -> Self {
        DueQuery { partition, now, timers: true, busy: &[], turns: None, limit }
    }

    /// Returns true for a due effect that is left out because its provider has no capacity.
    pub fn passes_over(&self, effect: &impl Due) -> bool {
        self.busy.iter().any(|kind| kind == effect.kind()) && effect.needs_call(self.now)
    }

    /// Selects the wanted ones from due effects, which come in time order.
    pub fn in_order<D: Due>(&self, due: impl IntoIterator<Item = D>) -> Vec<D> {
        let Some(most) = self.turns else { return due.into_iter().take(self.limit).collect() };
        let mut counts: BTreeMap<(Scope, String), usize> = BTreeMap::new();
        let mut turns: Vec<(usize, D)> = Vec::new();
        for effect in due.into_iter().take(TURNS_SEARCHED_MAX) {
            let turn = match effect.needs_call(self.now) {
                false => 0,
                true => {
                    let count = counts.entry((effect.scope().clone(), effect.kind().to_owned())).or_default();
                    *count += 1;
                    *count
                }
            };
            if turn <= most {
                turns.push((turn, effect));
            }
        }
        turns.sort_by_key(|(turn, _)| *turn);
        turns.into_iter().map(|(_, effect)| effect).take(self.limit).collect()
    }
}

/// The parts of a due effect that determine its turn.
pub trait Due {
    /// The scope that requested it.
    fn scope(&self) -> &Scope;
    /// Its kind.
    fn kind(&self) -> &str;
    /// The time after which it is no longer carried out.
    fn deadline(&self) -> Option<Timestamp>;

    /// Returns true for an effect that needs a provider at `now`: the host itself carries out neither the kind, nor the end of
    /// an effect whose deadline has passed.
    fn needs_call(&self, now: Timestamp) -> bool {
        !OF_HOST.contains(&self.kind()) && self.deadline().is_none_or(|deadline| deadline > now)
    }
}

impl<D: Due> Due for &D {
    fn scope(&self) -> &Scope {
        (**self).scope()
    }

    fn kind(&self) -> &str {
        (**self).kind()
    }

    fn deadline(&self) -> Option<Timestamp> {
        (**self).deadline()
    }
}

impl Due for EffectRow {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn kind(&self) -> &str {
        &self.effect.kind
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.effect.deadline
    }
}

/// A request of a host for leases on due effects that it has chosen.
#[derive(Clone, Copy, Debug)]
pub struct LeaseRequest<'a> {
    /// Business and mode.
    pub partition: &'a Partition,
    /// Name of the host.
    pub owner: &'a str,
    /// The current time, in milliseconds since the epoch.
    pub now: Timestamp,
    /// Expiry of the leases, in milliseconds since the epoch.
    pub until: Timestamp,
    /// The numbers of the effects, in the wanted order.
    pub chosen: &'a [u64],
}

/// A stored effect; identified by scope, key and generation.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// Number of the effect in order of the requests to the store, from 1.
    pub seq: u64,
    /// Scope that requested the effect.
    pub scope: Scope,
    /// The requested effect.
    pub effect: Effect,
    /// State.
    pub state: EffectState,
    /// Number of started attempts.
    pub attempts: u32,
    /// Earliest time of the next attempt: the effect's not-before time; after a failed attempt, the end of the backoff; while its
    /// provider works on it, the time of the poll.
    pub due_at: Timestamp,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Id of the event that requested the effect.
    pub caused_by: String,
    /// Last lease.
    pub lease: Lease,
    /// True after the account was erased. Payload and context are gone.
    pub erased: bool,
}

impl EffectRow {
    /// Like [`Due::needs_call`].
    pub fn needs_call(&self, now: Timestamp) -> bool {
        Due::needs_call(self, now)
    }
}

/// A claim on a name. A row without a holder is a block: it only prevents accounts from taking the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Account that holds the claim; none for a block.
    pub holder: Option<Account>,
    /// Expiry, by event time; none if it does not expire.
    pub until: Option<Timestamp>,
    /// Earliest time at which an account may take the name.
    pub blocked_until: Option<Timestamp>,
}

/// An open timer in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// Key.
    pub key: String,
    /// Due time.
    pub due_at: Timestamp,
}
