//! Checks a decision against the contract and the account's snapshot, and turns it into changes for the store.
//!
//! Reads the store but does not write it; the processor applies the changes.

use crate::check;
use crate::payment_event::PaymentEvent;
use crate::snapshot::{FinishedSnapshot, Handle, PlacementResult};
use extension_contract::{
    Account, Change, ClaimChange, Decision, Effect, ImportError, Outcome, Product, Purchase, REFERENCES_MAX,
    RETRY_DELAYS_MAX, Reference, Row, RowKey, RowVersion, StoredRecord, Subscription, Timestamp, Write,
};
use host_store::{
    Changes, ClaimRow, ERASE, EffectChange, EffectRow, EffectState, Expected, ExpectedGenerations, Lease, MESSAGE,
    PAYMENT_EVENT, Permission, Permitted, RowWrite, Scope, TIMER,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The reason why a decision cannot be stored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecisionError {
    /// The decision breaks the contract.
    #[error("{0}")]
    Contract(String),
    /// The store refused a change, or failed.
    #[error(transparent)]
    Store(#[from] ImportError),
}

impl From<host_store::StoreError> for DecisionError {
    fn from(error: host_store::StoreError) -> Self {
        DecisionError::Store(error.into())
    }
}

/// A checked decision, as changes for the store.
#[derive(Clone, Debug, Default)]
pub struct PreparedDecision {
    /// Changes for the store, without the inbox row.
    pub changes: Changes,
    /// Full keys of the claims that the account takes with this decision.
    pub claims_taken: Vec<String>,
    /// Newly requested effects, in order.
    pub requested: Vec<EffectRef>,
}

/// A newly requested effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectRef {
    /// Kind of the effect.
    pub kind: String,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
}

impl PreparedDecision {
    /// Returns a decision without changes. Its commit requires that the claims that placed the event are unchanged.
    pub(crate) fn only_expectations<H>(snapshot: &FinishedSnapshot<H>) -> Self {
        let expected = Expected { claims: expected_claims(snapshot), ..Expected::default() };
        PreparedDecision { changes: Changes { expected, ..Changes::default() }, ..PreparedDecision::default() }
    }
}

fn contract_error(text: impl Into<String>) -> DecisionError {
    DecisionError::Contract(text.into())
}

/// Checks a decision and turns it into changes to the account opened by the snapshot.
///
/// # Errors
/// Fails if the decision breaks the contract, or if the store refuses a change or fails.
pub fn prepare<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    data_version: u32,
    decision: &mut Decision,
) -> Result<PreparedDecision, DecisionError> {
    let account = match &snapshot.place {
        Some(PlacementResult::Here(account)) => account.clone(),
        _ if decision.changes_nothing() => return Ok(PreparedDecision::default()),
        _ => return Err(contract_error("it changes an account that was not opened")),
    };
    let scope = snapshot.context.partition.scope(account);
    let mut prepared = PreparedDecision::default();
    prepared.changes.event_id.clone_from(&snapshot.context.event_id);
    prepared.changes.rows = rows(snapshot, &scope, data_version, std::mem::take(&mut decision.changes))?;
    prepared.changes.facts = facts(snapshot, &scope, &decision.facts)?;
    if !decision.claims.is_empty() && matches!(decision.outcome, Outcome::Rejected(_) | Outcome::Deferred(_)) {
        return Err(contract_error("it takes claims although it rejects or defers"));
    }
    claims(snapshot, &scope, &decision.claims, &mut prepared)?;
    let mut outbox = EffectChanges {
        snapshot,
        scope: &scope,
        changes: Vec::new(),
        read: snapshot.effects.clone(),
        indexes: HashMap::new(),
    };
    check_keys("effect key", &decision.cancel)?;
    for key in &decision.cancel {
        outbox.cancel(key)?;
    }
    for effect in &decision.effects {
        if outbox.request(effect)? {
            let Effect { kind, key, generation, .. } = effect;
            prepared.requested.push(EffectRef { kind: kind.clone(), key: key.clone(), generation: *generation });
        }
    }
    prepared.changes.effects = outbox.changes;
    prepared.changes.expected = Expected {
        account_revision: snapshot.account_revision,
        catalog_revision: snapshot.catalog_revision,
        claims: expected_claims(snapshot).into_iter().chain(prepared.changes.expected.claims).collect(),
        effects: Vec::new(),
        generations: outbox.read.iter().map(|(key, rows)| ExpectedGenerations::of(key, rows)).collect(),
        inbox: None,
    };
    prepared.changes.scope = Some(scope);
    Ok(prepared)
}

