//! A connection to PostgreSQL for one plain thread: each call blocks until its answer has arrived.
//!
//! A statement that only begins something (a transaction, a savepoint) is sent together with the next query, and costs no round
//! trip of its own. The next call reopens a broken connection.

use crate::error::OpenError;
use crate::settings::Settings;
use host_store::StoreError;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// Begins a transaction.
pub(crate) const BEGIN: &str = "BEGIN";
/// Longest pause after an attempt to connect that failed slowly. Calls during the pause fail at once.
const PAUSE_MAX: Duration = Duration::from_secs(1);

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
    /// True after the server has announced that it is closing the connection, or that it is not the right one to talk to.
    is_ended: Cell<bool>,
    /// True after the server has not answered in time; nothing more is sent over this connection.
    is_late: Cell<bool>,
    /// The last failed attempt to connect, and the end of the pause after it.
    refused: RefCell<Option<(OpenError, Instant)>>,
    /// Time of the last failed attempt to connect, or of the last answer that did not arrive.
    failed_at: Cell<Option<Instant>>,
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
        let wire = Wire {
            runtime,
            settings,
            link: RefCell::new(None),
            ahead: RefCell::default(),
            is_ended: Cell::new(false),
            is_late: Cell::new(false),
            refused: RefCell::new(None),
            failed_at: Cell::new(None),
            number: Cell::new(0),
        };
        *wire.link.borrow_mut() = Some(wire.open()?);
        Ok(wire)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn open(&self) -> Result<Link, OpenError> {
        if let Some((error, until)) = &*self.refused.borrow()
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        let began = Instant::now();
        match self.runtime.block_on(self.settings.connect()) {
            Ok((client, task)) => {
                self.number.set(self.number.get() + 1);
                self.refused.replace(None);
                Ok(Link { client, task, statements: HashMap::new() })
            }
            Err(error) => {
                let now = Instant::now();
                self.failed_at.set(Some(now));
                self.refused.replace(Some((error.clone(), now + (now - began).min(PAUSE_MAX))));
                Err(error)
            }
        }
    }

    /// Returns true if there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        let is_open = |link: &Link| !link.client.is_closed() && !link.task.is_finished();
        !self.is_ended.get() && !self.is_late.get() && self.link.borrow().as_ref().is_some_and(is_open)
    }

    /// True if the connection has ended, so that a call that only reads may be repeated at once over a new connection. False
    /// after a timeout, because the caller has waited long enough.
    pub(crate) fn may_repeat(&self) -> bool {
        !self.is_connected() && !self.is_late.get()
    }

    /// Returns true if the database was not reached, or did not answer, since a given time.
    pub fn has_failed_since(&self, time: Instant) -> bool {
        self.failed_at.get().is_some_and(|failed| failed >= time)
    }

    /// Closes the connection; the next call opens a new one.
    pub(crate) fn disconnect(&self) {
        let link = self.link.borrow_mut().take();
        if let Some(Link { client, mut task, .. }) = link {
            drop(client);
            task.abort();
            // The connection is closed now rather than at the next call.
            let _ = self.runtime.block_on(&mut task);
        }
        self.is_ended.set(false);
        self.is_late.set(false);
    }

    /// Waits for the answer to statements. If it does not arrive in time, the connection counts as ended.
    fn answered<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        if self.is_late.get() {
            return Err(disconnected());
        }
        let time = self.settings.answer_time();
        match self.runtime.block_on(async { tokio::time::timeout(time, answer).await }) {
            Ok(done) => done.map_err(|error| self.failed(&error)),
            Err(_) => {
                self.is_late.set(true);
                self.failed_at.set(Some(Instant::now()));
                Err(StoreError::Unavailable(format!("PostgreSQL has not answered within {:.1} s", time.as_secs_f64())))
            }
        }
    }

    /// Returns the store's error, and records whether the connection has become useless.
    fn failed(&self, error: &Error) -> StoreError {
        if error.as_db_error().is_some_and(ends) {
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

    /// Identifies the connection; changes when it reconnects.
    pub fn number(&self) -> u64 {
        self.number.get()
    }

    /// Reopens the connection if it is broken.
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

    /// Returns true if the statement that begins a transaction is still waiting for the next query.
    pub(crate) fn is_to_begin(&self) -> bool {
        self.ahead.borrow().starts_with(BEGIN)
    }

    /// Drops the statements that wait for the next query.
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
        self.answered(async {
            let statement = link.prepared(sql).await?;
            let client = &link.client;
            if ahead.is_empty() {
                return client.query(&statement, params).await;
            }
            // Both are sent at once, in this order.
            let (begun, rows) = tokio::join!(client.batch_execute(&ahead), client.query(&statement, params));
            begun.and(rows)
        })
    }

    /// Runs a query, then statements without parameters, in one round trip.
    pub(crate) fn query_then(&self, sql: &str, params: Params<'_>, statements: &str) -> Result<Vec<Row>, StoreError> {
        let mut link = self.link.borrow_mut();
        let link = link.as_mut().ok_or_else(disconnected)?;
        self.answered(async {
            let statement = link.prepared(sql).await?;
            let client = &link.client;
            let (rows, done) = tokio::join!(client.query(&statement, params), client.batch_execute(statements));
            done.and(rows)
        })
    }

    /// Runs a query that returns at most one row.
    pub(crate) fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Runs a statement, and returns the number of rows that it has changed.
    ///
    /// # Errors
    /// Fails like [`Wire::query`].
    pub fn change(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        let mut link = self.link.borrow_mut();
        let link = link.as_mut().ok_or_else(disconnected)?;
        self.answered(async {
            let statement = link.prepared(sql).await?;
            link.client.execute(&statement, params).await
        })
    }

    /// Runs statements without parameters.
    ///
    /// # Errors
    /// Fails like [`Wire::query`].
    pub fn execute(&self, statements: &str) -> Result<(), StoreError> {
        let ahead = std::mem::take(&mut *self.ahead.borrow_mut());
        let link = self.link.borrow();
        let link = link.as_ref().ok_or_else(disconnected)?;
        let all = ahead + statements;
        self.answered(link.client.batch_execute(&all))
    }
}

/// Returns true if no further statement of the connection can succeed: the server is closing it, or has become read-only, like a
/// primary server that has been replaced.
fn ends(error: &DbError) -> bool {
    let is_fatal = match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // A pooler's own errors contain only the text.
        None => ["FATAL", "PANIC"].contains(&error.severity()),
    };
    // Class 08 contains errors of the connection.
    is_fatal || *error.code() == SqlState::READ_ONLY_SQL_TRANSACTION || error.code().code().starts_with("08")
}

fn disconnected() -> StoreError {
    StoreError::Unavailable("no connection to PostgreSQL".to_owned())
}

/// Returns the store's error for a PostgreSQL error. It contains no values of the statement.
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
