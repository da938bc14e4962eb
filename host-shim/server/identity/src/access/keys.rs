//! Creates, lists, revokes and verifies keys.

use crate::access::caller::{Caller, Reach};
use crate::access::token::Token;
use extension_contract::{Account, Actor, ActorKind, Timestamp};
use host_store::Partition;
use host_store_postgres::small::{Place, Row, Shape, SmallError, SmallStore, Statements, values};
use std::collections::BTreeMap;

/// How [`Reach::All`] is written in the table.
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

/// The table of keys.
pub const SHAPE: Shape = Shape { name: "keys", steps: &[TABLES], tables: &[("keys", "id")] };

/// The reason why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database fails.
    #[error("the keys cannot be read or written: {0}")]
    Store(#[from] SmallError),
    /// A row is damaged.
    #[error("key `{id}` is damaged: {problem}")]
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

/// A key to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Display name, for example `shop backend`.
    pub name: String,
    /// Business and mode.
    pub partition: Partition,
    /// The actor that the key acts as.
    pub actor: Actor,
    /// The accounts that the key may name.
    pub reach: Reach,
}

/// A stored key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Display name.
    pub name: String,
    /// Id, actor and reach.
    pub caller: Caller,
    /// When the key was created, in milliseconds since the epoch.
    pub created_at: Timestamp,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The keys.
#[derive(Debug)]
pub struct Keys(SmallStore);

impl Keys {
    /// Opens the keys; creates their table, readable by its owner only.
    ///
    /// # Errors
    /// Fails if the location cannot be accessed or used.
    pub fn open(place: impl Into<Place>) -> Result<Keys, AccessError> {
        Ok(Keys(SmallStore::open(&place.into(), &SHAPE)?))
    }

    /// Opens keys in memory, for tests.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn in_memory() -> Result<Keys, AccessError> {
        Keys::open(Place::Memory)
    }

    /// Creates a key and returns it; only its hash is stored. `now` is in milliseconds since the epoch.
    ///
    /// # Errors
    /// Fails if the keys cannot be written.
    pub fn make(&self, key: &NewKey, now: Timestamp) -> Result<Token, AccessError> {
        let token = Token::random()?;
        let NewKey { name, partition, actor, reach } = key;
        let reach = match reach {
            Reach::All => ALL.to_owned(),
            Reach::Accounts(accounts) => texts(accounts.iter().map(ToString::to_string)),
        };
        self.0.execute(
            "INSERT INTO keys (id, hash, name, business, livemode, kind, subject, roles, reach, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            values![
                token.id(),
                token.hash(),
                name,
                &partition.business,
                partition.livemode,
                kind_name(actor.kind),
                &actor.subject,
                texts(actor.roles.iter().cloned()),
                reach,
                now,
            ],
        )?;
        Ok(token)
    }

    /// Revokes a key. Returns false if there is no such key, or it was already revoked.
    ///
    /// # Errors
    /// Fails if the keys cannot be written.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, AccessError> {
        let revoke = "UPDATE keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
        Ok(self.0.execute(revoke, values![id, now])? == 1)
    }

    /// Returns all keys, oldest first.
    ///
    /// # Errors
    /// Fails if the keys cannot be read.
    pub fn list(&self) -> Result<Vec<KeyRow>, AccessError> {
        let rows = self.0.query(&select("ORDER BY created_at, id"), &[], Stored::read)?;
        rows.into_iter().map(Stored::into_row).collect()
    }

    /// Returns the caller that the key with an id acts as; none for an unknown or revoked key.
    ///
    /// # Errors
    /// Fails if the keys cannot be read.
    pub fn caller_of(&self, id: &str) -> Result<Option<Caller>, AccessError> {
        let found = self.0.query_one(&select("WHERE id = ?1"), values![id], Stored::read)?;
        let Some(found) = found.filter(|found| found.revoked_at.is_none()) else { return Ok(None) };
        found.into_row().map(|row| Some(row.caller))
    }

    /// Returns the caller of a key; none for an unknown, wrong or revoked key.
    ///
    /// # Errors
    /// Fails if the keys cannot be read.
    pub fn verify(&self, token: &Token) -> Result<Option<Caller>, AccessError> {
        let found = self.0.query_one(&select("WHERE id = ?1"), values![token.id()], Stored::read)?;
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
    // The other kinds are not callers; the least powerful kind is used in their place.
    KINDS.iter().find(|(known, _)| *known == kind).map_or("user", |(_, name)| name)
}

/// A row of the table.
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
    fn read(row: &Row) -> Result<Stored, SmallError> {
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