fn expected_claims<H>(snapshot: &FinishedSnapshot<H>) -> Vec<(String, Option<ClaimRow>)> {
    snapshot.claims.iter().map(|(key, row)| (key.clone(), row.clone())).collect()
}

fn check_keys(what: &str, keys: &[String]) -> Result<(), DecisionError> {
    keys.iter().try_for_each(|key| check::id(what, key)).map_err(|error| contract_error(error.to_string()))
}

/// Turns a failed check into an error of the contract.
fn contract<T>(checked: Result<T, ImportError>) -> Result<T, DecisionError> {
    checked.map_err(|error| contract_error(error.to_string()))
}

fn rows<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    scope: &Scope,
    data_version: u32,
    changes: Vec<Change>,
) -> Result<Vec<RowWrite>, DecisionError> {
    let mut keys = BTreeSet::new();
    let unread: Vec<RowKey> =
        changes.iter().map(|change| &change.key).filter(|key| !snapshot.versions.contains_key(*key)).cloned().collect();
    let permitted = snapshot.context.declared.permitted();
    for change in &changes {
        contract(check::id("row id", change.key.id()))?;
        check_permission(permitted, &change.key)?;
        if !keys.insert(&change.key) {
            return Err(contract_error(format!("{} is changed twice", change.key)));
        }
        if change.references.len() > REFERENCES_MAX {
            let count = change.references.len();
            return Err(contract_error(format!("{} has {count} references, at most {REFERENCES_MAX}", change.key)));
        }
        for reference in &change.references {
            contract(check_reference(reference))?;
        }
        if let Some(fingerprint) = &change.fingerprint {
            contract(check::id("fingerprint", fingerprint))?;
        }
    }
    let mut versions: BTreeMap<&RowKey, RowVersion> = BTreeMap::new();
    if !unread.is_empty() {
        let loaded = snapshot.store.queries().load(scope, &unread)?;
        for (key, row) in unread.iter().zip(&loaded) {
            versions.insert(key, row.as_ref().map_or(0, |stored| stored.row.version()));
        }
    }
    let version = |key: &RowKey| versions.get(key).or_else(|| snapshot.versions.get(key)).copied().unwrap_or(0);
    let written = changes.into_iter().map(|change| {
        let stored = version(&change.key);
        row_write(snapshot, scope, data_version, change, stored)
    });
    written.collect()
}

/// Fails if the manifest does not permit the extension to write a row.
fn check_permission(permitted: &Permitted, key: &RowKey) -> Result<(), DecisionError> {
    let (kind, permission) = match key {
        RowKey::Product(_) => ("product", Permission::ProductsWrite),
        RowKey::Price(_) => ("price", Permission::ProductsWrite),
        RowKey::Purchase(_) => ("purchase", Permission::ProductsWrite),
        RowKey::Subscription(_) => ("subscription", Permission::SubscriptionsWrite),
        RowKey::Record(_) => return Ok(()),
    };
    match permitted.has(permission) {
        true => Ok(()),
        false => Err(contract_error(format!("{kind} `{}` is written without the permission `{permission}`", key.id()))),
    }
}

fn check_reference(reference: &Reference) -> Result<(), ImportError> {
    match reference {
        Reference::Row(key) => check::id("reference", key.id()),
        Reference::Catalog(key) => {
            let (extension_contract::CatalogKey::Product(id)
            | extension_contract::CatalogKey::Price(id)
            | extension_contract::CatalogKey::Setting(id)) = key;
            check::id("reference", id)
        }
        Reference::Name(name) => check::id("name", name),
    }
}

