//! The tables of endpoints, messages and deliveries of one business in one mode.

use host_small_store::{Place, Shape, SmallError, SmallStore};

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
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX endpoints_of_account ON endpoints (account);
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        type TEXT NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_time ON messages (at);
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
    CREATE INDEX deliveries_due ON deliveries (state, next_at);
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

/// Who made an endpoint and why it is disabled, and of each account the delivery that comes first at an endpoint: what is due is found
/// there, however long the queue is.
const MAKERS_AND_HEADS: &str = "
    ALTER TABLE endpoints ADD COLUMN maker TEXT;
    ALTER TABLE endpoints ADD COLUMN of_customer INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE endpoints ADD COLUMN disabled_reason TEXT;
    ALTER TABLE endpoints ADD COLUMN due_at INTEGER;
    UPDATE endpoints SET of_customer = 1 WHERE account IS NOT NULL;
    CREATE INDEX endpoints_due ON endpoints (due_at);
    CREATE INDEX messages_of_account ON messages (account);
    DROP INDEX deliveries_due;
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
    INSERT INTO heads (endpoint, account, message, next_at)
        SELECT endpoint, account, message, next_at FROM deliveries AS head
        WHERE state = 'pending' AND endpoint IN (SELECT id FROM endpoints WHERE disabled_at IS NULL)
        AND message = (SELECT min(message) FROM deliveries AS other WHERE other.endpoint = head.endpoint
            AND other.state = 'pending' AND other.account = head.account);
    UPDATE endpoints SET due_at = (SELECT min(next_at) FROM heads WHERE heads.endpoint = endpoints.id);";

/// The tables of webhooks.
pub const SHAPE: Shape = Shape {
    name: "webhooks",
    steps: &[TABLES, MAKERS_AND_HEADS],
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
    /// It cannot be told whether whoever made an endpoint may still have it.
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
    /// Fails if the place cannot be reached or used.
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

    /// Returns true if this host is the one that sends, of all that share the tables. It is asked before each message, since a host that
    /// was frozen does not send any more.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub fn leads(&self) -> Result<bool, WebhooksError> {
        Ok(self.0.lead()?)
    }
}
