//! Describes small tables, and the location where they are stored.

use crate::Settings;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Maximum length of a schema name in PostgreSQL, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Length of the hash in a name that would be too long, in bytes.
const HASH_BYTES: usize = 6;

/// A group of related tables.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Name, for example `users`: a part of the schema's name in PostgreSQL.
    pub name: &'static str,
    /// Each step migrates the tables to the next version, in SQLite's dialect. Their version is the number of steps that have been
    /// applied.
    pub steps: &'static [&'static str],
    /// The tables with their primary keys, which are the first columns. Each table comes after those to which it refers.
    pub tables: &'static [(&'static str, &'static str)],
}

/// The location of tables.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a server has a few places, which are not moved")]
pub enum Place {
    /// Only in memory, for tests.
    Memory,
    /// A SQLite file.
    File(PathBuf),
    /// A database of PostgreSQL.
    Postgres {
        /// Its address.
        settings: Settings,
        /// The owner of the tables, for example a business. A database may contain the tables of several owners.
        owner: String,
    },
}

impl Place {
    /// Returns the name of the schema for the tables of a shape. It consists of the store's schema, the shape and the owner.
    pub(crate) fn schema(settings: &Settings, shape: &Shape, owner: &str) -> String {
        let name = format!("{}_{}:{owner}", settings.schema(), shape.name);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ['_', '-', ':'].contains(&c);
        if name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain) {
            return name;
        }
        let hash = hex::encode(&Sha256::digest(&name)[..HASH_BYTES]);
        let most = NAME_BYTES_MAX - hash.len() - 1;
        let kept: String = name.chars().filter(|c| is_plain(*c)).take(most).collect();
        format!("{kept}-{hash}")
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Place {
        Place::File(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Place {
        Place::File(path.clone())
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Place {
        place.clone()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Memory => f.write_str("memory"),
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Postgres { settings, .. } => write!(f, "{settings}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_a_schema_of_its_own_with_a_name_that_fits() {
        let settings: Settings = "postgres://a@b/c?sslmode=disable".parse().expect("an address");
        let shape = Shape { name: "users", steps: &[], tables: &[] };
        assert_eq!(Place::schema(&settings, &shape, "toys"), "provisioner_users:toys");
        let [first, second] =
            ["a", "b"].map(|end| Place::schema(&settings, &shape, &format!("{}{end}", "x".repeat(80))));
        assert!(first.len() == NAME_BYTES_MAX && first != second, "{first}");
        assert!(!Place::schema(&settings, &shape, "\"; DROP").contains('"'));
    }
}