fn row_write<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    scope: &Scope,
    data_version: u32,
    change: Change,
    stored: RowVersion,
) -> Result<RowWrite, DecisionError> {
    let is_price = matches!(change.key, RowKey::Price(_));
    if !is_price && change.expected != stored {
        // The change expects a version other than the one that was read or stored.
        return Err(ImportError::Conflict(stored).into());
    }
    let version = stored + 1;
    let Change { key, write, live, references, fingerprint, .. } = change;
    let row = match (&key, write) {
        (RowKey::Product(id), Write::Product(values)) => {
            contract(check::json_object("/metadata", &values.metadata))?;
            if stored == 0 && scope.account != Account::Platform {
                let key = extension_contract::CatalogKey::Product(id.clone());
                let taken =
                    snapshot.store.queries().catalog_read(&snapshot.context.partition, std::slice::from_ref(&key))?;
                if taken.iter().any(Option::is_some) {
                    return Err(contract_error(format!("product `{id}` belongs to the catalog")));
                }
            }
            let owner = scope.account.clone();
            Some(Row::Product(Product { id: id.clone(), owner, values, version, deleted: false }))
        }
        (RowKey::Product(id), Write::Remove) => {
            match snapshot.store.queries().load(scope, std::slice::from_ref(&key))?.into_iter().next().flatten() {
                Some(stored) => match stored.row {
                    Row::Product(row) => Some(Row::Product(Product { version, deleted: true, ..row })),
                    _ => return Err(contract_error(format!("{key} is not a product"))),
                },
                None => return Err(contract_error(format!("product `{id}` cannot be removed: it does not exist"))),
            }
        }
        (RowKey::Price(id), Write::Price(price)) => {
            if scope.account != Account::Platform {
                return Err(contract_error(format!("price `{id}` belongs to the catalog")));
            }
            if price.id != *id {
                return Err(contract_error(format!("{key} is written as price `{}`", price.id)));
            }
            contract(check::json_object("/terms", &price.terms))?;
            Some(Row::Price(price))
        }
        (RowKey::Purchase(id), Write::Purchase(values)) => {
            contract(check::json_object("/metadata", &values.metadata))?;
            Some(Row::Purchase(Purchase { id: id.clone(), values, version }))
        }
        (RowKey::Subscription(id), Write::Subscription(values)) => {
            contract(check::json_object("/metadata", &values.metadata))?;
            Some(Row::Subscription(Subscription { id: id.clone(), values, version }))
        }
        (RowKey::Record(key), Write::Record(value)) => {
            if !snapshot.context.declared.collections().contains(&key.collection) {
                return Err(contract_error(format!("collection `{}` is not declared", key.collection)));
            }
            contract(check::json_object("/value", &value))?;
            let (collection, id) = (key.collection.clone(), key.id.clone());
            Some(Row::Record(StoredRecord { collection, id, value, version }))
        }
        (RowKey::Record(_), Write::Remove) => None,
        (key, _) => return Err(contract_error(format!("{key} is written as a row of another kind"))),
    };
    Ok(RowWrite { key, row, data_version, live, references, fingerprint })
}

fn facts<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    scope: &Scope,
    facts: &[String],
) -> Result<BTreeSet<String>, DecisionError> {
    check_keys("fact", facts)?;
    let mut new = BTreeSet::new();
    for (fact, known) in facts.iter().zip(snapshot.store.queries().known(scope, facts)?) {
        // A fact is recorded once: the first event that records it stays its origin.
        if !known {
            new.insert(fact.clone());
        }
    }
    Ok(new)
}

/// The account's current hold on a claim, with its end.
enum ClaimHold {
    No,
    Until(Option<Timestamp>),
}

