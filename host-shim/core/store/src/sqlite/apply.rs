//! Applies a change atomically. All refusals are checked before the first write, so that no savepoint is needed: with a
//! savepoint SQLite copies each page that an event changes.

use super::scopes::ScopeRow;
use super::{SqliteStore, effects, erase, inbox, replies, rows, unavailable};
use crate::changes::{Applied, Changes, Conflict, InboxChange};
use crate::error::Stored;
use crate::refusal::{Lookup, UniqueField, check};
use crate::scope::{Partition, Scope};
use extension_contract::RowKey;
use rusqlite::Connection;

impl SqliteStore {
    /// Returns the conflict of a change that must not be written; none if it may be written, an error for a refusal.
    pub(super) fn conflict(&self, changes: &Changes) -> Stored<Option<Conflict>> {
        let scope = changes.scope.as_ref().map_or(Ok(None), |scope| self.find_scope(scope))?;
        let changed = self.changed(changes, scope.map(|known| known.id))?;
        if changed.is_some() {
            return Ok(changed);
        }
        let refusal = check(changes, &ScopeLookup { connection: &self.connection, scope: scope.map(|known| known.id) });
        // If the inbox already has the event, the result is a conflict and not a refusal. Without a refusal, the insert
        // of the event detects the conflict.
        if refusal.is_err()
            && let Some(InboxChange::New(new)) = &changes.inbox
            && inbox::contains(&self.connection, new).map_err(unavailable)?
        {
            return Ok(Some(Conflict::Event));
        }
        refusal.map(|()| None)
    }

    /// Writes a change without a known [`SqliteStore::conflict`]. After an error, a part of the change may remain.
    pub(super) fn write_all(&self, changes: &Changes) -> Stored<Applied> {
        let mut seq = None;
        // This is the first write, so that a conflict has nothing to undo.
        if let Some(InboxChange::New(new)) = &changes.inbox {
            let partition = Partition { business: new.event.business.clone(), livemode: new.livemode };
            let number = self.scopes.ensure_partition(&self.connection, &partition).map_err(unavailable)?;
            seq = inbox::insert(&self.connection, number, new).map_err(unavailable)?;
            if seq.is_none() {
                return Ok(Applied::Conflict(Conflict::Event));
            }
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            self.write_rows(scope, changes)?;
        }
        if let Some(InboxChange::Move(change)) = &changes.inbox {
            inbox::change(&self.connection, change).map_err(unavailable)?;
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
            self.erase(scope).map_err(unavailable)?;
        }
        Ok(Applied::Done { seq })
    }

    /// Erases the personal data of a scope's account.
    fn erase(&self, scope: &Scope) -> Result<(), rusqlite::Error> {
        let connection = &self.connection;
        let partition = self.scopes.ensure_partition(connection, &scope.partition())?;
        erase::events(connection, partition, &scope.account)?;
        let known = self.scopes.ensure(connection, scope)?;
        erase::effects(connection, known.id)?;
        replies::erase(connection, known.id)?;
        self.erased.set(true);
        Ok(())
    }

    /// Returns the first condition of a change that does not hold, if any.
    fn changed(&self, changes: &Changes, scope: Option<i64>) -> Stored<Option<Conflict>> {
        use crate::store::Read;
        let (connection, expected) = (&self.connection, &changes.expected);
        if let (Some(state), Some(InboxChange::Move(change))) = (&expected.inbox, &changes.inbox)
            && inbox::is_in_other_state(connection, change.seq, state).map_err(unavailable)?
        {
            return Ok(Some(Conflict::Event));
        }
        for effect in &expected.effects {
            let has_lease = scope.map_or(Ok(false), |scope| effects::has_lease(connection, scope, effect));
            if !has_lease.map_err(unavailable)? {
                return Ok(Some(Conflict::Effect));
            }
        }
        for effect in &expected.generations {
            // A new scope has no effects.
            let has_them = match scope {
                Some(scope) => effects::has_generations(connection, scope, effect).map_err(unavailable)?,
                None => effect.generations.is_empty(),
            };
            if !has_them {
                return Ok(Some(Conflict::Effect));
            }
        }
        if let Some(scope) = &changes.scope {
            if let Some(revision) = expected.account_revision
                && self.revision(scope)? != revision
            {
                return Ok(Some(Conflict::Read));
            }
            if let Some(revision) = expected.catalog_revision
                && self.revision(&scope.catalog())? != revision
            {
                return Ok(Some(Conflict::Read));
            }
        }
        for (key, row) in &expected.claims {
            if self.claim(key)? != *row {
                return Ok(Some(Conflict::Read));
            }
        }
        Ok(None)
    }

    fn write_rows(&self, scope: &Scope, changes: &Changes) -> Stored<()> {
        let connection = &self.connection;
        let known = self.scopes.ensure(connection, scope).map_err(unavailable)?;
        let revision = known.revision + u64::from(changes.decides());
        // Two purchases may exchange unique values: release all old values before writing the new values.
        if changes.rows.len() > 1 {
            for write in &changes.rows {
                if let RowKey::Purchase(_) = &write.key {
                    rows::release_purchase(connection, known.id, &write.key).map_err(unavailable)?;
                }
            }
        }
        for write in &changes.rows {
            rows::put(connection, known.id, revision, changes.at, write).map_err(unavailable)?;
        }
        for fact in &changes.facts {
            rows::put_fact(connection, known.id, fact, &changes.event_id).map_err(unavailable)?;
        }
        for (key, row) in &changes.claims {
            self.claims.put(connection, key, row.as_ref()).map_err(unavailable)?;
        }
        if let Some((caller, reply)) = &changes.reply {
            replies::put(connection, known.id, caller, reply).map_err(unavailable)?;
        }
        if !changes.effects.is_empty() {
            let partition = self.scopes.ensure_partition(connection, &scope.partition()).map_err(unavailable)?;
            for change in &changes.effects {
                effects::change(connection, partition, known.id, change).map_err(unavailable)?;
            }
        }
        let newest = changes.rows.iter().map(|write| write.data_version).max();
        let now = ScopeRow { id: known.id, revision, data_version: known.data_version.max(newest) };
        if now != known {
            self.scopes.set(connection, scope, now).map_err(unavailable)?;
        }
        Ok(())
    }
}

/// Look-ups in a scope, which may not exist yet.
struct ScopeLookup<'a> {
    connection: &'a Connection,
    scope: Option<i64>,
}

impl ScopeLookup<'_> {
    fn read<T: Default>(&self, read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>) -> Stored<T> {
        self.scope.map_or_else(|| Ok(T::default()), |scope| read(self.connection, scope).map_err(unavailable))
    }
}

impl Lookup for ScopeLookup<'_> {
    fn purchase(&self, unique: UniqueField, value: &str) -> Stored<Option<RowKey>> {
        let sql = match unique {
            UniqueField::Session => rows::BY_SESSION,
            UniqueField::PaymentIntent => rows::BY_PAYMENT_INTENT,
        };
        self.read(|connection, scope| rows::purchase_by(connection, sql, scope, value))
    }

    fn fact(&self, fact: &str) -> Stored<bool> {
        self.read(|connection, scope| rows::has_fact(connection, scope, fact))
    }

    fn effect(&self, key: &str, generation: u32) -> Stored<bool> {
        self.read(|connection, scope| effects::exists(connection, scope, key, generation))
    }

    fn event(&self, seq: u64) -> Stored<bool> {
        inbox::has_row(self.connection, seq).map_err(unavailable)
    }
}
