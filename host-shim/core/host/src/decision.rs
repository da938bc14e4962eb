//! A decision, held against the contract and the account it is about, as changes that a store can apply.

use crate::check;
use crate::processor::EffectRef;
use crate::provider_event::ProviderEvent;
use crate::snapshot::{Place, Seen};
use extension_contract::{
    Account, Change, ClaimChange, Decision, Effect, Outcome, Product, Purchase, REFERENCES_MAX, RETRY_DELAYS_MAX,
    Reference, Row, RowKey, RowVersion, StoreError, StoredRecord, Subscription, Timestamp, Write,
};
use host_store::{
    Changes, ClaimRow, ERASE, EffectChange, EffectRow, EffectState, Expected, Lease, MESSAGE, PROVIDER_EVENT, RowWrite,
    Scope, TIMER,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Why a decision is not kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unkept {
    /// It breaks the contract.
    #[error("{0}")]
    Contract(String),
    /// The store says no, or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a decision leads to.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// For the store, without the inbox row.
    pub changes: Changes,
    /// Claims that the account did not hold before, by full key.
    pub claims_taken: Vec<String>,
    /// Effects that were not there before, in order.
    pub asked: Vec<EffectRef>,
}

impl Kept {
    /// Nothing, on the condition that what placed the event still is as it was.
    pub(crate) fn nothing_but_expected(seen: &Seen) -> Self {
        let expected = Expected { claims: expected_claims(seen), ..Expected::default() };
        Kept { changes: Changes { expected, ..Changes::default() }, ..Kept::default() }
    }
}

fn broken(text: impl Into<String>) -> Unkept {
    Unkept::Contract(text.into())
}

/// True if an effect of these generations, oldest first, can't be called off any more.
pub fn has_begun(generations: &[EffectRow]) -> bool {
    let begun = |row: &EffectRow| match row.state {
        EffectState::Running => true,
        EffectState::Queued => row.attempts > 0,
        EffectState::Finished | EffectState::Cancelled => false,
    };
    generations.iter().any(begun) || generations.last().is_some_and(|row| row.state == EffectState::Finished)
}

/// Turn a decision into changes of the account that was opened for it.
pub fn keep(seen: &Seen, data_version: u32, decision: &mut Decision) -> Result<Kept, Unkept> {
    let account = match &seen.place {
        Some(Place::Here(account)) => account.clone(),
        _ if decision.changes_nothing() => return Ok(Kept::default()),
        _ => return Err(broken("it changes an account that was not opened")),
    };
    let scope = seen.context.partition.scope(account);
    let mut kept = Kept::default();
    kept.changes.event_id.clone_from(&seen.context.event_id);
    kept.changes.rows = rows(seen, &scope, data_version, std::mem::take(&mut decision.changes))?;
    kept.changes.facts = facts(seen, &scope, &decision.facts)?;
    if !decision.claims.is_empty() && matches!(decision.outcome, Outcome::Rejected(_) | Outcome::Deferred(_)) {
        return Err(broken("it takes claims although it rejects or defers"));
    }
    claims(seen, &scope, &decision.claims, &mut kept)?;
    let mut outbox = Outbox { seen, scope: &scope, changes: Vec::new(), places: HashMap::new() };
    check_keys("effect key", &decision.cancel)?;
    for key in &decision.cancel {
        outbox.cancel(key)?;
    }
    for effect in &decision.effects {
        if outbox.ask(effect)? {
            let Effect { kind, key, generation, .. } = effect;
            kept.asked.push(EffectRef { kind: kind.clone(), key: key.clone(), generation: *generation });
        }
    }
    kept.changes.effects = outbox.changes;
    kept.changes.expected = Expected {
        account_revision: seen.account_revision,
        catalog_revision: seen.catalog_revision,
        claims: expected_claims(seen).into_iter().chain(kept.changes.expected.claims).collect(),
    };
    kept.changes.scope = Some(scope);
    Ok(kept)
}

fn expected_claims(seen: &Seen) -> Vec<(String, Option<ClaimRow>)> {
    seen.claims.iter().map(|(key, row)| (key.clone(), row.clone())).collect()
}

fn check_keys(what: &str, keys: &[String]) -> Result<(), Unkept> {
    keys.iter().try_for_each(|key| check::id(what, key)).map_err(|error| broken(error.to_string()))
}

/// A failed check of the contract is the extension's, not the store's.
fn contract<T>(checked: Result<T, StoreError>) -> Result<T, Unkept> {
    checked.map_err(|error| broken(error.to_string()))
}

fn rows(seen: &Seen, scope: &Scope, data_version: u32, changes: Vec<Change>) -> Result<Vec<RowWrite>, Unkept> {
    let mut keys = BTreeSet::new();
    let unread: Vec<RowKey> =
        changes.iter().map(|change| &change.key).filter(|key| !seen.versions.contains_key(*key)).cloned().collect();
    for change in &changes {
        contract(check::id("row id", change.key.id()))?;
        if !keys.insert(&change.key) {
            return Err(broken(format!("{} is changed twice", change.key)));
        }
        if change.references.len() > REFERENCES_MAX {
            let count = change.references.len();
            return Err(broken(format!("{} has {count} references, at most {REFERENCES_MAX}", change.key)));
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
        let loaded = seen.store.load(scope, &unread)?;
        for (key, row) in unread.iter().zip(&loaded) {
            versions.insert(key, row.as_ref().map_or(0, |stored| stored.row.version()));
        }
    }
    let version = |key: &RowKey| versions.get(key).or_else(|| seen.versions.get(key)).copied().unwrap_or(0);
    let written = changes.into_iter().map(|change| {
        let stored = version(&change.key);
        write(seen, scope, data_version, change, stored)
    });
    written.collect()
}

fn check_reference(reference: &Reference) -> Result<(), StoreError> {
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

fn write(
    seen: &Seen,
    scope: &Scope,
    data_version: u32,
    change: Change,
    stored: RowVersion,
) -> Result<RowWrite, Unkept> {
    let is_price = matches!(change.key, RowKey::Price(_));
    if !is_price && change.expected != stored {
        // The extension contradicts the version that it was given.
        return Err(StoreError::Conflict(stored).into());
    }
    let version = stored + 1;
    let Change { key, write, live, references, fingerprint, .. } = change;
    let row = match (&key, write) {
        (RowKey::Product(id), Write::Product(values)) => {
            contract(check::json_object("/metadata", &values.metadata))?;
            if stored == 0 && scope.account != Account::Platform {
                let key = extension_contract::CatalogKey::Product(id.clone());
                let taken = seen.store.catalog_read(&seen.context.partition, std::slice::from_ref(&key))?;
                if taken.iter().any(Option::is_some) {
                    return Err(broken(format!("product `{id}` belongs to the catalog")));
                }
            }
            let owner = scope.account.clone();
            Some(Row::Product(Product { id: id.clone(), owner, values, version, deleted: false }))
        }
        (RowKey::Product(id), Write::Remove) => {
            match seen.store.load(scope, std::slice::from_ref(&key))?.into_iter().next().flatten() {
                Some(stored) => match stored.row {
                    Row::Product(row) => Some(Row::Product(Product { version, deleted: true, ..row })),
                    _ => return Err(broken(format!("{key} is no product"))),
                },
                None => return Err(broken(format!("product `{id}` can't be removed: it is not there"))),
            }
        }
        (RowKey::Price(id), Write::Price(price)) => {
            if scope.account != Account::Platform {
                return Err(broken(format!("price `{id}` belongs to the catalog")));
            }
            if price.id != *id {
                return Err(broken(format!("{key} is written as price `{}`", price.id)));
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
            if !seen.context.declared.collections().contains(&key.collection) {
                return Err(broken(format!("collection `{}` is not declared", key.collection)));
            }
            contract(check::json_object("/value", &value))?;
            let (collection, id) = (key.collection.clone(), key.id.clone());
            Some(Row::Record(StoredRecord { collection, id, value, version }))
        }
        (RowKey::Record(_), Write::Remove) => None,
        (key, _) => return Err(broken(format!("{key} is written as a row of another kind"))),
    };
    Ok(RowWrite { key, row, data_version, live, references, fingerprint })
}

fn facts(seen: &Seen, scope: &Scope, facts: &[String]) -> Result<BTreeSet<String>, Unkept> {
    check_keys("fact", facts)?;
    let mut new = BTreeSet::new();
    for (fact, known) in facts.iter().zip(seen.store.known(scope, facts)?) {
        // A fact happens once: the event that noted it first is the one that is kept.
        if !known {
            new.insert(fact.clone());
        }
    }
    Ok(new)
}

/// Whether an account holds a claim, and until when.
enum Held {
    No,
    Until(Option<Timestamp>),
}

fn claims(seen: &Seen, scope: &Scope, changes: &[ClaimChange], kept: &mut Kept) -> Result<(), Unkept> {
    let now = seen.context.now;
    for change in changes {
        let (ClaimChange::Take { key, .. } | ClaimChange::Release { key, .. }) = change;
        contract(check::id("claim key", key))?;
        let full = seen.context.full_key(key);
        let row = match (kept.changes.claims.get(&full), seen.claims.get(&full)) {
            (Some(row), _) | (None, Some(row)) => row.clone(),
            (None, None) => {
                let row = seen.store.claims(std::slice::from_ref(&full))?.into_iter().next().flatten();
                // The extension did not ask, so that nothing else makes the commit depend on it.
                kept.changes.expected.claims.push((full.clone(), row.clone()));
                row
            }
        };
        let live = row.as_ref().filter(|row| row.until.is_none_or(|until| until > now));
        let held = match live.and_then(|row| row.holder.as_ref()) {
            Some(holder) if *holder == scope.account => Held::Until(live.and_then(|row| row.until)),
            Some(_) if matches!(change, ClaimChange::Take { .. }) => {
                return Err(broken(format!("it takes claim `{key}`, which another account holds")));
            }
            _ => Held::No,
        };
        let blocked = row.as_ref().is_some_and(|row| row.blocked_until.is_some_and(|until| until > now));
        match change {
            ClaimChange::Take { until, .. } => {
                let until = match held {
                    Held::No if blocked => return Err(broken(format!("it takes claim `{key}`, which is blocked"))),
                    Held::No => {
                        if !kept.claims_taken.contains(&full) {
                            kept.claims_taken.push(full.clone());
                        }
                        *until
                    }
                    // A claim only ever grows, so that events in another order end with the same one.
                    Held::Until(before) if longer(*until, before) => *until,
                    Held::Until(_) => continue,
                };
                let holder = Some(scope.account.clone());
                kept.changes.claims.insert(full, Some(ClaimRow { holder, until, blocked_until: None }));
            }
            ClaimChange::Release { blocked_until, .. } => {
                if matches!(held, Held::No) {
                    continue;
                }
                kept.claims_taken.retain(|taken| *taken != full);
                let block = blocked_until.filter(|until| *until > now);
                let block = block.map(|until| ClaimRow { holder: None, until: None, blocked_until: Some(until) });
                kept.changes.claims.insert(full, block);
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

/// The outbox as one decision changes it.
struct Outbox<'a> {
    seen: &'a Seen,
    scope: &'a Scope,
    changes: Vec<EffectChange>,
    /// Where the changes to a key stand in `changes`.
    places: HashMap<String, Vec<usize>>,
}

impl Outbox<'_> {
    /// Ask for an effect; false if the same one is there already.
    fn ask(&mut self, effect: &Effect) -> Result<bool, Unkept> {
        contract(check_sizes(effect))?;
        self.check(effect)?;
        let rows = self.generations(&effect.key)?;
        let mut same = false;
        for row in &rows {
            if row.effect.generation > effect.generation {
                return Err(broken(format!("effect key `{}` has a newer generation", effect.key)));
            }
            if row.effect.generation == effect.generation {
                if !same_contents(row, effect) {
                    return Err(broken(format!("effect key `{}` was used with other contents", effect.key)));
                }
                same = true;
            }
        }
        if same {
            return Ok(false);
        }
        rows.into_iter().filter(not_started).for_each(|row| self.set_cancelled(row));
        let now = self.seen.context.now;
        let row = EffectRow {
            seq: 0,
            scope: self.scope.clone(),
            effect: effect.clone(),
            state: EffectState::Queued,
            attempts: 0,
            due_at: effect.not_before.unwrap_or(now),
            created_at: now,
            caused_by: self.seen.context.event_id.clone(),
            lease: Lease::default(),
            erased: false,
        };
        self.push(effect.key.clone(), EffectChange::Insert(Box::new(row)));
        Ok(true)
    }

    fn cancel(&mut self, key: &str) -> Result<(), Unkept> {
        let rows = self.generations(key)?;
        rows.into_iter().filter(not_started).for_each(|row| self.set_cancelled(row));
        Ok(())
    }

    fn check(&self, effect: &Effect) -> Result<(), Unkept> {
        let invalid = |text: &str| Err(broken(format!("{} `{}`: {text}", effect.kind, effect.key)));
        match effect.kind.as_str() {
            TIMER if effect.not_before.is_none() => return invalid("a timer needs a not-before"),
            MESSAGE if effect.to.is_none() => return invalid("a message needs a receiver"),
            PROVIDER_EVENT => {
                if let Err(problem) = ProviderEvent::parse(&effect.payload) {
                    return invalid(&format!("payload: {problem}"));
                }
            }
            ERASE if effect.payload != "{}" => return invalid("payload: an erasure has none, expected `{}`"),
            ERASE if self.scope.account == Account::Platform => {
                return invalid("the catalog's account is not erased, expected a user or an organization");
            }
            TIMER | MESSAGE | ERASE => {}
            kind if !self.seen.context.declared.declares_effect(kind) => {
                return Err(broken(format!("unknown effect kind `{kind}`")));
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

    /// The generations of a key as they stand now, oldest first.
    fn generations(&self, key: &str) -> Result<Vec<EffectRow>, Unkept> {
        let mut rows = self.seen.store.effect(self.scope, key)?;
        for place in self.places.get(key).into_iter().flatten() {
            match &self.changes[*place] {
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
        for place in self.places.get(&row.effect.key).into_iter().flatten() {
            if let EffectChange::Insert(own) = &mut self.changes[*place]
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
        self.places.entry(key).or_default().push(self.changes.len());
        self.changes.push(change);
    }
}

fn not_started(row: &EffectRow) -> bool {
    row.state == EffectState::Queued && row.attempts == 0
}

/// Who waits for the end of an effect, and what comes back with it, is not part of it. What an erased one was asked with
/// is not known any more, so that it differs from nothing.
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

fn check_sizes(effect: &Effect) -> Result<(), StoreError> {
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