fn claims<H: Handle>(
    snapshot: &FinishedSnapshot<H>,
    scope: &Scope,
    changes: &[ClaimChange],
    prepared: &mut PreparedDecision,
) -> Result<(), DecisionError> {
    let now = snapshot.context.now;
    let may_take = snapshot.context.declared.permitted().has(Permission::ClaimsTake);
    for change in changes {
        let (ClaimChange::Take { key, .. } | ClaimChange::Release { key, .. }) = change;
        contract(check::id("claim key", key))?;
        if !may_take {
            let verb = if matches!(change, ClaimChange::Take { .. }) { "takes" } else { "releases" };
            let permission = Permission::ClaimsTake;
            return Err(contract_error(format!("it {verb} claim `{key}` without the permission `{permission}`")));
        }
        let full = snapshot.context.full_key(key);
        let row = match (prepared.changes.claims.get(&full), snapshot.claims.get(&full)) {
            (Some(row), _) | (None, Some(row)) => row.clone(),
            (None, None) => {
                let row = snapshot.store.queries().claims(std::slice::from_ref(&full))?.into_iter().next().flatten();
                // The extension did not read this claim, so the commit does not depend on it yet.
                prepared.changes.expected.claims.push((full.clone(), row.clone()));
                row
            }
        };
        let live = row.as_ref().filter(|row| row.until.is_none_or(|until| until > now));
        let held = match live.and_then(|row| row.holder.as_ref()) {
            Some(holder) if *holder == scope.account => ClaimHold::Until(live.and_then(|row| row.until)),
            Some(_) if matches!(change, ClaimChange::Take { .. }) => {
                return Err(contract_error(format!("it takes claim `{key}`, which another account holds")));
            }
            _ => ClaimHold::No,
        };
        let blocked = row.as_ref().is_some_and(|row| row.blocked_until.is_some_and(|until| until > now));
        match change {
            ClaimChange::Take { until, .. } => {
                let until = match held {
                    ClaimHold::No if blocked => {
                        return Err(contract_error(format!("it takes claim `{key}`, which is blocked")));
                    }
                    ClaimHold::No => {
                        if !prepared.claims_taken.contains(&full) {
                            prepared.claims_taken.push(full.clone());
                        }
                        *until
                    }
                    // A held claim can be extended, but not shortened, so that the order of events does not matter.
                    ClaimHold::Until(before) if longer(*until, before) => *until,
                    ClaimHold::Until(_) => continue,
                };
                let holder = Some(scope.account.clone());
                prepared.changes.claims.insert(full, Some(ClaimRow { holder, until, blocked_until: None }));
            }
            ClaimChange::Release { blocked_until, .. } => {
                if matches!(held, ClaimHold::No) {
                    continue;
                }
                prepared.claims_taken.retain(|taken| *taken != full);
                let block = blocked_until.filter(|until| *until > now);
                let block = block.map(|until| ClaimRow { holder: None, until: None, blocked_until: Some(until) });
                prepared.changes.claims.insert(full, block);
            }
        }
    }
    Ok(())
}

fn longer(until: Option<Timestamp>, held: Option<Timestamp>) -> bool {
    match (until, held) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(until), Some(held)) => until > held,
    }
}

/// The effect changes of one decision.
struct EffectChanges<'a, H> {
    snapshot: &'a FinishedSnapshot<H>,
    scope: &'a Scope,
    changes: Vec<EffectChange>,
    /// The stored generations of the effects that the decision depends on, by key.
    read: BTreeMap<String, Vec<EffectRow>>,
    /// Indexes into `changes`, by effect key.
    indexes: HashMap<String, Vec<usize>>,
}

