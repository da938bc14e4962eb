//! Makes, lists, revokes and verifies keys.

use crate::caller::{Caller, Reach};
use crate::token::Token;
use extension_contract::{Account, Actor, ActorKind, Timestamp};
use host_sqlite::{FileError, SmallFile};
use host_store::Partition;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::MutexGuard;

/// The text of [`Reach::All`] in the file.
const ALL: &str = "all";

const TABLES: &str = "
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        hash TEXT NOT NULL,
        name TEXT NOT NULL,
        business TEXT NOT NULL,
        livemode INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        roles TEXT NOT NULL,
        reach TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID;";

/// The reason why the file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be opened.
    #[error("the file of keys: {0}")]
    File(#[from] FileError),
    /// SQLite failed.
    #[error("the file of keys cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row cannot be read.
    #[error("key `{id}` in the file of keys is damaged: {problem}")]
    Damaged {
        /// Id of the key.
        id: String,
        /// The damage.
        problem: String,
    },
    /// The system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// A key to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Name for people, for example `shop backend`.
    pub name: String,
    /// Business and mode.
    pub partition: Partition,
    /// The actor as which the key acts.
    pub actor: Actor,
    /// The accounts that the key may name.
    pub reach: Reach,
}

/// A key in the file, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Name for people.
    pub name: String,
    /// Id, actor and reach.
    pub caller: Caller,
    /// When the key was made, in milliseconds since the epoch.
    pub created_at: Timestamp,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The file of keys.
#[derive(Debug)]
pub struct Keys(SmallFile);

impl Keys {
    /// Opens the file; creates it, readable by its owner only.
    ///
    /// # Errors
    /// Fails if the file cannot be created or used.
    pub fn open(path: &Path) -> Result<Keys, AccessError> {
        Ok(Keys(SmallFile::open(path, &[TABLES])?))
    }

    /// Makes a store of keys in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory() -> Result<Keys, AccessError> {
        Ok(Keys(SmallFile::in_memory(&[TABLES])?))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock()
    }

    /// Makes a key and returns it; only its hash is kept. `now` in milliseconds since the epoch.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn make(&self, key: &NewKey, now: Timestamp) -> Result<Token, AccessError> {
        let token = Token::random()?;
        let NewKey { name, partition, actor, reach } = key;
        let reach = match reach {
            Reach::All => ALL.to_owned(),
            Reach::Accounts(accounts) => texts(accounts.iter().map(ToString::to_string)),
        };
        self.lock().execute(
            "INSERT INTO keys (id, hash, name, business, livemode, kind, subject, roles, reach, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                token.id(),
                token.hash(),
                name,
                partition.business,
                partition.livemode,
                kind_name(actor.kind),
                actor.subject,
                texts(actor.roles.iter().cloned()),
                reach,
                now,
            ],
        )?;
        Ok(token)
    }

    /// Revokes a key. Returns false if there is no such key, or it was revoked before.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, AccessError> {
        let revoke = "UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
        Ok(self.lock().execute(revoke, params![id, now])? == 1)
    }

    /// Returns all keys, the oldest first.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn list(&self) -> Result<Vec<KeyRow>, AccessError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(&select("ORDER BY created_at, id"))?;
        let rows = rows.query_map([], Stored::read)?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(Stored::into_row).collect()
    }

    /// Returns the caller of a key; none for an unknown, wrong or revoked key.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn verify(&self, token: &Token) -> Result<Option<Caller>, AccessError> {
        let found = {
            let connection = self.lock();
            let mut row = connection.prepare_cached(&select("WHERE id = ?1"))?;
            row.query_row([token.id()], Stored::read).optional()?
        };
        let Some(found) = found.filter(|found| token.has_hash(&found.hash) && found.revoked_at.is_none()) else {
            return Ok(None);
        };
        found.into_row().map(|row| Some(row.caller))
    }
}

fn select(rest: &str) -> String {
    format!(
        "SELECT id, hash, name, business, livemode, kind, subject, roles, reach, created_at, revoked_at FROM keys {rest}"
    )
}

fn texts(texts: impl Iterator<Item = String>) -> String {
    serde_json::Value::from(texts.collect::<Vec<_>>()).to_string()
}

