//! Tracks which servers use a database. A running server holds a lock on its own name, so that no second server uses
//! that name, and a shared lock on the store, so that nobody copies the store at the same time.
//!
//! A lock belongs to a connection. If the connection breaks, the locks are free until the server takes them again over
//! the next connection.

use crate::error::OpenError;
use crate::locks;
use crate::settings::Settings;
use crate::wire::Wire;
use host_store::{StoreError, Stored};
use std::thread;
use std::time::{Duration, Instant};

/// How long a starting server waits for the locks of its predecessor, whose connection may still be open.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The reason why a database is not free.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// Another server has the name.
    #[error(
        "another running server of the database has the name `{name}`: each server needs a data folder of its own. If this folder is \
         a copy of another server's, remove the file `host` in it, and the server takes a new name"
    )]
    SameName {
        /// The name.
        name: String,
    },
    /// A server is running.
    #[error("a server uses the database: stop it first, since what it stores meanwhile would be lost")]
    Served,
    /// Somebody is copying the store.
    #[error("the store is being copied: start the server after it")]
    Copied,
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
}

impl From<StoreError> for PresenceError {
    fn from(error: StoreError) -> Self {
        OpenError::from(error).into()
    }
}

/// The locks of a running server.
pub struct Presence {
    wire: Wire,
    name: i64,
    servers: i64,
    /// Number of the connection that holds the locks.
    held_by: Option<u64>,
}

/// Whether a server has its locks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Both,
    /// Another server has the name.
    Name,
    /// Somebody is copying the store.
    Store,
}

impl Presence {
    /// Takes the locks of a server with this name.
    ///
    /// # Errors
    /// Fails if another server has the name, if the store is being copied, or if the database cannot be used.
    pub fn take(settings: &Settings, name: &str) -> Result<Presence, PresenceError> {
        let (schema, wire) = (settings.schema(), Wire::connect(settings.quick())?);
        let (own, servers) = (locks::of_host(schema, name), locks::of_servers(schema));
        let mut presence = Presence { wire, name: own, servers, held_by: None };
        let until = Instant::now() + PATIENCE;
        loop {
            let problem = match presence.try_take()? {
                Taken::Both => return Ok(presence),
                Taken::Name => PresenceError::SameName { name: name.to_owned() },
                Taken::Store => PresenceError::Copied,
            };
            if Instant::now() >= until {
                return Err(problem);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Takes the locks again if the connection has broken. Returns false if another server has taken the name in the
    /// meantime.
    ///
    /// # Errors
    /// Fails if the database cannot be used.
    pub fn keep(&mut self) -> Stored<bool> {
        Ok(self.try_take()? != Taken::Name)
    }

    fn try_take(&mut self) -> Stored<Taken> {
        // A broken connection is only noticed when it is used.
        if self.held_by == Some(self.wire.number()) && self.wire.query("SELECT 1", &[]).is_ok() {
            return Ok(Taken::Both);
        }
        self.held_by = None;
        self.wire.ensure()?;
        let number = Some(self.wire.number());
        if !is_taken(&self.wire, "SELECT pg_try_advisory_lock($1)", self.name)? {
            return Ok(Taken::Name);
        }
        if !is_taken(&self.wire, "SELECT pg_try_advisory_lock_shared($1)", self.servers)? {
            // The next attempt takes both again.
            self.wire.query("SELECT pg_advisory_unlock($1)", &[&self.name])?;
            return Ok(Taken::Store);
        }
        self.held_by = number;
        Ok(Taken::Both)
    }
}

/// Keeps servers away from a store while it is copied.
pub struct Absence {
    _wire: Wire,
}

impl Absence {
    /// Takes the lock.
    ///
    /// # Errors
    /// Fails if a server is using the store, or if the database cannot be used.
    pub fn take(settings: &Settings) -> Result<Absence, PresenceError> {
        let wire = Wire::connect(settings.patient())?;
        match is_taken(&wire, "SELECT pg_try_advisory_lock($1)", locks::of_servers(settings.schema()))? {
            true => Ok(Absence { _wire: wire }),
            false => Err(PresenceError::Served),
        }
    }
}

fn is_taken(wire: &Wire, sql: &str, key: i64) -> Stored<bool> {
    let rows = wire.query(sql, &[&key])?;
    rows.first().map_or(Ok(false), |row| crate::decode::get(row, 0))
}
