//! Copies a SQLite file into another store, and another store into a file.

use super::{SqliteStore, effects, inbox, replies, rows, text, unavailable};
use crate::copy::{Part, Source, Target, WholeRow};
use crate::error::Stored;
use crate::scope::Scope;
use extension_contract::Reply;
use rusqlite::params;

impl Source for SqliteStore {
    fn whole_rows(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<WholeRow>> {
        self.of_scope(scope, |connection, number| rows::whole(connection, number, after, limit))
    }

    fn facts(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, String)>> {
        self.of_scope(scope, |connection, number| {
            connection
                .prepare_cached(
                    "SELECT fact, event_id FROM facts WHERE scope = ?1 AND fact > ?2 ORDER BY fact LIMIT ?3",
                )?
                .query_map(params![number, after, text::limit(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    fn replies(&self, scope: &Scope, after: &str, limit: usize) -> Stored<Vec<(String, Reply)>> {
        self.of_scope(scope, |connection, number| replies::last(connection, number, after, limit))
    }

    fn waits(&self, seq: u64) -> Stored<Vec<String>> {
        let read = || -> Result<Vec<String>, rusqlite::Error> {
            let mut statement = self.connection.prepare_cached("SELECT key FROM waits WHERE seq = ?1 ORDER BY key")?;
            statement.query_map([inbox::number(seq)], |row| row.get(0))?.collect()
        };
        read().map_err(unavailable)
    }
}

impl Target for SqliteStore {
    fn put_part(&mut self, part: &Part) -> Stored<()> {
        self.put(part).map_err(unavailable)
    }

    fn end_parts(&mut self) -> Stored<()> {
        // The next number of a table follows its last one.
        Ok(())
    }
}

impl SqliteStore {
    fn put(&self, part: &Part) -> Result<(), rusqlite::Error> {
        let connection = &self.connection;
        match part {
            Part::Scope { scope, revision, data_version } => {
                let known = self.scopes.ensure(connection, scope)?;
                let now = super::ScopeRow { revision: *revision, data_version: *data_version, ..known };
                self.scopes.set(connection, scope, now)
            }
            Part::Row(scope, row) => {
                let known = self.scopes.ensure(connection, scope)?;
                rows::put(connection, known.id, row.written, row.updated_at.unwrap_or_default(), &row.write)?;
                rows::set_times(connection, known.id, row)
            }
            Part::Fact { scope, fact, event_id } => {
                rows::put_fact(connection, self.scopes.ensure(connection, scope)?.id, fact, event_id)
            }
            Part::Reply { scope, caller, reply } => {
                replies::put(connection, self.scopes.ensure(connection, scope)?.id, caller, reply)
            }
            Part::Claim(key, row) => self.claims.put(connection, key, Some(row)),
            Part::Event { row, runs, waits_for } => {
                let number = self.scopes.ensure_partition(connection, &partition_of(row))?;
                inbox::insert_whole(connection, number, row, runs, waits_for)
            }
            Part::Effect(row) => {
                let partition = self.scopes.ensure_partition(connection, &row.scope.partition())?;
                let scope = self.scopes.ensure(connection, &row.scope)?;
                effects::insert_whole(connection, partition, scope.id, row)
            }
        }
    }
}

fn partition_of(row: &crate::rows::InboxRow) -> crate::scope::Partition {
    crate::scope::Partition { business: row.event.business.clone(), livemode: row.livemode }
}
