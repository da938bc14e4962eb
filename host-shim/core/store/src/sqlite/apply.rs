//! A change, written whole. Whatever could refuse it is asked first, so that it needs no savepoint: one would have
//! SQLite copy each page that an event changes.

use super::scopes::Known;
use super::{SqliteStore, effects, erase, inbox, replies, rows, unavailable};
use crate::changes::{Applied, Changes, InboxChange};
use crate::refusal::{Present, Unique, check};
use crate::scope::{Partition, Scope};
use extension_contract::{RowKey, Stored};
use rusqlite::Connection;

impl SqliteStore {
    /// Whether a change may be written: everything still is as it expects it, and nothing refuses it.
    pub(super) fn may_apply(&self, changes: &Changes) -> Stored<bool> {
        if !self.holds(changes)? {
            return Ok(false);
        }
        let scope = changes.scope.as_ref().map_or(Ok(None), |scope| self.known_scope(scope))?;
        let refusal = check(changes, &There { connection: &self.connection, scope: scope.map(|known| known.id) });
        // An event that is in is a conflict, whatever else refuses the change; otherwise its insert tells.
        if refusal.is_err()
            && let Some(InboxChange::New(new)) = &changes.inbox
            && inbox::knows(&self.connection, new).map_err(unavailable)?
        {
            return Ok(false);
        }
        refusal.map(|()| true)
    }

    /// Write a change that [`SqliteStore::may_apply`] let pass. An error leaves a part of it behind.
    pub(super) fn write_all(&self, changes: &Changes) -> Stored<Applied> {
        let mut seq = None;
        // Before anything else is written: a conflict has then nothing to undo.
        if let Some(InboxChange::New(new)) = &changes.inbox {
            let partition = Partition { business: new.event.business.clone(), livemode: new.livemode };
            let number = self.scopes.ensure_partition(&self.connection, &partition).map_err(unavailable)?;
            seq = inbox::insert(&self.connection, number, new).map_err(unavailable)?;
            if seq.is_none() {
                return Ok(Applied::Conflict);
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

    /// Erase what the account of a scope said.
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

    /// True if everything still is as a change expects it.
    fn holds(&self, changes: &Changes) -> Stored<bool> {
        use crate::store::Store;
        let expected = &changes.expected;
        if let Some(scope) = &changes.scope {
            if let Some(revision) = expected.account_revision
                && self.revision(scope)? != revision
            {
                return Ok(false);
            }
            if let Some(revision) = expected.catalog_revision
                && self.revision(&scope.catalog())? != revision
            {
                return Ok(false);
            }
        }
        for (key, row) in &expected.claims {
            if self.claim(key)? != *row {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_rows(&self, scope: &Scope, changes: &Changes) -> Stored<()> {
        let connection = &self.connection;
        let known = self.scopes.ensure(connection, scope).map_err(unavailable)?;
        let revision = known.revision + u64::from(changes.decides());
        // Two purchases may exchange what a unique index guards: all old values go before the first new one comes.
        if changes.rows.len() > 1 {
            for write in &changes.rows {
                if let RowKey::Purchase(id) = &write.key {
                    rows::release_purchase(connection, known.id, id).map_err(unavailable)?;
                }
            }
        }
        for write in &changes.rows {
            rows::put(connection, known.id, revision, write).map_err(unavailable)?;
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
        let now = Known { id: known.id, revision, data_version: known.data_version.max(newest) };
        if now != known {
            self.scopes.set(connection, scope, now).map_err(unavailable)?;
        }
        Ok(())
    }
}

/// What is there, of a scope that is known, or of one that is not.
struct There<'a> {
    connection: &'a Connection,
    scope: Option<i64>,
}

impl There<'_> {
    fn ask<T: Default>(&self, ask: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>) -> Stored<T> {
        self.scope.map_or_else(|| Ok(T::default()), |scope| ask(self.connection, scope).map_err(unavailable))
    }
}

impl Present for There<'_> {
    fn purchase(&self, unique: Unique, value: &str) -> Stored<Option<RowKey>> {
        let sql = match unique {
            Unique::Session => rows::BY_SESSION,
            Unique::PaymentIntent => rows::BY_PAYMENT_INTENT,
        };
        self.ask(|connection, scope| rows::purchase_by(connection, sql, scope, value))
    }

    fn fact(&self, fact: &str) -> Stored<bool> {
        self.ask(|connection, scope| rows::knows(connection, scope, fact))
    }

    fn effect(&self, key: &str, generation: u32) -> Stored<bool> {
        self.ask(|connection, scope| effects::is_there(connection, scope, key, generation))
    }

    fn event(&self, seq: u64) -> Stored<bool> {
        inbox::is_there(self.connection, seq).map_err(unavailable)
    }
}
