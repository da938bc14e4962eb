//! The handle that writes, and readers: transactions, savepoints, and what becomes of a commit whose answer is lost.

use crate::settings::{OpenError, Settings};
use crate::wire::{Params, Wire};
use crate::{change, decode, effects, erase, locks, schema};
use host_store::implementation::Lend;
use host_store::{Applied, Changes, Conflict, EffectRow, LeaseRequest, Read, Reader, Store, StoreError, Stored};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// Longest search for the fate of a commit whose answer is lost.
const FATE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const FATE_PAUSE: Duration = Duration::from_millis(100);

/// What a transaction holds.
#[derive(Clone, Default)]
struct Held {
    /// True once the transaction has locks: then it must not wait for others.
    locks: bool,
    /// True once the numbers of events that it may get are marked as open.
    open_numbers: bool,
}

/// A store in PostgreSQL. Any number of handles, of any number of hosts, may write at the same time.
pub struct PostgresStore {
    pub(crate) wire: Wire,
    /// Mark of the open numbers of this schema.
    pub(crate) tag: i64,
    pub(crate) in_group: bool,
    /// True after a statement of the open group failed.
    is_broken: Cell<bool>,
    held: RefCell<Held>,
    /// What the group held at the last mark.
    at_mark: Option<Held>,
    /// Number of the open group's transaction, once it has written.
    transaction: RefCell<Option<String>>,
    /// End of the log in a reader's snapshot.
    pub(crate) snapshot_end: Cell<Option<i64>>,
}

impl PostgresStore {
    /// Opens a store, and creates or migrates its schema.
    ///
    /// # Errors
    /// Fails if the database is not reached, is too old or not in UTF-8, has a newer schema, or refuses a statement.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let store = Self::of(settings)?;
        schema::migrate(&store.wire)?;
        Ok(store)
    }

    /// Opens a reader of a database that another process may write. It changes nothing, so the database must have this
    /// program's schema.
    ///
    /// # Errors
    /// Fails if the database is not reached, or has an older or newer schema.
    pub fn open_reader(settings: &Settings) -> Result<Box<dyn Reader>, OpenError> {
        let store = Self::of(settings)?;
        schema::check(&store.wire)?;
        Ok(Box::new(PostgresReader(store)))
    }

    fn of(settings: &Settings) -> Result<Self, OpenError> {
        Ok(PostgresStore {
            wire: Wire::connect(settings.clone())?,
            tag: locks::tag(settings.schema()),
            in_group: false,
            is_broken: Cell::new(false),
            held: RefCell::default(),
            at_mark: None,
            transaction: RefCell::default(),
            snapshot_end: Cell::new(None),
        })
    }

    /// Runs a query. After an error in a group, only the group's rollback or the way back to its mark can follow.
    pub(crate) fn query(&self, sql: &'static str, params: Params<'_>) -> Stored<Vec<Row>> {
        if !self.in_group {
            self.wire.ensure()?;
        } else if self.is_broken.get() {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        match self.wire.query(sql, params) {
            // Only reads run outside of a group. A restart of the server is noticed by the first of them.
            Err(_) if !self.in_group && !self.wire.is_connected() => {
                self.wire.ensure()?;
                self.wire.query(sql, params)
            }
            done => done.inspect_err(|_| self.is_broken.set(self.in_group)),
        }
    }

    pub(crate) fn query_one(&self, sql: &'static str, params: Params<'_>) -> Stored<Option<Row>> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Runs `body` in the open group, or in a group of its own.
    fn grouped<T>(&mut self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body(self);
        }
        self.begin()?;
        let done = body(self).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            // The first error says more; in both cases no change remains.
            let _ = self.rollback();
        }
        done
    }

    fn apply_in_group(&self, changes: &Changes) -> Stored<Applied> {
        let prepared = change::prepare(self.wire.settings().schema(), changes)?;
        let (waits, tag) = {
            let held = self.held.borrow();
            (!held.locks, (!held.open_numbers).then_some(self.tag))
        };
        let payload = prepared.payload.as_deref();
        self.held.borrow_mut().locks = true;
        let sql = "SELECT result, detail, seq, xid FROM apply_change($1::text::json, $2, $3, $4, $5)";
        let row = self.query_one(sql, &[&prepared.json, &payload, &prepared.raw, &waits, &tag])?;
        let row = row.ok_or_else(|| decode::damaged("apply_change has no result"))?;
        let detail = || decode::get::<Option<String>>(&row, 1).map(Option::unwrap_or_default);
        match decode::get::<&str>(&row, 0)? {
            "done" => {}
            "event" => return Ok(Applied::Conflict(Conflict::Event)),
            "effect" => return Ok(Applied::Conflict(Conflict::Effect)),
            "read" => return Ok(Applied::Conflict(Conflict::Read)),
            "taken" => return Err(StoreError::Taken(detail()?)),
            "misuse" => return Err(StoreError::Misuse(detail()?)),
            _ => return Err(StoreError::Locked("another transaction changes the same account, event or claim".into())),
        }
        self.transaction.replace(decode::get(&row, 3)?);
        let seq: Option<i64> = decode::get(&row, 2)?;
        if seq.is_some() {
            self.held.borrow_mut().open_numbers = true;
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
            erase::account(self, scope)?;
        }
        Ok(Applied::Done { seq: seq.map(i64::unsigned_abs) })
    }

    /// Ends the group's part in this program.
    fn forget_group(&mut self) {
        self.wire.forget_ahead();
        self.in_group = false;
        self.is_broken.set(false);
        self.held.replace(Held::default());
        self.at_mark = None;
        self.transaction.replace(None);
    }

    /// Finds out whether a transaction was committed, although the answer is lost; none if that cannot be known.
    fn fate(&self, transaction: &str) -> Option<bool> {
        let until = Instant::now() + FATE;
        while Instant::now() < until {
            let sql = "SELECT pg_xact_status($1::text::xid8)";
            let status = self.wire.ensure().and_then(|()| self.wire.query_one(sql, &[&transaction]));
            match status.ok().flatten().and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten()).as_deref() {
                Some("committed") => return Some(true),
                Some("aborted") => return Some(false),
                // The server may not have noticed yet that the connection is broken, or may be starting.
                _ => std::thread::sleep(FATE_PAUSE),
            }
        }
        None
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The changes of an open group were never acknowledged, so that an error needs no report.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}

