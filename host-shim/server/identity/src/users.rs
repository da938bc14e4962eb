//! The file of users and sessions of one business. Passwords are hashes in it, and sessions have no secret: their tokens are signed.

use crate::address::Address;
use extension_contract::Timestamp;
use host_sqlite::{FileError, SmallFile};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use std::path::Path;
use std::sync::MutexGuard;

/// The tables, as version 1 had them.
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
        UNIQUE (livemode, email)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_of_user ON sessions (user);
    CREATE INDEX sessions_by_end ON sessions (expires_at);
    CREATE INDEX users_to_announce ON users (id) WHERE announced_at IS NULL;";
/// Addresses that their owners have proved, links by mail, organizations with their members, and further accounts of users.
const LINKS: &str = "
    ALTER TABLE users ADD COLUMN confirmed_at INTEGER;
    CREATE TABLE links (
        hash TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        email TEXT NOT NULL,
        account TEXT NOT NULL,
        roles TEXT NOT NULL,
        secret TEXT,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_of_address ON links (livemode, email, kind);
    CREATE INDEX links_by_end ON links (expires_at);
    CREATE TABLE organizations (
        id TEXT PRIMARY KEY,
        livemode INTEGER NOT NULL,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE members (
        organization TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        roles TEXT NOT NULL,
        joined_at INTEGER NOT NULL,
        PRIMARY KEY (organization, user)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX members_of_user ON members (user);
    CREATE TABLE further_accounts (
        account TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (account, livemode)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX further_accounts_of_user ON further_accounts (user);";
/// The steps of the file's tables.
const STEPS: [&str; 3] = [TABLES, LINKS, crate::issued::TABLE];

/// The reason why the file of users cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The file cannot be opened.
    #[error("the file of users: {0}")]
    File(#[from] FileError),
    /// SQLite failed.
    #[error("the file of users cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
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
    /// Name for people.
    pub name: Option<String>,
    /// True for an operator of the business.
    pub is_operator: bool,
    /// When the user was made, in milliseconds since the epoch.
    pub created_at: Timestamp,
    /// When the business learned of the user; none if it does not know the user yet.
    pub announced_at: Option<Timestamp>,
    /// When the user proved the address; none if not yet.
    pub confirmed_at: Option<Timestamp>,
}

/// The file of users.
#[derive(Debug)]
pub struct Users(SmallFile);

/// The columns of a user.
pub(crate) const COLUMNS: &str =
    "users.id, livemode, email, name, is_operator, users.created_at, announced_at, confirmed_at";

pub(crate) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
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

impl Users {
    /// Opens the file; creates it, readable by its owner only.
    ///
    /// # Errors
    /// Fails if the file cannot be created or used.
    pub fn open(path: &Path) -> Result<Users, UsersError> {
        Ok(Users(SmallFile::open(path, &STEPS)?))
    }

    /// Makes a file in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory() -> Result<Users, UsersError> {
        Ok(Users(SmallFile::in_memory(&STEPS)?))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock()
    }

    /// Adds a user. Returns false if a user has the address.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn add(&self, user: &User, password: &str) -> Result<bool, UsersError> {
        let added = self.lock().execute(
            "INSERT INTO users (id, livemode, email, name, password, is_operator, created_at, announced_at, confirmed_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                user.id,
                user.livemode,
                user.email,
                user.name,
                password,
                user.is_operator,
                user.created_at,
                user.announced_at,
                user.confirmed_at
            ],
        );
        match added {
            Ok(_) => Ok(true),
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the user with an address, and the hash of the password; an empty hash is that of no password.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn by_address(&self, livemode: bool, address: &Address) -> Result<Option<(User, String)>, UsersError> {
        let connection = self.lock();
        let query = format!("SELECT {COLUMNS}, password FROM users WHERE livemode = ?1 AND email = ?2");
        let mut one = connection.prepare_cached(&query)?;
        Ok(one.query_row(params![livemode, address.as_str()], |row| Ok((user(row)?, row.get(8)?))).optional()?)
    }

    /// Returns a user, and the hash of the password.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn by_id(&self, livemode: bool, id: &str) -> Result<Option<(User, String)>, UsersError> {
        let connection = self.lock();
        let query = format!("SELECT {COLUMNS}, password FROM users WHERE livemode = ?1 AND id = ?2");
        let mut one = connection.prepare_cached(&query)?;
        Ok(one.query_row(params![livemode, id], |row| Ok((user(row)?, row.get(8)?))).optional()?)
    }

    /// Notes that a user has proved the address.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn confirmed(&self, id: &str, now: Timestamp) -> Result<(), UsersError> {
        let confirm = "UPDATE users SET confirmed_at = ?2 WHERE id = ?1 AND confirmed_at IS NULL";
        self.lock().execute(confirm, params![id, now])?;
        Ok(())
    }

    /// Sets the password of a user who has proved the address, and ends all sessions.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_password(&self, id: &str, password: &str, now: Timestamp) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        let set = "UPDATE users SET password = ?2, confirmed_at = coalesce(confirmed_at, ?3) WHERE id = ?1";
        both.execute(set, params![id, password, now])?;
        both.execute("UPDATE sessions SET ended_at = ?2 WHERE user = ?1 AND ended_at IS NULL", params![id, now])?;
        both.commit()?;
        Ok(())
    }

    /// Deletes a user with the sessions, memberships and links.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn delete(&self, user: &User) -> Result<(), UsersError> {
        let mut connection = self.lock();
        let both = connection.transaction()?;
        both.execute(
            "UPDATE links SET expires_at = 0 WHERE livemode = ?1 AND email = ?2",
            params![user.livemode, user.email],
        )?;
        both.execute("DELETE FROM users WHERE id = ?1", [&user.id])?;
        both.commit()?;
        Ok(())
    }

    /// Returns the users of a mode.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn all(&self, livemode: bool) -> Result<Vec<User>, UsersError> {
        let connection = self.lock();
        let query = format!("SELECT {COLUMNS} FROM users WHERE livemode = ?1 ORDER BY id");
        let mut all = connection.prepare_cached(&query)?;
        let users = all.query_map([livemode], user)?.collect::<Result<_, _>>()?;
        Ok(users)
    }

    /// Returns true if a mode has an operator.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn has_operator(&self, livemode: bool) -> Result<bool, UsersError> {
        let any = "SELECT EXISTS (SELECT 1 FROM users WHERE livemode = ?1 AND is_operator)";
        Ok(self.lock().query_row(any, [livemode], |row| row.get(0))?)
    }

    /// Returns the users of a mode that the business does not know yet.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn unannounced(&self, livemode: bool) -> Result<Vec<User>, UsersError> {
        let connection = self.lock();
        let query = format!("SELECT {COLUMNS} FROM users WHERE announced_at IS NULL AND livemode = ?1 ORDER BY id");
        let mut all = connection.prepare_cached(&query)?;
        let users = all.query_map([livemode], user)?.collect::<Result<_, _>>()?;
        Ok(users)
    }

    /// Notes that the business knows a user.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn announced(&self, id: &str, now: Timestamp) -> Result<(), UsersError> {
        self.lock().execute("UPDATE users SET announced_at = ?2 WHERE id = ?1", params![id, now])?;
        Ok(())
    }

    /// Begins a session, and forgets sessions that have expired.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn begin(&self, session: &str, user: &str, now: Timestamp, expires_at: Timestamp) -> Result<(), UsersError> {
        let connection = self.lock();
        connection.execute("DELETE FROM sessions WHERE expires_at < ?1", [now])?;
        connection.execute(
            "INSERT INTO sessions (id, user, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
            params![session, user, now, expires_at],
        )?;
        Ok(())
    }

    /// Returns the user of a session; none for a session that has ended, has expired or does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn of_session(&self, livemode: bool, session: &str, now: Timestamp) -> Result<Option<User>, UsersError> {
        let connection = self.lock();
        let query = format!(
            "SELECT {COLUMNS} FROM users JOIN sessions ON sessions.user = users.id \
             WHERE sessions.id = ?1 AND livemode = ?2 AND expires_at > ?3 AND ended_at IS NULL"
        );
        let mut one = connection.prepare_cached(&query)?;
        Ok(one.query_row(params![session, livemode, now], user).optional()?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn end(&self, session: &str, now: Timestamp) -> Result<(), UsersError> {
        let end = "UPDATE sessions SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL";
        self.lock().execute(end, params![session, now])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> User {
        User {
            id: "usr_1".into(),
            livemode: false,
            email: "ada@example.com".into(),
            name: Some("Ada".into()),
            is_operator: false,
            created_at: 1,
            announced_at: None,
            confirmed_at: None,
        }
    }

    #[test]
    fn an_address_belongs_to_one_user_of_a_mode() {
        let users = Users::in_memory().expect("a file");
        assert!(users.add(&ada(), "hash").expect("written"));
        assert!(!users.add(&User { id: "usr_2".into(), ..ada() }, "other").expect("written"), "the address is taken");
        assert!(users.add(&User { id: "usr_3".into(), livemode: true, ..ada() }, "live").expect("written"));
        let address = Address::parse("Ada@Example.com").expect("an address");
        assert_eq!(users.by_address(false, &address).expect("read"), Some((ada(), "hash".into())));
        assert_eq!(users.by_address(true, &address).expect("read").map(|(user, _)| user.id), Some("usr_3".into()));
        let other = Address::parse("bob@example.com").expect("an address");
        assert_eq!(users.by_address(false, &other).expect("read"), None);
    }

    #[test]
    fn a_session_ends_by_itself_and_when_its_user_leaves() {
        let users = Users::in_memory().expect("a file");
        users.add(&ada(), "hash").expect("written");
        users.begin("s1", "usr_1", 100, 200).expect("written");
        users.begin("s2", "usr_1", 100, 200).expect("written");
        let of =
            |session: &str, livemode, now| users.of_session(livemode, session, now).expect("read").map(|user| user.id);
        assert_eq!(of("s1", false, 199), Some("usr_1".into()));
        assert_eq!((of("s1", false, 200), of("s1", true, 150), of("s3", false, 150)), (None, None, None));
        users.end("s1", 150).expect("written");
        assert_eq!((of("s1", false, 160), of("s2", false, 160)), (None, Some("usr_1".into())));
    }

    #[test]
    fn a_user_is_announced_once() {
        let users = Users::in_memory().expect("a file");
        users.add(&ada(), "hash").expect("written");
        assert_eq!(users.unannounced(false).expect("read"), [ada()]);
        assert_eq!(users.unannounced(true).expect("read"), []);
        users.announced("usr_1", 5).expect("written");
        assert_eq!(users.unannounced(false).expect("read"), []);
    }
}
