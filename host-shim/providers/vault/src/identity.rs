//! Checks that a vault is the one that belongs here, and that the given keys decrypt it.
//!
//! The vault has a random id, encrypted with the first key. The *mark* is a file that holds the same id outside the
//! vault and is written before the first secret. So a lost, exchanged or undecryptable vault is noticed when it is
//! opened.

use crate::error::VaultError;
use crate::key::{Key, Keys, NONCE_BYTES};
use host_store_postgres::small::{Place, SmallStore, Statements, values};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Bytes of a vault's id: enough that two vaults never have the same.
const ID_BYTES: usize = 16;
/// Authenticated text of the encrypted id; no secret has it, since the text of a secret begins with a number.
const ABOUT: &[u8] = b"identity";

/// The identity of an open vault.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub id: String,
    /// An operator began the vault in place of a lost one.
    pub begun_anew: bool,
}

/// How does a vault without an identity begin?
pub(crate) enum Begins {
    /// As a new one.
    Empty,
    /// In place of the one that is there, as an operator has asked.
    Anew {
        /// The vault that this host knew.
        in_place_of: Option<String>,
    },
}

impl Identity {
    /// Returns the identity of the vault, and creates it in a new one. `wanted` is the mark and its id.
    pub fn check(
        store: &SmallStore,
        place: &Place,
        keys: &Keys,
        wanted: Option<(&Mark, &String)>,
        begins: Begins,
    ) -> Result<Identity, VaultError> {
        let shown = || place.to_string();
        // Of several processes that start a new vault, the first one creates the identity, and the others read it.
        store.write(|tables| {
            let begun_anew = matches!(begins, Begins::Anew { .. });
            if let Begins::Anew { in_place_of } = begins {
                set_rows_aside(tables, in_place_of)?;
            }
            let found = tables.query_one("SELECT id, begun_anew, key_id, nonce, sealed FROM identity", &[], |row| {
                let identity = Identity { id: row.get(0)?, begun_anew: row.get(1)? };
                Ok((identity, row.get::<String>(2)?, row.get::<Vec<u8>>(3)?, row.get::<Vec<u8>>(4)?))
            })?;
            let missing = missing_keys(tables, keys)?;
            if !missing.is_empty() {
                return Err(VaultError::WrongKey { path: shown(), wanted: missing.join(", "), given: keys.ids() });
            }
            let is_empty = tables.rows("SELECT 1 FROM secrets LIMIT 1", &[])?.is_empty();
            match (found, wanted) {
                (Some((identity, ..)), Some((mark, wanted)))
                    if identity.id != *wanted && !is_former(tables, wanted)? =>
                {
                    let (mark, wanted) = (mark.shown(), wanted.clone());
                    Err(VaultError::Exchanged { path: shown(), mark, found: identity.id, wanted })
                }
                (Some((identity, key_id, nonce, sealed)), _) => {
                    let nonce: Option<[u8; NONCE_BYTES]> = nonce.try_into().ok();
                    let plain = nonce.and_then(|nonce| keys.find(&key_id)?.open(&nonce, &sealed, ABOUT));
                    match plain.is_some_and(|plain| plain == identity.id.as_bytes()) {
                        true => Ok(identity),
                        false => Err(VaultError::BadIdentity { path: shown() }),
                    }
                }
                (None, Some((mark, wanted))) if is_empty => {
                    Err(VaultError::Missing { path: shown(), mark: mark.shown(), wanted: wanted.clone() })
                }
                // A new vault, or a file of a version without identities.
                (None, _) => {
                    let mut id = [0; ID_BYTES];
                    getrandom::fill(&mut id).map_err(|error| VaultError::Random(error.to_string()))?;
                    let id = hex::encode(id);
                    let key = keys.first().ok_or_else(|| VaultError::Random("there is no key".to_owned()))?;
                    let (nonce, sealed) = seal(key, &id)?;
                    tables.execute(
                        "INSERT INTO identity (one, id, begun_anew, key_id, nonce, sealed) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                        values![&id, begun_anew, key.id(), nonce, sealed],
                    )?;
                    Ok(Identity { id, begun_anew })
                }
            }
        })
    }
}