impl Store for PostgresStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        self.wire.ensure()?;
        self.wire.send_ahead("BEGIN");
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
        let transaction = self.transaction.take();
        if !self.wire.has_ahead() {
            let committed = self.wire.execute("COMMIT");
            if let Err(error) = committed {
                let is_committed = transaction.is_some_and(|number| self.fate(&number) == Some(true));
                if !is_committed {
                    self.is_broken.set(true);
                    return Err(error);
                }
            }
        }
        self.forget_group();
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        let has_begun = !self.wire.has_ahead() || self.held.borrow().locks;
        self.forget_group();
        if has_begun && self.wire.execute("ROLLBACK").is_err() {
            // A closed connection rolls back as well.
            self.wire.disconnect();
        }
        Ok(())
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        self.grouped(|store| store.apply_in_group(changes))
    }

    fn lease_due(&mut self, request: &LeaseRequest<'_>) -> Stored<Vec<EffectRow>> {
        let LeaseRequest { partition, owner, now, until, timers, limit } = *request;
        self.grouped(|store| {
            let limit = decode::limit(limit);
            let rows = store.query(
                effects::LEASE_DUE,
                &[&partition.business, &partition.livemode, &now, &limit, &timers, &until, &owner],
            )?;
            rows.iter().map(effects::read).collect()
        })
    }

    fn reader(&self) -> Stored<Box<dyn Reader>> {
        if self.in_group {
            return Err(StoreError::Misuse("a reader is opened outside of a group".into()));
        }
        let store = Self::of(self.wire.settings()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Box::new(PostgresReader(store)))
    }

    fn peer(&self) -> Stored<Option<Box<dyn Store>>> {
        let store = Self::of(self.wire.settings()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Some(Box::new(store)))
    }

    fn has_peers(&self) -> bool {
        true
    }

    fn mark(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Misuse("no group is open".into()));
        }
        // A later savepoint of the same name hides the earlier one, which is released.
        self.wire.send_ahead(if self.at_mark.is_some() { "RELEASE step; SAVEPOINT step" } else { "SAVEPOINT step" });
        self.at_mark = Some(self.held.borrow().clone());
        Ok(())
    }

    fn undo(&mut self) -> Stored<()> {
        let Some(held) = self.at_mark.clone() else { return Err(StoreError::Misuse("no mark is set".into())) };
        self.wire.execute("ROLLBACK TO step").inspect_err(|_| self.is_broken.set(true))?;
        self.is_broken.set(false);
        // The rollback has released the locks since the mark.
        self.held.replace(held);
        Ok(())
    }
}

/// A reader with a connection of its own, and a transaction during a snapshot.
struct PostgresReader(PostgresStore);

impl Lend for PostgresReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        match self.0.in_group {
            true => body(&self.0),
            false => Err(StoreError::Misuse("no snapshot is open".into())),
        }
    }
}

impl Reader for PostgresReader {
    fn begin(&mut self) -> Stored<()> {
        if self.0.in_group {
            return Err(StoreError::Misuse("a snapshot is already open".into()));
        }
        self.0.wire.ensure()?;
        // The end of the log is read before the snapshot is taken, in the same round trip.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
        let rows = self.0.wire.query_then("SELECT log_end($1)", &[&self.0.tag], begin)?;
        self.0.snapshot_end.set(rows.first().map(|row| decode::get(row, 0)).transpose()?);
        self.0.in_group = true;
        Ok(())
    }

    fn end(&mut self) -> Stored<()> {
        if !self.0.in_group {
            return Err(StoreError::Misuse("no snapshot is open".into()));
        }
        if self.0.wire.execute("COMMIT").is_err() {
            // Nothing was written, and a closed connection ends the snapshot as well.
            self.0.wire.disconnect();
        }
        self.0.forget_group();
        self.0.snapshot_end.set(None);
        Ok(())
    }
}
