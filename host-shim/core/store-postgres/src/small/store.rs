//! Opens tables, and runs statements in one of the two locations.

use crate::small::postgres::{Postgres, waiting};
use crate::small::sqlite;
use crate::small::value::{Row, Value};
use crate::small::{Place, Shape, SmallError};
use rusqlite::{Connection, TransactionBehavior};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Runs statements. On a [`SmallStore`] each statement is a transaction; on a [`Transaction`] all of them form one.
pub trait Statements {
    /// Runs a statement, and returns the number of changed rows.
    ///
    /// # Errors
    /// Fails if the database fails.
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, SmallError>;

    /// Runs a query, and returns its rows.
    ///
    /// # Errors
    /// Fails if the database fails.
    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError>;

    /// Runs a query, and reads each row.
    ///
    /// # Errors
    /// Fails if the database fails, or a row contains unexpected values.
    fn query<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&Row) -> Result<T, SmallError>,
    ) -> Result<Vec<T>, SmallError> {
        self.rows(sql, values)?.iter().map(read).collect()
    }

    /// Runs a query, and reads its first row; none without rows.
    ///
    /// # Errors
    /// Fails if the database fails, or the row contains unexpected values.
    fn query_one<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl FnOnce(&Row) -> Result<T, SmallError>,
    ) -> Result<Option<T>, SmallError> {
        self.rows(sql, values)?.first().map(read).transpose()
    }
}

enum Back {
    Sqlite(Box<Mutex<Connection>>),
    Postgres(Held),
}

/// A connection until it is dropped.
struct Held(Option<Box<Mutex<Postgres>>>);

impl Held {
    fn lock(&self) -> Result<MutexGuard<'_, Postgres>, SmallError> {
        let closed = || SmallError::Postgres("the connection is closed".to_owned());
        let began = Instant::now();
        let postgres = lock(self.0.as_deref().ok_or_else(closed)?);
        postgres.check_since(began)?;
        Ok(postgres)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing a connection waits too.
        let held = self.0.take();
        waiting(|| drop(held));
    }
}

/// Open tables, which the threads of a process use one at a time.
pub struct SmallStore(Back);

impl fmt::Debug for SmallStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Back::Sqlite(_) => "SmallStore(SQLite)",
            Back::Postgres(_) => "SmallStore(PostgreSQL)",
        })
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in between leaves a connection whose transaction is rolled back.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SmallStore {
    /// Opens tables; creates them, readable by their owner only, and migrates them to the newest version.
    ///
    /// # Errors
    /// Fails if the location cannot be accessed or used, or if the tables were written by a newer program.
    pub fn open(place: &Place, shape: &Shape) -> Result<SmallStore, SmallError> {
        let sqlite = |connection| SmallStore(Back::Sqlite(Box::new(Mutex::new(connection))));
        match place {
            Place::Memory => Ok(sqlite(sqlite::in_memory(shape)?)),
            Place::File(path) => Ok(sqlite(sqlite::open(path, shape)?)),
            Place::Postgres { settings, owner } => {
                let opened = waiting(|| Postgres::open(settings, owner, shape))?;
                Ok(SmallStore(Back::Postgres(Held(Some(Box::new(Mutex::new(opened)))))))
            }
        }
    }

    /// Runs `body` in a transaction: either all its changes are stored, or none if it fails. Meanwhile no other transaction of
    /// any host writes to these tables.
    ///
    /// # Errors
    /// Fails if `body` fails, or the database fails.
    pub fn write<T: Send, E: From<SmallError> + Send>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        match &self.0 {
            Back::Sqlite(connection) => {
                let mut connection = lock(connection);
                let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
                let transaction = begun.map_err(SmallError::from)?;
                let value = body(&Transaction(Of::Sqlite(&transaction)))?;
                transaction.commit().map_err(SmallError::from)?;
                Ok(value)
            }
            Back::Postgres(postgres) => waiting(|| {
                let postgres = postgres.lock()?;
                postgres.write(|| body(&Transaction(Of::Postgres(&postgres))))
            }),
        }
    }

    /// True if this host is the leader: the only one that may do certain work, until its connection ends or it has not
    /// asked again for half a minute. A file has one host, which always leads.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub fn lead(&self) -> Result<bool, SmallError> {
        match &self.0 {
            Back::Sqlite(_) => Ok(true),
            Back::Postgres(postgres) => waiting(|| postgres.lock()?.lead()),
        }
    }
}

impl Statements for SmallStore {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, SmallError> {
        match &self.0 {
            Back::Sqlite(connection) => sqlite::execute(&lock(connection), sql, values),
            Back::Postgres(_) => self.write(|transaction| transaction.execute(sql, values)),
        }
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError> {
        match &self.0 {
            Back::Sqlite(connection) => sqlite::query(&lock(connection), sql, values),
            Back::Postgres(postgres) => waiting(|| {
                let postgres = postgres.lock()?;
                postgres.ensure()?;
                postgres.query(sql, values)
            }),
        }
    }
}

enum Of<'t> {
    Sqlite(&'t Connection),
    Postgres(&'t Postgres),
}

/// An open transaction.
pub struct Transaction<'t>(Of<'t>);

impl Transaction<'_> {
    /// Makes the numbers that a table assigns to its rows continue after those of the copied rows.
    pub(crate) fn go_on_after_copy(&self, table: &str, key: &str) -> Result<(), SmallError> {
        let Of::Postgres(postgres) = self.0 else { return Ok(()) };
        if key.contains(',') {
            return Ok(());
        }
        let numbers = postgres.query("SELECT pg_get_serial_sequence(?1, ?2)", &[table.into(), key.into()])?;
        if let Some(numbers) = numbers.first().map(|row| row.get::<Option<String>>(0)).transpose()?.flatten() {
            postgres.query(
                &format!(
                    "SELECT setval(CAST(CAST(?1 AS text) AS regclass), max({key})) FROM {table} HAVING count(*) > 0"
                ),
                &[numbers.into()],
            )?;
        }
        Ok(())
    }
}

impl Statements for Transaction<'_> {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, SmallError> {
        match self.0 {
            Of::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Of::Postgres(postgres) => postgres.execute(sql, values),
        }
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError> {
        match self.0 {
            Of::Sqlite(connection) => sqlite::query(connection, sql, values),
            Of::Postgres(postgres) => postgres.query(sql, values),
        }
    }
}
