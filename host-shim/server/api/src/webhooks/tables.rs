//! The tables of endpoints, messages and deliveries of one business in one mode.

use host_store_postgres::small::{Place, Shape, SmallError, SmallStore};

/// `heads` contains for each account the delivery that comes first at an endpoint. What is due is found there, however long the queue
/// is.
const TABLES: &str = "
    CREATE TABLE endpoints (
        id TEXT PRIMARY KEY,
        account TEXT,
        url TEXT NOT NULL,
        types TEXT NOT NULL,
        description TEXT NOT NULL,
        secret TEXT NOT NULL,
        old_secrets TEXT NOT NULL DEFAULT '[]',
        rotation TEXT,
        disabled_at INTEGER,
        failing_since INTEGER,
        created_at INTEGER NOT NULL,
        maker TEXT,
        of_customer INTEGER NOT NULL DEFAULT 0,
        disabled_reason TEXT,
        due_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX endpoints_of_account ON endpoints (account);
    CREATE INDEX endpoints_due ON endpoints (due_at);
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        type TEXT NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_time ON messages (at);
    CREATE INDEX messages_of_account ON messages (account);
    CREATE TABLE deliveries (
        endpoint TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
        message INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
        account TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        PRIMARY KEY (endpoint, message)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deliveries_of_account ON deliveries (endpoint, state, account, message);
    CREATE INDEX deliveries_of_message ON deliveries (message);
    CREATE TABLE attempts (
        endpoint TEXT NOT NULL,
        message INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        took_ms INTEGER NOT NULL,
        status INTEGER,
        error TEXT,
        PRIMARY KEY (endpoint, message, number),
        FOREIGN KEY (endpoint, message) REFERENCES deliveries (endpoint, message) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE heads (
        endpoint TEXT NOT NULL,
        account TEXT NOT NULL,
        message INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        PRIMARY KEY (endpoint, account),
        FOREIGN KEY (endpoint, message) REFERENCES deliveries (endpoint, message) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX heads_due ON heads (endpoint, next_at, message);
    CREATE INDEX heads_of_message ON heads (message, endpoint);
    CREATE TABLE accounts (
        account TEXT PRIMARY KEY,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE objects (
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        hash TEXT NOT NULL,
        PRIMARY KEY (account, kind, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE baseline (begun INTEGER NOT NULL) STRICT;";

/// The table definitions of the webhooks.
pub const SHAPE: Shape = Shape {
    name: "webhooks",
    steps: &[TABLES],
    tables: &[
        ("endpoints", "id"),
        ("messages", "seq"),
        ("deliveries", "endpoint, message"),
        ("attempts", "endpoint, message, number"),
        ("heads", "endpoint, account"),
        ("accounts", "account"),
        ("objects", "account, kind, id"),
        ("baseline", "begun"),
    ],
};

/// The reason why the webhooks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhooksError {
    /// The database fails.
    #[error("the webhooks cannot be read or written: {0}")]
    Store(#[from] SmallError),
    /// It could not be determined whether whoever created an endpoint may still have it.
    #[error("the maker of an endpoint cannot be read: {0}")]
    Maker(String),
}

/// The tables.
#[derive(Debug)]
pub struct Webhooks(pub(crate) SmallStore);

impl Webhooks {
    /// Opens the tables; creates them, readable by their owner only.
    ///
    /// # Errors
    /// Fails if the location cannot be accessed or used.
    pub fn open(place: impl Into<Place>) -> Result<Webhooks, WebhooksError> {
        Ok(Webhooks(SmallStore::open(&place.into(), &SHAPE)?))
    }

    /// Opens tables in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory() -> Result<Webhooks, WebhooksError> {
        Webhooks::open(Place::Memory)
    }

    /// Returns true if this host is the one that sends, among all that share the tables. Called before each message, because a host that
    /// was frozen must not send any more.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub fn leads(&self) -> Result<bool, WebhooksError> {
        Ok(self.0.lead()?)
    }
}