/// The kinds of actors that a key may have, with their names.
const KINDS: [(ActorKind, &str); 3] =
    [(ActorKind::User, "user"), (ActorKind::Admin, "admin"), (ActorKind::Service, "service")];

fn kind_name(kind: ActorKind) -> &'static str {
    // The other kinds are not callers; the least powerful kind stands for them.
    KINDS.iter().find(|(known, _)| *known == kind).map_or("user", |(_, name)| name)
}

/// A row of the file.
struct Stored {
    id: String,
    hash: String,
    name: String,
    partition: Partition,
    kind: String,
    subject: String,
    roles: String,
    reach: String,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
        Ok(Stored {
            id: row.get(0)?,
            hash: row.get(1)?,
            name: row.get(2)?,
            partition: Partition { business: row.get(3)?, livemode: row.get(4)? },
            kind: row.get(5)?,
            subject: row.get(6)?,
            roles: row.get(7)?,
            reach: row.get(8)?,
            created_at: row.get(9)?,
            revoked_at: row.get(10)?,
        })
    }

    fn into_row(self) -> Result<KeyRow, AccessError> {
        let damaged = |problem: String| AccessError::Damaged { id: self.id.clone(), problem };
        let list = |text: &str| serde_json::from_str::<Vec<String>>(text).map_err(|error| damaged(error.to_string()));
        let kind = KINDS.iter().find(|(_, name)| *name == self.kind).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| damaged(format!("kind `{}`", self.kind)))?;
        let reach = match self.reach.as_str() {
            ALL => Reach::All,
            accounts => {
                let accounts = list(accounts)?.into_iter().map(|text| text.parse::<Account>());
                Reach::Accounts(accounts.collect::<Result<_, _>>().map_err(|error| damaged(error.to_string()))?)
            }
        };
        let actor = Actor { kind, subject: self.subject.clone(), roles: list(&self.roles)? };
        let (key, partition) = (self.id.clone(), self.partition.clone());
        let caller = Caller { key, partition, actor, reach, in_accounts: BTreeMap::new() };
        Ok(KeyRow { name: self.name, caller, created_at: self.created_at, revoked_at: self.revoked_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_user() -> NewKey {
        let account = Account::User("u_1".to_owned());
        NewKey {
            name: "laptop".to_owned(),
            partition: Partition { business: "toys".to_owned(), livemode: false },
            actor: Actor { kind: ActorKind::User, subject: "u_1".to_owned(), roles: vec!["member".to_owned()] },
            reach: Reach::Accounts(vec![account]),
        }
    }

    #[test]
    fn a_key_is_verified_until_it_is_revoked() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("keys.db");
        let keys = Keys::open(&path).expect("a file");
        let token = keys.make(&of_user(), 1).expect("made");
        let caller = keys.verify(&token).expect("read").expect("known");
        assert_eq!((&caller.actor, &caller.reach), (&of_user().actor, &of_user().reach));
        assert!(caller.reaches(&Account::User("u_1".into())) && !caller.reaches(&Account::Platform));
        let other = Keys::open(&path).expect("the same file");
        assert_eq!(other.list().expect("read").len(), 1);
        assert!(other.revoke(token.id(), 2).expect("written"));
        assert!(!other.revoke(token.id(), 3).expect("written"), "it is revoked");
        assert_eq!(keys.verify(&token).expect("read"), None);
        assert_eq!(keys.list().expect("read")[0].revoked_at, Some(2));
    }

    #[test]
    fn the_secret_of_another_key_does_not_fit_and_no_secret_is_in_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("keys.db");
        let keys = Keys::open(&path).expect("a file");
        let [first, second] = [1, 2].map(|now| keys.make(&of_user(), now).expect("made"));
        let secret_of = |token: &Token| token.expose().rsplit('_').next().expect("a secret").to_owned();
        let mixed = Token::parse(&format!("key_{}_{}", first.id(), secret_of(&second))).expect("a key");
        assert_eq!(keys.verify(&mixed).expect("read"), None);
        assert_eq!(keys.verify(&Token::random().expect("random bytes")).expect("read"), None);
        drop(keys);
        let bytes = std::fs::read(&path).expect("the file");
        let secret = secret_of(&first);
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}
