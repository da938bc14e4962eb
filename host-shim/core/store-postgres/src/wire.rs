//! A connection to PostgreSQL for one plain thread: each call blocks until its answer has come.
//!
//! A statement that only begins something (a transaction, a savepoint) is sent together with the next query, and costs no
//! round trip of its own. A broken connection is opened again by the next call.

use crate::settings::{OpenError, Settings};
use host_store::StoreError;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// Begins a transaction.
pub(crate) const BEGIN: &str = "BEGIN";
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The parameters of a query.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// An open connection.
struct Link {
    client: Client,
    /// Drives the connection while the runtime runs.
    task: JoinHandle<()>,
    statements: HashMap<Box<str>, Statement>,
}

impl Link {
    /// Returns a statement, prepared once for each connection.
    async fn prepared(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }
}

/// A connection with its settings. It drives its input and output only during calls, on the thread of the caller.
pub struct Wire {
    runtime: Runtime,
    settings: Settings,
    link: RefCell<Option<Link>>,
    /// Statements to send before the next query.
    ahead: RefCell<String>,
    /// True after the server has said that it ends the connection.
    is_ended: Cell<bool>,
    /// How many times the connection was opened.
    number: Cell<u64>,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// Fails if the database is not reached, or refuses the connection.
    pub fn connect(settings: Settings) -> Result<Wire, OpenError> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| OpenError::Machine(error.to_string()))?;
        let (link, ahead) = (RefCell::new(None), RefCell::default());
        let wire = Wire { runtime, settings, link, ahead, is_ended: Cell::new(false), number: Cell::new(0) };
        *wire.link.borrow_mut() = Some(wire.open()?);
        Ok(wire)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn open(&self) -> Result<Link, OpenError> {
        self.runtime.block_on(async {
            let opened = tokio::time::timeout(CONNECT, self.settings.connect()).await;
            let (client, task) = opened.map_err(|_| OpenError::Unreachable("no answer within 10 s".to_owned()))??;
            self.number.set(self.number.get() + 1);
            Ok(Link { client, task, statements: HashMap::new() })
        })
    }

    /// Returns true if there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        let is_open = |link: &Link| !link.client.is_closed() && !link.task.is_finished();
        !self.is_ended.get() && self.link.borrow().as_ref().is_some_and(is_open)
    }

    /// Closes the connection; the next call opens another one.
    pub(crate) fn disconnect(&self) {
        *self.link.borrow_mut() = None;
        self.is_ended.set(false);
    }

    /// Returns the error of the store, and notes whether the server ends the connection.
    fn failed(&self, error: &Error) -> StoreError {
        let ends = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT];
        if error.code().is_some_and(|code| ends.contains(code)) {
            self.is_ended.set(true);
        }
        failure(error)
    }

    /// Reads what the server has sent since the last call, such as the end of the connection.
    pub fn take_notice(&self) {
        self.runtime.block_on(async {
            // The first round lets the task see that there is something, the second lets it read.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Returns the number of the connection: another one after it was opened again.
    pub fn number(&self) -> u64 {
        self.number.get()
    }

    /// Opens the connection again if it is broken.
    ///
    /// # Errors
    /// Fails if the database is not reached.
    pub fn ensure(&self) -> Result<(), StoreError> {
        if !self.is_connected() {
            self.ahead.borrow_mut().clear();
            self.disconnect();
            *self.link.borrow_mut() = Some(self.open().map_err(|error| StoreError::Unavailable(error.to_string()))?);
        }
        Ok(())
    }

    /// Sends a statement without an answer together with the next query.
    pub(crate) fn send_ahead(&self, statement: &str) {
        let mut ahead = self.ahead.borrow_mut();
        ahead.push_str(statement);
        ahead.push(';');
    }

    /// Returns true if the statement that begins a transaction still waits for the next query.
    pub(crate) fn is_to_begin(&self) -> bool {
        self.ahead.borrow().starts_with(BEGIN)
    }

    /// Forgets the statements that wait for the next query.
    pub(crate) fn forget_ahead(&self) {
        self.ahead.borrow_mut().clear();
    }

    /// Runs a query, in one round trip once it is prepared.
    ///
    /// # Errors
    /// Fails without a connection, or if the database refuses the query.
    pub fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let ahead = std::mem::take(&mut *self.ahead.borrow_mut());
        let mut link = self.link.borrow_mut();
        let link = link.as_mut().ok_or_else(disconnected)?;
        self.runtime
            .block_on(async {
                let statement = link.prepared(sql).await?;
                let client = &link.client;
                if ahead.is_empty() {
                    return client.query(&statement, params).await;
                }
                // Both are sent at once, in this order.
                let (begun, rows) = tokio::join!(client.batch_execute(&ahead), client.query(&statement, params));
                begun.and(rows)
            })
            .map_err(|error| self.failed(&error))
    }

    /// Runs a query, then statements without parameters, in one round trip.
    pub(crate) fn query_then(&self, sql: &str, params: Params<'_>, statements: &str) -> Result<Vec<Row>, StoreError> {
        let mut link = self.link.borrow_mut();
        let link = link.as_mut().ok_or_else(disconnected)?;
        self.runtime
            .block_on(async {
                let statement = link.prepared(sql).await?;
                let client = &link.client;
                let (rows, done) = tokio::join!(client.query(&statement, params), client.batch_execute(statements));
                done.and(rows)
            })
            .map_err(|error| self.failed(&error))
    }

    /// Runs a query that returns at most one row.
    pub(crate) fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Runs a statement, and returns the number of rows that it has changed.
    ///
    /// # Errors
    /// As [`Wire::query`].
    pub fn change(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        let mut link = self.link.borrow_mut();
        let link = link.as_mut().ok_or_else(disconnected)?;
        self.runtime
            .block_on(async {
                let statement = link.prepared(sql).await?;
                link.client.execute(&statement, params).await
            })
            .map_err(|error| self.failed(&error))
    }

    /// Runs statements without parameters.
    ///
    /// # Errors
    /// As [`Wire::query`].
    pub fn execute(&self, statements: &str) -> Result<(), StoreError> {
        let ahead = std::mem::take(&mut *self.ahead.borrow_mut());
        let link = self.link.borrow();
        let link = link.as_ref().ok_or_else(disconnected)?;
        let all = ahead + statements;
        self.runtime.block_on(link.client.batch_execute(&all)).map_err(|error| self.failed(&error))
    }
}

fn disconnected() -> StoreError {
    StoreError::Unavailable("no connection to PostgreSQL".to_owned())
}

/// Returns the error of the store for an error of PostgreSQL. It has no values of the statement.
pub(crate) fn failure(error: &Error) -> StoreError {
    let Some(found) = error.as_db_error() else { return StoreError::Unavailable(error.to_string()) };
    let text = format!("{} (SQLSTATE {})", found.message(), found.code().code());
    let conflicts = [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNIQUE_VIOLATION,
    ];
    let texts = [SqlState::UNTRANSLATABLE_CHARACTER, SqlState::CHARACTER_NOT_IN_REPERTOIRE];
    match found.code() {
        code if conflicts.contains(code) => StoreError::Locked(text),
        code if texts.contains(code) => StoreError::Misuse(format!("a text has a zero character: {text}")),
        _ => StoreError::Unavailable(text),
    }
}
