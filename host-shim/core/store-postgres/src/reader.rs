//! Readers, each with its own connection, and the new events that they report.

use crate::error::OpenError;
use crate::settings::Settings;
use crate::store::PostgresStore;
use crate::{decode, news, schema};
use host_store::implementation::Lend;
use host_store::{News, NewsPlace, Partition, Read, Reader, StoreError, Stored};
use std::cell::Cell;

impl PostgresStore {
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
}

/// A reader with its own connection, and a transaction during a snapshot.
pub(crate) struct PostgresReader {
    store: PostgresStore,
    /// Number of the connection that last read new events.
    news_from: Cell<u64>,
}

impl PostgresReader {
    pub(crate) fn new(store: PostgresStore) -> PostgresReader {
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
            // A restart of the server is noticed by the first query after it; nothing has been read yet.
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
            // Nothing was written, and closing the connection ends the snapshot too.
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
