//! The store in SQLite: one file, one writing connection, durable when a group is committed.
//!
//! Rows are typed columns; what only the extension reads stays the text that it wrote, and bytes stay bytes, so that
//! nothing is encoded twice. Statements are prepared once. One event costs one savepoint and a statement a row.

mod claims;
mod effects;
mod inbox;
mod rows;
mod schema;
mod scopes;
mod text;

use crate::changes::{Applied, Changes, InboxChange};
use crate::reach::{Graph, Rows, catalog_keys, reach};
use crate::rows::{ClaimRow, EffectRow, InboxRow, OpenedRows, Run};
use crate::scope::{Partition, Scope};
use crate::store::Store;
use products_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, RecordKey, Reference, Row, RowKey, RowKind, Selection,
    StoreError, Stored, StoredRow, Timestamp,
};
use rows::Held;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use scopes::{Known, Scopes};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared: more than there are, so that none is ever prepared twice.
const STATEMENTS_MAX: usize = 128;
/// Page cache in KiB: bounds the memory of a host at rest, whatever the size of the file.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages in the write-ahead log before they go to the file (16 MiB): fewer, larger checkpoints.
const CHECKPOINT_PAGES: i64 = 4096;
/// Size to which the write-ahead log is cut after a checkpoint.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// The disk: what was committed outlives a power failure.
    #[default]
    Full,
    /// The operating system: it outlives the process, but the last groups may be lost with the machine.
    Normal,
}

/// Why a file cannot be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be made or opened.
    #[error("cannot open {path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It was written by a newer version of this program.
    #[error("schema version {found} is newer than the newest known one, {known}")]
    TooNew {
        /// The file's `user_version`.
        found: i64,
        /// The newest that this program knows.
        known: usize,
    },
    /// It is a database, but not one of ours.
    #[error("a foreign database: {tables} tables and indexes without a schema version")]
    Foreign {
        /// Entries of its schema.
        tables: i64,
    },
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A store in SQLite. One process may write at a time; others may read.
pub struct SqliteStore {
    connection: Connection,
    scopes: Scopes,
    /// SQLite's counter of changes by other connections when the group began.
    seen_changes: i64,
    in_group: bool,
}

