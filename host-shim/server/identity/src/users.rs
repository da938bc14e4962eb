//! The users and sessions of one business. Passwords are stored as hashes, and sessions have no secret because their tokens
//! are signed.

use crate::address::Address;
use extension_contract::Timestamp;
use host_store_postgres::small::{Place, Row, Shape, SmallError, SmallStore, Statements, values};

/// Users and their sessions. `confirmed_at` is set once the owner of the address has verified it; `language` is a tag such as
/// `de-CH`.
const TABLES: &str = "
    CREATE TABLE users (
        id TEXT PRIMARY KEY,
        livemode INTEGER NOT NULL,
        email TEXT NOT NULL,
        name TEXT,
        password TEXT NOT NULL,
        is_operator INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        announced_at INTEGER,
        confirmed_at INTEGER,
        language TEXT,
        UNIQUE (livemode, email)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        \"user\" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_of_user ON sessions (\"user\");
    CREATE INDEX sessions_by_end ON sessions (expires_at);
    CREATE INDEX users_to_announce ON users (id) WHERE announced_at IS NULL;";
/// Links sent by mail (`cause` is the member whose step sent an invitation), organizations with their members, and additional
/// accounts of users.
const LINKS: &str = "
    CREATE TABLE links (
        hash TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        email TEXT NOT NULL,
        account TEXT NOT NULL,
        roles TEXT NOT NULL,
        sender TEXT,
        secret TEXT,
        expires_at INTEGER NOT NULL,
        cause TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_of_address ON links (livemode, email, kind);
    CREATE INDEX links_by_end ON links (expires_at);
    CREATE INDEX links_of_account ON links (account, kind);
    CREATE INDEX links_of_sender ON links (sender);
    CREATE INDEX links_of_cause ON links (cause);
    CREATE TABLE organizations (
        id TEXT PRIMARY KEY,
        livemode INTEGER NOT NULL,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE members (
        organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        \"user\" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        roles TEXT NOT NULL,
        joined_at INTEGER NOT NULL,
        PRIMARY KEY (organization, \"user\")
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX members_of_user ON members (\"user\");
    CREATE TABLE further_accounts (
        account TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        \"user\" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (account, livemode)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX further_accounts_of_user ON further_accounts (\"user\");";
/// Table of the users' ids at issuers.
const ISSUED: &str = "
    CREATE TABLE issued (
        livemode INTEGER NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        \"user\" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (livemode, issuer, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX issued_of_user ON issued (\"user\");";
/// Users who have left, including users of other servers whose accounts here were closed.
const FORMER: &str = "
    CREATE TABLE former_users (
        id TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        was_user INTEGER NOT NULL,
        left_at INTEGER NOT NULL,
        PRIMARY KEY (livemode, id)
    ) STRICT, WITHOUT ROWID;";

/// The tables of users.
pub const SHAPE: Shape = Shape {
    name: "users",
    steps: &[TABLES, LINKS, ISSUED, FORMER],
    tables: &[
        ("users", "id"),
        ("sessions", "id"),
        ("links", "hash"),
        ("organizations", "id"),
        ("members", "organization, \"user\""),
        ("further_accounts", "account, livemode"),
        ("issued", "livemode, issuer, subject"),
        ("former_users", "livemode, id"),
    ],
};

/// The reason why the user database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The database fails.
    #[error("the users cannot be read or written: {0}")]
    Store(#[from] SmallError),
}

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id; the account is `user:ID`.
    pub id: String,
    /// True for a user of live mode.
    pub livemode: bool,
    /// Address in lower case.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// True for an operator of the business.
    pub is_operator: bool,
    /// When the user was created, in milliseconds since the epoch.
    pub created_at: Timestamp,
    /// When the business was informed of the user; none if it does not know the user yet.
    pub announced_at: Option<Timestamp>,
    /// When the user verified the address; none if not yet.
    pub confirmed_at: Option<Timestamp>,
}

/// The users.
#[derive(Debug)]
pub struct Users(pub(crate) SmallStore);

/// The columns of a user.
pub(crate) const COLUMNS: &str =
    "users.id, livemode, email, name, is_operator, users.created_at, announced_at, confirmed_at";

pub(crate) fn user(row: &Row) -> Result<User, SmallError> {
    Ok(User {
        id: row.get(0)?,
        livemode: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        is_operator: row.get(4)?,
        created_at: row.get(5)?,
        announced_at: row.get(6)?,
        confirmed_at: row.get(7)?,
    })
}

fn with_password(row: &Row) -> Result<(User, String), SmallError> {
    Ok((user(row)?, row.get(8)?))
}

/// Returns the user with an address, and the hash of the password.
pub(crate) fn by_address(
    rows: &impl Statements,
    livemode: bool,
    address: &Address,
) -> Result<Option<(User, String)>, SmallError> {
    let query = format!("SELECT {COLUMNS}, password FROM users WHERE livemode = ?1 AND email = ?2");
    rows.query_one(&query, values![livemode, address.as_str()], with_password)
}

/// Returns a user, and the hash of the password.
pub(crate) fn by_id(rows: &impl Statements, livemode: bool, id: &str) -> Result<Option<(User, String)>, SmallError> {
    let query = format!("SELECT {COLUMNS}, password FROM users WHERE livemode = ?1 AND id = ?2");
    rows.query_one(&query, values![livemode, id], with_password)
}

/// Ends the sessions of a user, except for one.
pub(crate) fn end_sessions(
    rows: &impl Statements,
    user: &str,
    kept: Option<&str>,
    now: Timestamp,
) -> Result<(), SmallError> {
    let end = "UPDATE sessions SET ended_at = ?2 WHERE \"user\" = ?1 AND ended_at IS NULL AND id <> ?3";
    rows.execute(end, values![user, now, kept.unwrap_or_default()])?;
    Ok(())
}

impl Users {
    /// Opens the user database; creates its tables, readable by their owner only.
    ///
    /// # Errors
    /// Fails if the location cannot be accessed or used.
    pub fn open(place: impl Into<Place>) -> Result<Users, UsersError> {
        Ok(Users(SmallStore::open(&place.into(), &SHAPE)?))
    }

    /// Opens a user database in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory() -> Result<Users, UsersError> {
        Users::open(Place::Memory)
    }

    /// Returns the user with an address, and the hash of the password, which is empty if there is no password.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn by_address(&self, livemode: bool, address: &Address) -> Result<Option<(User, String)>, UsersError> {
        Ok(by_address(&self.0, livemode, address)?)
    }

    /// Returns a user, and the hash of the password.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn by_id(&self, livemode: bool, id: &str) -> Result<Option<(User, String)>, UsersError> {
        Ok(by_id(&self.0, livemode, id)?)
    }

    /// Returns the users of a mode.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn all(&self, livemode: bool) -> Result<Vec<User>, UsersError> {
        let query = format!("SELECT {COLUMNS} FROM users WHERE livemode = ?1 ORDER BY id");
        Ok(self.0.query(&query, values![livemode], user)?)
    }

    /// Returns true if a mode has an operator.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn has_operator(&self, livemode: bool) -> Result<bool, UsersError> {
        let any = "SELECT EXISTS (SELECT 1 FROM users WHERE livemode = ?1 AND is_operator = 1)";
        Ok(self.0.query_one(any, values![livemode], |row| row.get(0))?.unwrap_or(false))
    }

    /// Returns the users of a mode that the business does not know yet.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn unannounced(&self, livemode: bool) -> Result<Vec<User>, UsersError> {
        let query = format!("SELECT {COLUMNS} FROM users WHERE announced_at IS NULL AND livemode = ?1 ORDER BY id");
        Ok(self.0.query(&query, values![livemode], user)?)
    }

    /// Records that the business knows a user.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn announced(&self, id: &str, now: Timestamp) -> Result<(), UsersError> {
        self.0.execute("UPDATE users SET announced_at = ?2 WHERE id = ?1", values![id, now])?;
        Ok(())
    }

    /// Begins a session, and deletes sessions that have expired.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn begin(&self, session: &str, user: &str, now: Timestamp, expires_at: Timestamp) -> Result<(), UsersError> {
        self.0.write(|rows| {
            rows.execute("DELETE FROM sessions WHERE expires_at < ?1", values![now])?;
            let begin = "INSERT INTO sessions (id, \"user\", created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
            rows.execute(begin, values![session, user, now, expires_at])?;
            Ok(())
        })
    }

    /// Returns the user of a session; none if the session has ended, has expired or does not exist.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn of_session(&self, livemode: bool, session: &str, now: Timestamp) -> Result<Option<User>, UsersError> {
        let query = format!(
            "SELECT {COLUMNS} FROM users JOIN sessions ON sessions.\"user\" = users.id \
             WHERE sessions.id = ?1 AND livemode = ?2 AND expires_at > ?3 AND ended_at IS NULL"
        );
        Ok(self.0.query_one(&query, values![session, livemode, now], user)?)
    }

    /// Returns when a session began, in milliseconds since the epoch.
    ///
    /// # Errors
    /// Fails if the user database cannot be read.
    pub fn begun_at(&self, session: &str) -> Result<Option<Timestamp>, UsersError> {
        let one = "SELECT created_at FROM sessions WHERE id = ?1";
        Ok(self.0.query_one(one, values![session], |row| row.get(0))?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Fails if the user database cannot be written.
    pub fn end(&self, session: &str, now: Timestamp) -> Result<(), UsersError> {
        let end = "UPDATE sessions SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL";
        self.0.execute(end, values![session, now])?;
        Ok(())
    }
}
