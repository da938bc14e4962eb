//! The handle that writes, and readers: transactions, savepoints, and what becomes of a commit whose answer is lost.

use crate::catalog::CatalogCache;
use crate::columns::Numbered;
use crate::settings::{OpenError, Settings};
use crate::together::Together;
use crate::wire::{BEGIN, Params, Wire};
use crate::{columns, decode, effects, erase, locks, news, schema};
use extension_contract::Account;
use host_store::implementation::Lend;
use host_store::implementation::sql::{Dialect, Texts};
use host_store::{
    Applied, Changes, Conflict, EffectRow, InboxChange, LeaseRequest, News, NewsPlace, Partition, Read, Reader, Scope,
    Store, StoreError, Stored,
};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// Pause between two looks.
const FATE_PAUSE: Duration = Duration::from_millis(100);

/// What a transaction holds.
#[derive(Clone, Default)]
struct Held {
    /// True once the transaction has locks: then it must not wait for others.
    locks: bool,
    /// True once the numbers of events that it may get are marked as open.
    open_numbers: bool,
    /// The first new event that it has stored.
    event: Option<StoredEvent>,
}

/// A new event of a transaction. It tells this transaction from a later one that gets the same number, because a crash of the server
/// has lost both the transaction and the fact that its number was used.
#[derive(Clone)]
struct StoredEvent {
    seq: i64,
    source: String,
    id: String,
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
    /// The changes that wait, in a group in which they may.
    pub(crate) together: RefCell<Option<Together>>,
    /// The texts of queries.
    pub(crate) texts: Texts,
    /// Rows of the catalog that events have needed.
    pub(crate) catalog: RefCell<CatalogCache>,
    /// True after the open group has changed a catalog.
    pub(crate) catalog_is_written: Cell<bool>,
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
        Ok(Box::new(PostgresReader::new(store)))
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
            together: RefCell::default(),
            texts: Texts::of(Dialect::Postgres),
            catalog: RefCell::default(),
            catalog_is_written: Cell::new(false),
            snapshot_end: Cell::new(None),
        })
    }

    /// Runs a query that may read what any change of the open group has written.
    pub(crate) fn query(&self, sql: &str, params: Params<'_>) -> Stored<Vec<Row>> {
        self.settle_held()?;
        self.query_now(sql, params)
    }

    /// Runs a query that reads nothing that waiting changes write. After an error in a group, only the group's rollback or the way
    /// back to its mark can follow.
    pub(crate) fn query_now(&self, sql: &str, params: Params<'_>) -> Stored<Vec<Row>> {
        if !self.in_group {
            self.wire.ensure()?;
        } else if self.is_broken.get() {
            return Err(StoreError::Unavailable("the open group is incomplete after an earlier error".into()));
        }
        match self.wire.query(sql, params) {
            // Only reads run outside of a group. A restart of the server is noticed by the first of them.
            Err(_) if !self.in_group && self.wire.may_repeat() => {
                self.wire.ensure()?;
                self.wire.query(sql, params)
            }
            done => done.inspect_err(|_| self.is_broken.set(self.in_group)),
        }
    }

    pub(crate) fn query_one(&self, sql: &str, params: Params<'_>) -> Stored<Option<Row>> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Notes that the numbers of events that the transaction may get are marked as open.
    pub(crate) fn marked_open(&self) {
        self.held.borrow_mut().open_numbers = true;
    }

    /// Notes that the transaction takes locks. Returns true if it may wait for them.
    fn locks_now(&self) -> bool {
        !std::mem::replace(&mut self.held.borrow_mut().locks, true)
    }

    /// Lets the open group fail: only its rollback can follow.
    pub(crate) fn break_group(&self) {
        self.is_broken.set(true);
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
        if let Some(number) = self.hold(changes)? {
            return Ok(Applied::Done { seq: Some(number.unsigned_abs()) });
        }
        let number = self.together.borrow_mut().as_mut().and_then(|together| together.number_of(changes));
        let applied = self.apply_now(&[(number, changes)], &[]);
        if self.together.borrow().is_none() {
            return applied;
        }
        // A single event could be undone and decided again, but some changes of this group are held back, so the whole
        // group starts over.
        applied.map_err(|error| {
            self.break_group();
            StoreError::Unavailable(error.to_string())
        })
    }

    /// Applies the changes of one event or of a group at once. Fails if an event waits for one of the keys `wakes`.
    pub(crate) fn apply_now(&self, all: &[Numbered<'_>], wakes: &[String]) -> Stored<Applied> {
        let is_of_catalog = |scope: &Scope| scope.account == Account::Platform;
        if all.iter().any(|(_, it)| it.has_rows() && it.scope.as_ref().is_some_and(is_of_catalog)) {
            self.catalog_is_written.set(true);
        }
        let tag = (!self.held.borrow().open_numbers).then_some(self.tag);
        let row = columns::apply(self, all, wakes, self.locks_now(), tag)?;
        let row = row.ok_or_else(|| decode::damaged("apply_together has no result"))?;
        let detail = || decode::get::<Option<String>>(&row, 1).map(Option::unwrap_or_default);
        match decode::get::<&str>(&row, 0)? {
            "done" => {}
            "event" => return Ok(Applied::Conflict(Conflict::Event)),
            "effect" => return Ok(Applied::Conflict(Conflict::Effect)),
            "read" => return Ok(Applied::Conflict(Conflict::Read)),
            "taken" => return Err(StoreError::Taken(detail()?)),
            "misuse" => return Err(StoreError::Misuse(detail()?)),
            "wakes" => return Err(StoreError::Locked("an event waits for what the group brings".into())),
            _ => return Err(StoreError::Locked("another transaction changes the same account, event or claim".into())),
        }
        self.transaction.replace(decode::get(&row, 3)?);
        let seq: Option<i64> = decode::get(&row, 2)?;
        if let Some(seq) = seq {
            let event = all.iter().find_map(|(_, changes)| match &changes.inbox {
                Some(InboxChange::New(new)) => Some(&new.event),
                _ => None,
            });
            let mut held = self.held.borrow_mut();
            held.open_numbers = true;
            if held.event.is_none() {
                held.event = event.map(|event| StoredEvent { seq, source: event.source.clone(), id: event.id.clone() });
            }
        }
        for (_, changes) in all {
            if let Some(scope) = changes.scope.as_ref().filter(|_| changes.erase) {
                erase::account(self, scope)?;
            }
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
        self.together.replace(None);
        self.catalog_is_written.set(false);
    }

    /// Returns true if a transaction was certainly committed, although the answer is lost. Its number alone proves
    /// nothing: after a crash, the server may give it to another transaction.
    fn is_committed(&self, transaction: &str, event: &StoredEvent) -> bool {
        // As long as for an answer.
        let until = Instant::now() + self.wire.settings().answer_time();
        // The number of the row's own transaction differs if the event was stored after a savepoint.
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

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The changes of an open group were never acknowledged, so that an error needs no report.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}

/// Writes pages of a new file, which a full disk has no room for, and changes nothing. A temporary table that stayed would hold up the
/// server's cleaning, and a lasting one would wait for every backup.
const WRITE_TEST: &str = "DO $$ BEGIN
    IF has_database_privilege(current_database(), 'TEMP') THEN
        PERFORM set_config('temp_tablespaces', '', true);
        CREATE TEMP TABLE write_test ON COMMIT DROP AS SELECT repeat('x', 1800) FROM generate_series(1, 20);
    END IF;
    UPDATE schema_version SET version = version;
END $$";

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
            // A closed connection rolls back as well.
            self.wire.disconnect();
        }
        Ok(())
    }

    fn try_write(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Misuse("a group is already open".into()));
        }
        // One statement is a transaction of its own; without a group it is repeated over a new connection.
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
struct PostgresReader {
    store: PostgresStore,
    /// Number of the connection that has read the last news.
    news_from: Cell<u64>,
}

