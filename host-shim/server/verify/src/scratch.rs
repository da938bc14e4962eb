//! Stripe's objects while they are compared: a temporary database, which SQLite keeps in memory up to the size of its
//! cache and removes at the end.

use crate::facts::{Facts, Kind};
use crate::theirs::Theirs;
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use serde_json::json;

const TABLE: &str = "CREATE TABLE theirs (
    kind INTEGER NOT NULL, id TEXT NOT NULL, facts TEXT NOT NULL, keys TEXT NOT NULL, scope TEXT, effect TEXT,
    seen INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID";
/// Number of rows on a page of unseen objects.
const PAGE: usize = 100;

/// The objects.
pub(crate) struct Scratch(Connection);

impl Scratch {
    pub(crate) fn open() -> Result<Scratch, Error> {
        // An empty name means a temporary file.
        let connection = Connection::open("")?;
        connection.execute_batch(TABLE)?;
        Ok(Scratch(connection))
    }

    /// Adds objects of a kind.
    pub(crate) fn put(&self, kind: Kind, page: &[Theirs]) -> Result<(), Error> {
        let transaction = self.0.unchecked_transaction()?;
        for theirs in page {
            let (facts, keys) = (json!(theirs.facts).to_string(), json!(theirs.keys).to_string());
            // A list that changes while it is read may show an object twice.
            let sql =
                "INSERT OR REPLACE INTO theirs (kind, id, facts, keys, scope, effect) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let values = params![kind as i64, theirs.id, facts, keys, theirs.scope, theirs.effect];
            transaction.prepare_cached(sql)?.execute(values)?;
        }
        transaction.commit()
    }

    /// Finds an object and marks it as seen.
    pub(crate) fn see(&self, kind: Kind, id: &str) -> Result<Option<Theirs>, Error> {
        let sql = "UPDATE theirs SET seen = 1 WHERE kind = ?1 AND id = ?2 RETURNING id, facts, keys, scope, effect";
        self.0.prepare_cached(sql)?.query_row(params![kind as i64, id], read).optional()
    }

    /// Returns a page of the objects of a kind that were not seen, after an id.
    pub(crate) fn unseen(&self, kind: Kind, after: &str) -> Result<Vec<Theirs>, Error> {
        let sql = "SELECT id, facts, keys, scope, effect FROM theirs WHERE kind = ?1 AND id > ?2 AND seen = 0 ORDER BY id LIMIT ?3";
        self.0.prepare_cached(sql)?.query_map(params![kind as i64, after, PAGE as i64], read)?.collect()
    }
}

fn read(row: &Row<'_>) -> Result<Theirs, Error> {
    let (facts, keys): (String, String) = (row.get(1)?, row.get(2)?);
    // The strings were written from these types.
    let facts: Facts = serde_json::from_str(&facts).unwrap_or_default();
    let keys = serde_json::from_str(&keys).unwrap_or_default();
    Ok(Theirs { id: row.get(0)?, facts, keys, scope: row.get(3)?, effect: row.get(4)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::facts;

    #[test]
    fn objects_that_were_not_seen_remain() {
        let scratch = Scratch::open().expect("a database");
        let theirs = |id: &str| Theirs {
            id: id.to_owned(),
            facts: facts([("total", json!(5))]),
            keys: vec!["k:1".to_owned()],
            scope: None,
            effect: Some("e".to_owned()),
        };
        let all: Vec<Theirs> = (0..250).map(|number| theirs(&format!("in_{number:03}"))).collect();
        scratch.put(Kind::Invoice, &all).expect("put");
        scratch.put(Kind::Invoice, &all[..1]).expect("the same again");
        assert_eq!(scratch.see(Kind::Invoice, "in_007").expect("read"), Some(all[7].clone()));
        assert_eq!(scratch.see(Kind::Refund, "in_007").expect("read"), None, "another kind");
        let (mut rest, mut after) = (Vec::new(), String::new());
        loop {
            let page = scratch.unseen(Kind::Invoice, &after).expect("read");
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            rest.extend(page);
        }
        assert_eq!(rest.len(), 249);
        assert!(rest.iter().all(|theirs| theirs.id != "in_007"));
    }
}
