//! What one transaction changed, applied whole or not at all.

use crate::rows::{ClaimRow, EffectRow, EffectState, InboxState, Lease, Provenance};
use crate::scope::Scope;
use products_contract::{Account, Outcome, Price, Product, Purchase, RecordKey, StoredRecord, Subscription};
use std::collections::{BTreeMap, BTreeSet};

/// The new place of an inbox row.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxChange {
    /// Which row.
    pub seq: u64,
    /// Account, once placed; none leaves the row's account as it is.
    pub account: Option<Account>,
    /// New state.
    pub state: InboxState,
    /// Attempts that ended in an error.
    pub failures: u32,
    /// The last error.
    pub error: Option<String>,
    /// Outcome, if there is one.
    pub outcome: Option<Outcome>,
    /// How it came about.
    pub provenance: Option<Provenance>,
    /// Full keys that wake it (see `Store::woken_by`); replaces what it waited for before.
    /// Only a parked or deferred row waits.
    pub waits_for: Vec<String>,
}

/// A change to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectChange {
    /// A new effect; its `seq` is given by the store.
    Insert(Box<EffectRow>),
    /// Another state, number of attempts, due time or lease of a known one.
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
        due_at: i64,
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
    /// Products by id, as they are now.
    pub products: BTreeMap<String, Product>,
    /// Prices by id; only in the scope of `platform`.
    pub prices: BTreeMap<String, Price>,
    /// Purchases by id.
    pub purchases: BTreeMap<String, Purchase>,
    /// Subscriptions by id.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Records by collection and id; none is removed.
    pub records: BTreeMap<RecordKey, Option<StoredRecord>>,
    /// New facts.
    pub facts: BTreeSet<String>,
    /// Claims by full key; none is removed.
    pub claims: BTreeMap<String, Option<ClaimRow>>,
    /// Outbox, in the order of the requests.
    pub effects: Vec<EffectChange>,
    /// Data version that the account was written with.
    pub data_version: Option<u32>,
    /// The event's own inbox row.
    pub inbox: Option<InboxChange>,
}

impl Changes {
    /// True if more than the inbox row changes.
    pub fn has_rows(&self) -> bool {
        let Changes {
            scope: _,
            event_id: _,
            products,
            prices,
            purchases,
            subscriptions,
            records,
            facts,
            claims,
            effects,
            data_version,
            inbox: _,
        } = self;
        !(products.is_empty()
            && prices.is_empty()
            && purchases.is_empty()
            && subscriptions.is_empty()
            && records.is_empty()
            && facts.is_empty()
            && claims.is_empty()
            && effects.is_empty()
            && data_version.is_none())
    }
}