/// Keeps the secrets of the vault that is there, so that a new one can begin. In a new file nothing is there.
fn set_rows_aside(tables: &impl Statements, known: Option<String>) -> Result<(), VaultError> {
    let there: Option<String> = tables.query_one("SELECT id FROM identity", &[], |row| row.get(0))?;
    let former = "INSERT INTO former_vaults (id) VALUES (?1) ON CONFLICT DO NOTHING";
    for id in known.iter().chain(&there) {
        tables.execute(former, values![id])?;
    }
    if let Some(there) = there {
        tables.execute(
            "INSERT INTO former_secrets (vault, scope, reference, name, key_id, nonce, sealed) \
             SELECT CAST(?1 AS TEXT), scope, reference, name, key_id, nonce, sealed FROM secrets",
            values![there],
        )?;
        tables.execute("DELETE FROM secrets", &[])?;
        tables.execute("DELETE FROM identity", &[])?;
    }
    Ok(())
}

/// Returns true if an operator has begun the vault that is there in place of this one.
fn is_former(tables: &impl Statements, id: &str) -> Result<bool, VaultError> {
    Ok(!tables.rows("SELECT 1 FROM former_vaults WHERE id = ?1", values![id])?.is_empty())
}

/// Returns the ids of keys that encrypt a row of the vault and are not given.
fn missing_keys(tables: &impl Statements, keys: &Keys) -> Result<Vec<String>, VaultError> {
    let used = "SELECT key_id FROM secrets UNION SELECT key_id FROM identity ORDER BY key_id";
    let used: Vec<String> = tables.query(used, &[], |row| row.get(0))?;
    Ok(used.into_iter().filter(|id| keys.find(id).is_none()).collect())
}

fn seal(key: &Key, id: &str) -> Result<(Vec<u8>, Vec<u8>), VaultError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| VaultError::Random(error.to_string()))?;
    let sealed = key.seal(&nonce, id.as_bytes(), ABOUT);
    let sealed = sealed.ok_or(VaultError::Size { found: id.len(), expected: "less".to_owned() })?;
    Ok((nonce.to_vec(), sealed))
}

/// Encrypts the id with this key.
pub(crate) fn seal_again(tables: &impl Statements, key: &Key) -> Result<(), VaultError> {
    let id: Option<String> = tables.query_one("SELECT id FROM identity", &[], |row| row.get(0))?;
    let Some(id) = id else { return Ok(()) };
    let (nonce, sealed) = seal(key, &id)?;
    let statement = "UPDATE identity SET key_id = ?1, nonce = ?2, sealed = ?3 WHERE key_id <> ?1";
    tables.execute(statement, values![key.id(), nonce, sealed])?;
    Ok(())
}

/// Renames the vault's file, with the files of its journal, so that a new one can begin. Returns the new name; none if
/// there was no file.
pub(crate) fn set_aside(path: &Path, mark: Option<&str>) -> Result<Option<PathBuf>, VaultError> {
    let io = |error| VaultError::Io { path: path.display().to_string(), error };
    let with = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    let name = format!(".before-{}", mark.unwrap_or("unmarked"));
    let number = (1..).map(|number| format!("{name}-{number}")).find(|name| !with(name).exists());
    let name = number.unwrap_or(name);
    let mut kept = None;
    for journal in ["-wal", "-shm", ""] {
        match std::fs::rename(with(journal), with(&format!("{name}{journal}"))) {
            Ok(()) => kept = Some(with(&name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
    }
    Ok(kept)
}

/// The file with the id of the vault that belongs in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Mark(PathBuf);

impl Mark {
    /// Returns the mark of the vault in this file: `secrets.id` beside `secrets.db`.
    pub fn beside(vault: &Path) -> Mark {
        Mark(vault.with_extension("id"))
    }

    fn shown(&self) -> String {
        self.0.display().to_string()
    }

    fn io(&self, error: std::io::Error) -> VaultError {
        VaultError::Io { path: self.shown(), error }
    }

    /// Returns the id in the mark, if there is a mark.
    pub fn read(&self) -> Result<Option<String>, VaultError> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|id| !id.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Writes the id, unless there is a mark.
    pub fn write(&self, id: &str) -> Result<(), VaultError> {
        if self.0.exists() {
            return Ok(());
        }
        // Each writer has its own file, and a rename shows it whole.
        let mut own = [0; ID_BYTES];
        getrandom::fill(&mut own).map_err(|error| VaultError::Random(error.to_string()))?;
        let new = self.0.with_extension(format!("id-{}", hex::encode(own)));
        let written = std::fs::File::create(&new).and_then(|mut file| {
            writeln!(file, "{id}")?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(&new, &self.0)).map_err(|error| self.io(error))
    }

    /// Removes the mark, if there is one.
    pub fn remove(&self) -> Result<(), VaultError> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.io(error)),
            _ => Ok(()),
        }
    }
}
