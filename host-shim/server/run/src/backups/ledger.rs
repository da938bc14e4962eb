//! Records which backups are made, and which host makes each. All hosts of a database share the table, so each backup
//! is requested only once, even after a restart.

use super::board::MadeBackup;
use host_provider_api::ResourceId;
use host_store_postgres::small::{Place, Shape, SmallError, SmallStore, Statements, values};
use std::sync::OnceLock;

/// The table. A row contains the newest backup of a resource, or the one in progress.
pub const SHAPE: Shape = Shape { name: "backups", steps: &[FIRST], tables: &[("backups", "resource")] };

const FIRST: &str = "
    CREATE TABLE backups (
        resource TEXT PRIMARY KEY,
        slot INTEGER NOT NULL,
        host TEXT NOT NULL,
        until_s INTEGER NOT NULL,
        made_at_s INTEGER,
        backup TEXT
    ) STRICT;";

/// How long a host has a backup to itself after each call: longer than the time between two attempts.
const LEASE_S: i64 = 15 * 60;

/// The backups of a business in a mode. The tables are opened when first needed, since few businesses have backups.
pub(crate) struct Ledger {
    place: Place,
    /// Name of this host.
    host: String,
    tables: OnceLock<SmallStore>,
}

/// Who makes a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This host.
    Own,
    /// Another host, which is calling the provider.
    Other,
    /// Nobody: the backup has been made.
    Made(MadeBackup),
}

impl Ledger {
    pub(crate) fn new(place: Place, host: &str) -> Ledger {
        Ledger { place, host: host.to_owned(), tables: OnceLock::new() }
    }

    fn tables(&self) -> Result<&SmallStore, SmallError> {
        if self.tables.get().is_none() {
            // Another thread may have opened it in the meantime; one of the two is dropped.
            let _ = self.tables.set(SmallStore::open(&self.place, &SHAPE)?);
        }
        self.tables.get().ok_or_else(|| SmallError::Postgres("the tables are not open".to_owned()))
    }

    /// Takes the backup of a slot, unless another host is making it or it has been made.
    pub(super) fn take(&self, id: &ResourceId, slot: u32, now_s: i64) -> Result<Turn, SmallError> {
        let (resource, slot) = (key(id), i64::from(slot));
        self.tables()?.write(|rows| -> Result<Turn, SmallError> {
            let sql = "SELECT slot, host, until_s, made_at_s, backup FROM backups WHERE resource = ?1";
            let known = rows.query_one(sql, values![resource.as_str()], |row| {
                let made_at_s: Option<i64> = row.get(3)?;
                let backup: Option<String> = row.get(4)?;
                Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?, made_at_s, backup))
            })?;
            match known {
                // A host whose clock is behind does not go back to an older slot.
                Some((known, _, _, Some(at_s), id)) if known >= slot => return Ok(Turn::Made(MadeBackup { at_s, id })),
                Some((known, host, until_s, None, _)) if known >= slot && host != self.host && until_s > now_s => {
                    return Ok(Turn::Other);
                }
                _ => {}
            }
            let sql = "INSERT INTO backups (resource, slot, host, until_s) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (resource) \
                       DO UPDATE SET slot = ?2, host = ?3, until_s = ?4, made_at_s = NULL, backup = NULL";
            let until_s = now_s.saturating_add(LEASE_S);
            rows.execute(sql, values![resource.as_str(), slot, self.host.as_str(), until_s])?;
            Ok(Turn::Own)
        })
    }

    /// Records that the backup of a slot was made and reported.
    pub(super) fn made(&self, id: &ResourceId, slot: u32, made: &MadeBackup) -> Result<(), SmallError> {
        let sql = "UPDATE backups SET made_at_s = ?3, backup = ?4 WHERE resource = ?1 AND slot = ?2";
        let (resource, slot) = (key(id), i64::from(slot));
        self.tables()?.execute(sql, values![resource.as_str(), slot, made.at_s, made.id.clone()])?;
        Ok(())
    }
}

/// Returns the key of a resource.
fn key(id: &ResourceId) -> String {
    format!("{} {id}", id.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(name: &str) -> ResourceId {
        ResourceId { scope: "b/test/user:u".into(), resource: "database".into(), id: name.into() }
    }

    #[test]
    fn each_backup_is_asked_for_once_by_whatever_host_and_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::File(folder.path().join("backups.db"));
        let [first, second] = ["one", "two"].map(|host| Ledger::new(place.clone(), host));
        let take =
            |ledger: &Ledger, name: &str, slot, now_s| ledger.take(&database(name), slot, now_s).expect("a table");
        assert_eq!(take(&first, "a", 24, 100), Turn::Own);
        assert_eq!(take(&second, "a", 24, 100), Turn::Other);
        assert_eq!(take(&second, "b", 24, 100), Turn::Own, "another database");
        assert_eq!(take(&first, "a", 24, 200), Turn::Own, "again, after a failure or a restart");
        assert_eq!(take(&second, "a", 24, 200 + LEASE_S - 1), Turn::Other);
        assert_eq!(take(&second, "a", 24, 200 + LEASE_S), Turn::Own, "the first host is gone");
        let made = MadeBackup { at_s: 300, id: Some("backup-1".to_owned()) };
        second.made(&database("a"), 24, &made).expect("noted");
        drop(second);
        for host in ["one", "two", "three"] {
            let started = Ledger::new(place.clone(), host);
            assert_eq!(take(&started, "a", 24, 5_000), Turn::Made(made.clone()), "{host}");
            assert_eq!(take(&started, "a", 23, 5_000), Turn::Made(made.clone()), "{host}: its clock is behind");
        }
        assert_eq!(take(&first, "a", 48, 90_000), Turn::Own, "the next day");
    }
}