impl SqliteStore {
    /// Open or make a file; a new one can be read by its owner only.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Synchronous::Full)
    }

    /// The same, with a choice of what a commit waits for.
    pub fn open_with(path: impl AsRef<Path>, synchronous: Synchronous) -> Result<Self, OpenError> {
        let path = path.as_ref();
        create_private(path).map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
        Self::prepare(Connection::open(path)?, synchronous)
    }

    /// A store that ends with the process.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        Self::prepare(Connection::open_in_memory()?, Synchronous::Normal)
    }

    fn prepare(mut connection: Connection, synchronous: Synchronous) -> Result<Self, OpenError> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Else SQLite prepares a statement anew for each value that could make a partial index apply.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Before the mode of the journal, since that writes to a file which may not be ours.
        schema::migrate(&mut connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        let synchronous = match synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        Ok(SqliteStore { connection, scopes: Scopes::default(), seen_changes: -1, in_group: false })
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn begin_group(&mut self) -> Result<(), rusqlite::Error> {
        self.run("BEGIN IMMEDIATE")?;
        let changes = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        match changes {
            Ok(changes) if changes == self.seen_changes => {}
            Ok(changes) => {
                self.scopes.forget();
                self.seen_changes = changes;
            }
            Err(error) => {
                self.run("ROLLBACK")?;
                return Err(error);
            }
        }
        self.in_group = true;
        Ok(())
    }

    /// Take back to `undo` what a failed change did.
    fn undo(&mut self, undo: &[&str]) -> Stored<()> {
        self.scopes.forget();
        undo.iter().try_for_each(|sql| self.run(sql)).map_err(unavailable)
    }

    /// A group that SQLite itself threw away, as it does when the disk is full, must not go on as if it were there.
    fn check_group(&self) -> Stored<()> {
        if self.in_group && self.connection.is_autocommit() {
            return Err(StoreError::Unavailable("the group was rolled back by an earlier error".into()));
        }
        Ok(())
    }

    /// Run a write in a group: the open one under a savepoint, or one of its own.
    fn write<T>(&mut self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        self.check_group()?;
        let grouped = self.in_group;
        if grouped {
            self.run("SAVEPOINT change").map_err(unavailable)?;
        } else {
            self.begin_group().map_err(unavailable)?;
        }
        let answer = body(self);
        if grouped {
            match answer {
                Ok(answer) => self.run("RELEASE change").map(|()| answer).map_err(unavailable),
                Err(error) if self.connection.is_autocommit() => Err(error),
                Err(error) => self.undo(&["ROLLBACK TO change", "RELEASE change"]).and(Err(error)),
            }
        } else {
            let answer = match answer {
                Ok(answer) => self.run("COMMIT").map(|()| answer).map_err(unavailable),
                Err(error) => Err(error),
            };
            self.in_group = false;
            match answer {
                Err(error) if self.connection.is_autocommit() => {
                    self.scopes.forget();
                    Err(error)
                }
                Err(error) => self.undo(&["ROLLBACK"]).and(Err(error)),
                Ok(answer) => Ok(answer),
            }
        }
    }

    /// Read several rows as of one moment.
    fn read<T>(&self, body: impl FnOnce(&Self) -> Stored<T>) -> Stored<T> {
        if self.in_group {
            return body(self);
        }
        self.run("SAVEPOINT snapshot").map_err(unavailable)?;
        let answer = body(self);
        // Nothing was written, so either end is as good.
        self.run("RELEASE snapshot").map_err(unavailable)?;
        answer
    }

    fn apply_all(&self, changes: &Changes) -> Stored<Applied> {
        if !self.holds(changes)? {
            return Ok(Applied::Conflict);
        }
        let mut seq = None;
        // Before anything else is written: a conflict has then nothing to undo.
        if let Some(InboxChange::New(new)) = &changes.inbox {
            let partition = Partition { business: new.event.business.clone(), livemode: new.livemode };
            let number = self.scopes.ensure_partition(&self.connection, &partition).map_err(refused)?;
            seq = inbox::insert(&self.connection, number, new).map_err(refused)?;
            if seq.is_none() {
                return Ok(Applied::Conflict);
            }
        }
        if let Some(scope) = changes.scope.as_ref().filter(|_| changes.has_rows()) {
            self.apply_rows(scope, changes)?;
        }
        if let Some(InboxChange::Move(change)) = &changes.inbox
            && !inbox::change(&self.connection, change).map_err(refused)?
        {
            return Err(StoreError::Unavailable(format!("no inbox row {}", change.seq)));
        }
        Ok(Applied::Done { seq })
    }

    /// True if everything still is as a change expects it.
    fn holds(&self, changes: &Changes) -> Stored<bool> {
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
            if claims::claim(&self.connection, key).map_err(unavailable)? != *row {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn apply_rows(&self, scope: &Scope, changes: &Changes) -> Stored<()> {
        let connection = &self.connection;
        let known = self.scopes.ensure(connection, scope).map_err(refused)?;
        let revision = known.revision + u64::from(changes.decides());
        // Two purchases may exchange what a unique index guards: all old values go before the first new one comes.
        if changes.rows.len() > 1 {
            for write in &changes.rows {
                if let RowKey::Purchase(id) = &write.key {
                    rows::release_purchase(connection, known.id, id).map_err(refused)?;
                }
            }
        }
        for write in &changes.rows {
            rows::put(connection, known.id, revision, write).map_err(refused)?;
        }
        for fact in &changes.facts {
            rows::put_fact(connection, known.id, fact, &changes.event_id).map_err(refused)?;
        }
        for (key, row) in &changes.claims {
            claims::put(connection, key, row.as_ref()).map_err(refused)?;
        }
        if !changes.effects.is_empty() {
            let partition = self.scopes.ensure_partition(connection, &scope.partition()).map_err(refused)?;
            for change in &changes.effects {
                if !effects::change(connection, partition, known.id, change).map_err(refused)? {
                    return Err(StoreError::Unavailable("an effect to update is not there".into()));
                }
            }
        }
        let newest = changes.rows.iter().map(|write| write.data_version).max();
        let now = Known { id: known.id, revision, data_version: known.data_version.max(newest) };
        if now != known {
            self.scopes.set(connection, scope, now).map_err(refused)?;
        }
        Ok(())
    }

    fn known_scope(&self, scope: &Scope) -> Stored<Option<Known>> {
        self.scopes.find(&self.connection, scope, self.in_group).map_err(unavailable)
    }

    /// Read rows of a scope, if there is such a scope.
    fn of_scope<T: Default>(
        &self,
        scope: &Scope,
        read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>,
    ) -> Stored<T> {
        match self.known_scope(scope)? {
            Some(known) => read(&self.connection, known.id).map_err(unavailable),
            None => Ok(T::default()),
        }
    }

    /// Read rows of a partition, if there is such a partition.
    fn of_partition<T: Default>(
        &self,
        partition: &Partition,
        read: impl FnOnce(&Connection, i64) -> Result<T, rusqlite::Error>,
    ) -> Stored<T> {
        let number = self.scopes.find_partition(&self.connection, partition, self.in_group).map_err(unavailable)?;
        match number {
            Some(number) => read(&self.connection, number).map_err(unavailable),
            None => Ok(T::default()),
        }
    }

    /// The live rows of an account and what they and the named ones lead to.
    fn reached(&self, account: &AccountGraph<'_>, named: &[Reference]) -> Stored<Rows<Held>> {
        let live = rows::live(account.connection, account.scope, account.owner).map_err(unavailable)?;
        let live = live.into_iter().map(|held| (Arc::new(key_of(&held.stored.row)), held)).collect();
        reach(account, live, named)
    }
}

/// The rows of one account as a graph.
struct AccountGraph<'a> {
    connection: &'a Connection,
    scope: i64,
    owner: &'a Account,
}

impl Graph for AccountGraph<'_> {
    type Row = Held;

    fn row(&self, key: &RowKey) -> Stored<Option<Held>> {
        rows::one(self.connection, self.scope, self.owner, key).map_err(unavailable)
    }

    fn references<'a>(&self, row: &'a Held) -> &'a [Reference] {
        &row.references
    }

    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>> {
        let target = Reference::Row(key.clone());
        let texts = rows::referrers(self.connection, self.scope, &target, after, limit).map_err(unavailable)?;
        texts
            .into_iter()
            .map(|text| match text::row_key(&text) {
                Some(key) => Ok((text, key)),
                None => Err(StoreError::Unavailable(format!("damaged row: `{text}`"))),
            })
            .collect()
    }
}