impl PostgresReader {
    fn new(store: PostgresStore) -> PostgresReader {
        let news_from = Cell::new(store.wire.number());
        PostgresReader { store, news_from }
    }
}

impl Lend for PostgresReader {
    fn lend<T>(&self, body: impl FnOnce(&dyn Read) -> Stored<T>) -> Stored<T> {
        match self.store.in_group {
            true => self.store.lend(body),
            false => Err(StoreError::Misuse("no snapshot is open".into())),
        }
    }
}

impl Reader for PostgresReader {
    fn begin(&mut self) -> Stored<()> {
        if self.store.in_group {
            return Err(StoreError::Misuse("a snapshot is already open".into()));
        }
        self.store.wire.ensure()?;
        // The end of the log is read before the snapshot is taken, in the same round trip.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
        let wire = &self.store.wire;
        let rows = match wire.query_then("SELECT log_end($1)", &[&self.store.tag], begin) {
            // A restart of the server is noticed by the first query after it; nothing was read yet.
            Err(_) if wire.may_repeat() => {
                wire.ensure()?;
                wire.query_then("SELECT log_end($1)", &[&self.store.tag], begin)?
            }
            done => done?,
        };
        self.store.snapshot_end.set(rows.first().map(|row| decode::get(row, 0)).transpose()?);
        self.store.in_group = true;
        Ok(())
    }

    fn end(&mut self) -> Stored<()> {
        if !self.store.in_group {
            return Err(StoreError::Misuse("no snapshot is open".into()));
        }
        if self.store.wire.execute("COMMIT").is_err() {
            // Nothing was written, and a closed connection ends the snapshot as well.
            self.store.wire.disconnect();
        }
        self.store.forget_group();
        self.store.snapshot_end.set(None);
        Ok(())
    }

    fn news(&self, partition: &Partition, after: Option<NewsPlace>, limit: usize) -> Stored<(Vec<News>, NewsPlace)> {
        let Some(end) = self.store.snapshot_end.get() else {
            return Err(StoreError::Misuse("no snapshot is open".into()));
        };
        let number = self.store.wire.number();
        let is_same = self.news_from.replace(number) == number;
        let after = if is_same { after } else { after.map(news::before_a_crash) };
        news::after(&self.store, partition, after, end, decode::limit(limit))
    }
}
