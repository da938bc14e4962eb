//! The groups of a store: transactions, savepoints, and finding out the fate of a commit whose answer is lost.

use crate::reader::PostgresReader;
use crate::store::{PostgresStore, StoredEvent};
use crate::wire::{BEGIN, Params};
use crate::{decode, effects};
use host_store::{Applied, Changes, EffectRow, LeaseRequest, Partition, Reader, Store, StoreError, Stored};
use std::time::{Duration, Instant};

/// Pause between two checks.
const FATE_PAUSE: Duration = Duration::from_millis(100);

/// Writes pages of a new file, for which a full disk has no space, and changes nothing. A temporary table that stayed would hold up the
/// server's cleanup, and a permanent one would wait for every backup.
const WRITE_TEST: &str = "DO $$ BEGIN
    IF has_database_privilege(current_database(), 'TEMP') THEN
        PERFORM set_config('temp_tablespaces', '', true);
        CREATE TEMP TABLE write_test ON COMMIT DROP AS SELECT repeat('x', 1800) FROM generate_series(1, 20);
    END IF;
    UPDATE schema_version SET version = version;
END $$";

impl PostgresStore {
    /// Runs `body` in the open group, or in its own group.
    fn grouped<T>(&mut self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body(self);
        }
        self.begin()?;
        let done = body(self).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            // The first error is more informative; in both cases no change remains.
            let _ = self.rollback();
        }
        done
    }

    /// Returns true if a transaction was certainly committed, although the answer is lost. Its number alone is no proof: after a crash,
    /// the server may assign it to another transaction.
    fn is_committed(&self, transaction: &str, event: &StoredEvent) -> bool {
        // As long as waiting for an answer.
        let until = Instant::now() + self.wire.settings().answer_time();
        // The row's own transaction has a different number if the event was stored after a savepoint.
        let sql = "SELECT pg_xact_status($1::text::xid8), EXISTS (SELECT FROM events \
                   WHERE seq = $2 AND source = $3 AND id = $4)";
        while Instant::now() < until {
            let params: Params<'_> = &[&transaction, &event.seq, &event.source, &event.id];
            let found = self.wire.ensure().and_then(|()| self.wire.query_one(sql, params)).ok().flatten();
            let status = found.as_ref().and_then(|row| decode::get::<Option<String>>(row, 0).ok().flatten());
            match (status.as_deref(), found) {
                (Some("committed"), Some(row)) => return decode::get(&row, 1) == Ok(true),
                (Some("aborted"), _) => return false,
                // The server may not have noticed yet that the connection is broken, or may be starting.
                _ => std::thread::sleep(FATE_PAUSE),
            }
        }
        false
    }
}

impl Store for PostgresStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        self.wire.ensure()?;
        self.wire.send_ahead(BEGIN);
        self.in_group = true;
        Ok(())
    }

    fn commit(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        if self.is_broken.get() {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        self.settle_held()?;
        let transaction = self.transaction.take().zip(self.held.borrow().event.clone());
        if !self.wire.is_to_begin()
            && let Err(error) = self.wire.execute("COMMIT")
            && !transaction.is_some_and(|(number, event)| self.is_committed(&number, &event))
        {
            self.is_broken.set(true);
            return Err(error);
        }
        self.forget_group();
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        let has_begun = !self.wire.is_to_begin();
        self.forget_group();
        if has_begun && self.wire.execute("ROLLBACK").is_err() {
            // A closed connection rolls back too.
            self.wire.disconnect();
        }
        Ok(())
    }

    fn try_write(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        // One statement is its own transaction; without a group it is repeated over a new connection.
        self.query_now(WRITE_TEST, &[]).map(drop)
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        self.grouped(|store| store.apply_in_group(changes))
    }

    fn lease(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        let LeaseRequest { partition, owner, now, until, chosen } = *request;
        let chosen: Vec<i64> = chosen.iter().map(|seq| decode::column(*seq)).collect();
        self.grouped(|store| {
            let params: Params<'_> = &[&partition.business, &partition.livemode, &now, &chosen, &until, &owner];
            store.effects(&effects::LEASE, params)
        })
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        if self.in_group {
            return Err(StoreError::Misuse("a reader is opened outside of a group".into()));
        }
        let store = Self::of(self.wire.settings()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Box::new(PostgresReader::new(store)))
    }

    fn peer(&self) -> Stored<Option<Box<dyn Store>>> {
        let store = Self::of(self.wire.settings()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Some(Box::new(store)))
    }

    fn has_peers(&self) -> bool {
        true
    }

    fn begin_together(&mut self, partition: &Partition, events: &[(&str, &str)]) -> Stored<bool> {
        self.begin_held(partition, events).map(|()| true)
    }

    fn settle(&mut self) -> Stored<()> {
        self.settle_held()
    }

    fn mark(&mut self) -> Stored<()> {
        if self.together.borrow().is_some() {
            return Err(StoreError::Misuse("a group whose changes may wait has no marks".into()));
        }
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        // A later savepoint hides the earlier one of the same name, which is released.
        self.wire.send_ahead(if self.at_mark.is_some() { "RELEASE step; SAVEPOINT step" } else { "SAVEPOINT step" });
        self.at_mark = Some(self.held.borrow().clone());
        Ok(())
    }

    fn undo(&mut self) -> Stored<()> {
        let Some(held) = self.at_mark.clone() else { return Err(StoreError::Misuse("no mark is set".into())) };
        self.wire.execute("ROLLBACK TO step").inspect_err(|_| self.is_broken.set(true))?;
        self.is_broken.set(false);
        // The rollback has released the locks taken since the mark.
        self.held.replace(held);
        Ok(())
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The changes of an open group were never acknowledged, so an error need not be reported.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}