fn key_of(row: &Row) -> RowKey {
    match row {
        Row::Product(row) => RowKey::Product(row.id.clone()),
        Row::Price(row) => RowKey::Price(row.id.clone()),
        Row::Purchase(row) => RowKey::Purchase(row.id.clone()),
        Row::Subscription(row) => RowKey::Subscription(row.id.clone()),
        Row::Record(row) => RowKey::Record(RecordKey { collection: row.collection.clone(), id: row.id.clone() }),
    }
}

/// A part of the catalog, which is the scope of this number.
fn catalog_row(connection: &Connection, scope: i64, key: &CatalogKey) -> Result<Option<CatalogRow>, rusqlite::Error> {
    let key = match key {
        CatalogKey::Product(id) => RowKey::Product(id.clone()),
        CatalogKey::Price(id) => RowKey::Price(id.clone()),
        CatalogKey::Setting(_) => return Ok(None),
    };
    Ok(rows::one(connection, scope, &Account::Platform, &key)?.and_then(|held| match held.stored.row {
        Row::Product(row) => Some(CatalogRow::Product(row)),
        Row::Price(row) => Some(CatalogRow::Price(row)),
        Row::Purchase(_) | Row::Subscription(_) | Row::Record(_) => None,
    }))
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Nobody reads an error here; what an open group did was never promised to anybody.
        if self.in_group {
            let _ = self.rollback();
        }
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// An error of a write: a unique index by its name, anything else as it is.
fn refused(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, Some(text)) = &error
        && code.code == ErrorCode::ConstraintViolation
    {
        let indexes = [
            ("purchases.session_id", "purchase.session"),
            ("purchases.payment_intent_id", "purchase.payment-intent"),
            ("facts.fact", "fact"),
            ("effects.generation", "effect.generation"),
        ];
        if let Some((_, index)) = indexes.iter().find(|(column, _)| text.contains(column)) {
            return StoreError::Taken((*index).to_owned());
        }
    }
    unavailable(error)
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Stored<()> {
        if self.in_group {
            return Err(StoreError::Unavailable("a group is open already".into()));
        }
        self.begin_group().map_err(unavailable)
    }

    fn commit(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Unavailable("no group is open".into()));
        }
        self.check_group()?;
        self.run("COMMIT").map_err(unavailable)?;
        self.in_group = false;
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        if !self.in_group {
            return Err(StoreError::Unavailable("no group is open".into()));
        }
        self.scopes.forget();
        if !self.connection.is_autocommit() {
            self.run("ROLLBACK").map_err(unavailable)?;
        }
        self.in_group = false;
        Ok(())
    }

    fn apply(&mut self, changes: &Changes) -> Stored<Applied> {
        changes.check()?;
        self.write(|store| store.apply_all(changes))
    }

    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.read(|store| {
            let connection = &store.connection;
            let account = store.known_scope(scope)?;
            let catalog = store.known_scope(&scope.catalog())?;
            let rows = match account {
                Some(known) => {
                    store.reached(&AccountGraph { connection, scope: known.id, owner: &scope.account }, named)?
                }
                None => Rows::new(),
            };
            let references = rows.values().flat_map(|held| &held.references);
            let keys = catalog_keys(named.iter().chain(references));
            let catalog_rows = catalog.map_or(Ok(Vec::new()), |catalog| {
                let rows = keys.into_iter().map(|key| catalog_row(connection, catalog.id, key));
                rows.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()
            });
            Ok(OpenedRows {
                account_revision: account.map_or(0, |known| known.revision),
                catalog_revision: catalog.map_or(0, |known| known.revision),
                catalog: catalog_rows.map_err(unavailable)?,
                rows: rows.into_values().map(|held| held.stored).collect(),
                facts: store.known(scope, facts)?,
            })
        })
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        self.read(|store| {
            let Some(known) = store.known_scope(scope)? else { return Ok(vec![None; keys.len()]) };
            let row = |key| rows::one(&store.connection, known.id, &scope.account, key);
            keys.iter().map(|key| Ok(row(key).map_err(unavailable)?.map(|held| held.stored))).collect()
        })
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| match selection {
            Selection::Listed(listing) => rows::listed(connection, number, &scope.account, listing, limit),
            Selection::Outdated(kind, fingerprint) => {
                rows::outdated(connection, number, &scope.account, kind, fingerprint, limit)
            }
        })
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        self.of_scope(scope, |connection, number| rows::all(connection, number, &scope.account, kind, after, limit))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        self.of_scope(scope, rows::collections)
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|store| {
            let Some(known) = store.known_scope(scope)? else { return Ok(vec![false; facts.len()]) };
            let knows = |fact: &String| rows::knows(&store.connection, known.id, fact).map_err(unavailable);
            facts.iter().map(knows).collect()
        })
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        self.of_scope(scope, |connection, number| rows::fact(connection, number, fact))
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        Ok(self.known_scope(scope)?.map_or(0, |known| known.revision))
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        Ok(self.known_scope(scope)?.and_then(|known| known.data_version))
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        let claim = |store: &Self, key: &String| claims::claim(&store.connection, key).map_err(unavailable);
        self.read(|store| full_keys.iter().map(|key| claim(store, key)).collect())
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        claims::held(&self.connection, scope, prefix).map_err(unavailable)
    }

    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        claims::each(&self.connection, partition, visit).map_err(unavailable)
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        self.of_scope(&partition.scope(Account::Platform), |connection, number| match query {
            CatalogQuery::All => rows::products(connection, number, None, after, limit),
            CatalogQuery::ProductType(name) => rows::products(connection, number, Some(name), after, limit),
            CatalogQuery::Name(name) => rows::products_named(connection, number, name, after, limit),
        })
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        self.read(|store| {
            let catalog = store.known_scope(&partition.scope(Account::Platform))?;
            let Some(known) = catalog else { return Ok(vec![None; keys.len()]) };
            let row = |key| catalog_row(&store.connection, known.id, key).map_err(unavailable);
            keys.iter().map(row).collect()
        })
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        self.of_scope(scope, |connection, number| effects::generations(connection, number, key))
    }

    fn effects_due(&self, partition: &Partition, now: Timestamp, timers: bool, limit: usize) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, |connection, number| effects::due(connection, number, now, timers, limit))
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.of_partition(partition, effects::running)
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        match account {
            None => self.of_partition(partition, effects::open),
            Some(account) => self.of_scope(&partition.scope(account.clone()), effects::open_of),
        }
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.of_partition(partition, |connection, number| effects::next_due(connection, number, now))
    }

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        inbox::event(&self.connection, partition, source, id).map_err(unavailable)
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        inbox::row(&self.connection, seq).map_err(unavailable)
    }

    fn inbox_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        inbox::after(&self.connection, after, limit).map_err(unavailable)
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        inbox::runs(&self.connection, seq).map_err(unavailable)
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| inbox::due(connection, number, now, limit))
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.of_partition(partition, |connection, number| inbox::next_due(connection, number, now))
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        inbox::woken_by(&self.connection, keys).map_err(unavailable)
    }

    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| inbox::parked_before(connection, number, before, limit))
    }

    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.of_partition(partition, |connection, number| inbox::deferred_before(connection, number, before, limit))
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        self.of_partition(partition, inbox::parked_count)
    }

    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.of_partition(partition, |connection, number| inbox::dead(connection, number, after, limit))
    }

    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let mut failed = self.read(|store| {
            store.of_partition(partition, |connection, number| {
                let mut failed = inbox::pending(connection, number, after, limit)?;
                failed.extend(inbox::dead(connection, number, after, limit)?);
                Ok(failed)
            })
        })?;
        failed.sort_unstable_by_key(|row| row.seq);
        failed.truncate(limit);
        Ok(failed)
    }

    fn scopes(&self) -> Stored<Vec<Scope>> {
        scopes::all(&self.connection).map_err(unavailable)
    }
}