impl<H: Handle> EffectChanges<'_, H> {
    /// Requests an effect; returns false if the same generation with the same contents exists.
    fn request(&mut self, effect: &Effect) -> Result<bool, DecisionError> {
        contract(check_sizes(effect))?;
        self.check(effect)?;
        let rows = self.generations(&effect.key)?;
        let mut same = false;
        for row in &rows {
            if row.effect.generation > effect.generation {
                return Err(contract_error(format!("effect key `{}` has a newer generation", effect.key)));
            }
            if row.effect.generation == effect.generation {
                if !same_contents(row, effect) {
                    return Err(contract_error(format!("effect key `{}` was used with other contents", effect.key)));
                }
                same = true;
            }
        }
        if same {
            return Ok(false);
        }
        rows.into_iter().filter(not_started).for_each(|row| self.set_cancelled(row));
        let now = self.snapshot.context.now;
        let row = EffectRow {
            seq: 0,
            scope: self.scope.clone(),
            effect: effect.clone(),
            state: EffectState::Queued,
            attempts: 0,
            due_at: effect.not_before.unwrap_or(now),
            created_at: now,
            caused_by: self.snapshot.context.event_id.clone(),
            lease: Lease::default(),
            erased: false,
        };
        self.push(effect.key.clone(), EffectChange::Insert(Box::new(row)));
        Ok(true)
    }

    fn cancel(&mut self, key: &str) -> Result<(), DecisionError> {
        let rows = self.generations(key)?;
        rows.into_iter().filter(not_started).for_each(|row| self.set_cancelled(row));
        Ok(())
    }

    fn check(&self, effect: &Effect) -> Result<(), DecisionError> {
        let invalid = |text: &str| Err(contract_error(format!("{} `{}`: {text}", effect.kind, effect.key)));
        let declared = &self.snapshot.context.declared;
        match effect.kind.as_str() {
            TIMER if effect.not_before.is_none() => return invalid("a timer needs a not-before"),
            MESSAGE if effect.to.is_none() => return invalid("a message needs a receiver"),
            PAYMENT_EVENT => {
                if let Err(problem) = PaymentEvent::parse(&effect.payload) {
                    return invalid(&format!("payload: {problem}"));
                }
            }
            ERASE if effect.payload != "{}" => return invalid("payload: an erasure has none, expected `{}`"),
            ERASE if self.scope.account == Account::Platform => {
                return invalid("the catalog's account is not erased, expected a user or an organization");
            }
            TIMER | MESSAGE | ERASE => {}
            kind if !declared.declares_effect(kind) => {
                return Err(contract_error(format!("unknown effect kind `{kind}`")));
            }
            kind if !declared.permitted().has(Permission::EffectsEnqueue) => {
                let permission = Permission::EffectsEnqueue;
                return Err(contract_error(format!(
                    "effect `{kind}` is requested without the permission `{permission}`"
                )));
            }
            kind if !declared.permitted().permits_effect(kind) => {
                return Err(contract_error(format!("effect `{kind}` is not permitted by the manifest")));
            }
            _ => {}
        }
        if effect.to.is_some() && effect.kind != MESSAGE {
            return invalid("only a message has a receiver");
        }
        if effect.retry.as_ref().is_some_and(|retry| retry.delays_ms.len() > RETRY_DELAYS_MAX) {
            return invalid(&format!("a retry policy has at most {RETRY_DELAYS_MAX} delays"));
        }
        for (part, text) in [("payload", &effect.payload), ("context", &effect.context)] {
            if let Some(problem) = check::json_problem(text) {
                return invalid(&format!("{part}: {problem}"));
            }
        }
        Ok(())
    }

    /// Returns the generations of a key, oldest first, including this decision's changes so far.
    fn generations(&mut self, key: &str) -> Result<Vec<EffectRow>, DecisionError> {
        let mut rows = match self.read.get(key) {
            Some(rows) => rows.clone(),
            None => {
                let rows = self.snapshot.store.queries().effect(self.scope, key)?;
                self.read.insert(key.to_owned(), rows.clone());
                rows
            }
        };
        for index in self.indexes.get(key).into_iter().flatten() {
            match &self.changes[*index] {
                EffectChange::Insert(row) => rows.push((**row).clone()),
                EffectChange::Update { generation, state, .. } => {
                    if let Some(row) = rows.iter_mut().find(|row| row.effect.generation == *generation) {
                        row.state = *state;
                    }
                }
            }
        }
        Ok(rows)
    }

    fn set_cancelled(&mut self, row: EffectRow) {
        for index in self.indexes.get(&row.effect.key).into_iter().flatten() {
            if let EffectChange::Insert(own) = &mut self.changes[*index]
                && own.effect.generation == row.effect.generation
            {
                own.state = EffectState::Cancelled;
                return;
            }
        }
        let key = row.effect.key.clone();
        let change = EffectChange::Update {
            key: row.effect.key,
            generation: row.effect.generation,
            state: EffectState::Cancelled,
            attempts: row.attempts,
            due_at: row.due_at,
            lease: Lease { number: row.lease.number, ..Lease::default() },
        };
        self.push(key, change);
    }

    fn push(&mut self, key: String, change: EffectChange) {
        self.indexes.entry(key).or_default().push(self.changes.len());
        self.changes.push(change);
    }
}

fn not_started(row: &EffectRow) -> bool {
    row.state == EffectState::Queued && row.attempts == 0
}

/// Compares the contents of an effect. `reply_to` and `context` are not contents; the payload of an erased effect is
/// unknown, so it equals any payload.
fn same_contents(row: &EffectRow, b: &Effect) -> bool {
    let a = &row.effect;
    a.kind == b.kind
        && a.to == b.to
        && (row.erased || a.payload == b.payload)
        && a.ordering_key == b.ordering_key
        && a.not_before == b.not_before
        && a.deadline == b.deadline
        && a.retry == b.retry
}

fn check_sizes(effect: &Effect) -> Result<(), ImportError> {
    check::id("effect kind", &effect.kind)?;
    check::id("effect key", &effect.key)?;
    if let Some(ordering_key) = &effect.ordering_key {
        check::id("ordering key", ordering_key)?;
    }
    if let Some(Account::User(id) | Account::Organization(id)) = &effect.to {
        check::id("receiver", id)?;
    }
    check::json_size("effect payload", &effect.payload)?;
    check::json_size("effect context", &effect.context)
}
