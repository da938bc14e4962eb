//! The vault: encrypted secrets in a SQLite file.

use crate::error::VaultError;
use crate::identity::{self, Identity, Mark};
use crate::key::{Key, Keys, NONCE_BYTES};
use host_provider_api::names::letters;
use host_provider_api::{MadeSecret, ResourceId, SECRET_BYTES_MIN, SECRET_PREFIX, Secret, SecretError, Secrets};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Prefix of references to the vault.
const PREFIX: &str = "secret:vault/";
/// Maximum bytes of a stored secret. A created secret has at most half as many random bytes, since it is stored in hex.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;
/// Time to wait for another process that writes to the file.
const BUSY: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS secrets (
    scope TEXT NOT NULL,
    reference TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (scope, reference)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    begun_anew INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
";

/// An entry in the list of secrets, without the secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// `business/mode/account` of the owner.
    pub scope: String,
    /// Reference of the secret in payloads.
    pub reference: String,
    /// Name under which the secret was created or stored.
    pub name: String,
    /// Id of the encryption key.
    pub key_id: String,
}

/// A store of secrets in one SQLite file. Threads can share it.
pub struct Vault {
    connection: Mutex<Connection>,
    keys: Keys,
    identity: Identity,
    mark: Option<Mark>,
}

struct SealedSecret {
    reference: String,
    key_id: String,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
    sha256: String,
}

impl Vault {
    /// Opens or creates the file, with access for its owner only. A file beside it, the [`Mark`], keeps the vault's id.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be created or opened, if a secret is encrypted with a key that is not given, or if the
    /// folder has had a vault and this file is missing or is another vault.
    pub fn open(path: &Path, keys: Keys) -> Result<Vault, VaultError> {
        Vault::open_file(path, keys, false)
    }

    /// Begins a new vault in place of a lost one. An existing file keeps its contents under another name, which is
    /// returned with the vault.
    ///
    /// # Errors
    ///
    /// Fails if a file can't be renamed, removed or created.
    pub fn begin(path: &Path, keys: Keys) -> Result<(Vault, Option<PathBuf>), VaultError> {
        let mark = Mark::beside(path);
        let kept = identity::set_aside(path, mark.read()?.as_deref())?;
        mark.remove()?;
        Ok((Vault::open_file(path, keys, true)?, kept))
    }

    fn open_file(path: &Path, keys: Keys, begun_anew: bool) -> Result<Vault, VaultError> {
        let mark = Mark::beside(path);
        // The mark is read first: another process may create the vault and its mark at any time, in this order.
        let wanted = mark.read()?;
        only_for_owner(path).map_err(|error| VaultError::Io { path: path.display().to_string(), error })?;
        let mut connection = Connection::open(path)?;
        prepare(&connection)?;
        let identity =
            Identity::check(&mut connection, path, &keys, wanted.as_ref().map(|id| (&mark, id)), begun_anew)?;
        let vault = Vault { connection: Mutex::new(connection), keys, identity, mark: Some(mark) };
        if wanted.is_none() && !vault.list()?.is_empty() {
            vault.mark()?;
        }
        Ok(vault)
    }

    /// Creates a vault in memory with a random key.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no random bytes.
    pub fn in_memory() -> Result<Vault, VaultError> {
        let keys = Keys::one(Key::random().map_err(|error| VaultError::Random(error.to_string()))?);
        let mut connection = Connection::open_in_memory()?;
        prepare(&connection)?;
        let identity = Identity::check(&mut connection, Path::new("memory"), &keys, None, false)?;
        Ok(Vault { connection: Mutex::new(connection), keys, identity, mark: None })
    }

    /// Returns true for a reference to a secret of a vault, and false for variables and files of the machine.
    pub fn is_reference(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Returns true if an operator began this vault in place of a lost one, so that older secrets can be missing.
    pub fn is_begun_anew(&self) -> bool {
        self.identity.begun_anew
    }

    /// Returns whether the vault ever had a secret. Its identity was then checked when it was opened.
    pub fn was_used(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.read().is_ok_and(|id| id.is_some()))
    }

    /// Writes the mark, so that the folder knows of this vault before it has a secret.
    fn mark(&self) -> Result<(), VaultError> {
        self.mark.as_ref().map_or(Ok(()), |mark| mark.write(&self.identity.id))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a value under a name of a scope. Replaces an existing value.
    ///
    /// # Errors
    ///
    /// Fails if the value is empty or too large, or the file can't be written.
    pub fn put(&self, scope: &str, name: &str, plain: &str) -> Result<MadeSecret, VaultError> {
        if plain.is_empty() || plain.len() > SECRET_BYTES_MAX {
            return Err(VaultError::Size { found: plain.len(), expected: format!("1 to {SECRET_BYTES_MAX}") });
        }
        let reference = reference(scope, name);
        let row = self.seal(scope, &reference, plain)?;
        self.mark()?;
        self.connection().execute(
            "INSERT OR REPLACE INTO secrets (scope, reference, name, key_id, nonce, sealed, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![scope, row.reference, name, row.key_id, row.nonce, row.sealed, row.sha256],
        )?;
        Ok(MadeSecret { reference: row.reference, sha256: row.sha256 })
    }

    /// Encrypts the secrets of older keys again, with the first key. Returns the number of these secrets.
    ///
    /// # Errors
    ///
    /// Fails if a key is missing, a row was modified, or the file can't be written.
    pub fn rotate(&self) -> Result<usize, VaultError> {
        let Some(first) = self.keys.first() else { return Ok(0) };
        let mut connection = self.connection();
        // The transaction locks the file before it reads. Otherwise it could overwrite a value that is stored
        // concurrently.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows: Vec<(String, SealedSecret)> = {
            let mut all = transaction.prepare(
                "SELECT reference, key_id, nonce, sealed, sha256, scope FROM secrets WHERE key_id <> ? ORDER BY scope, reference",
            )?;
            let rows = all.query_map([first.id()], |row| Ok((row.get(5)?, sealed(row)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (scope, row) in &rows {
            let renewed = self.seal(scope, &row.reference, &self.unseal(scope, row)?)?;
            transaction.execute(
                "UPDATE secrets SET key_id = ?, nonce = ?, sealed = ? WHERE scope = ? AND reference = ?",
                params![renewed.key_id, renewed.nonce, renewed.sealed, scope, renewed.reference],
            )?;
        }
        identity::seal_again(&transaction, first)?;
        transaction.commit()?;
        Ok(rows.len())
    }

    /// Lists the secrets without their values.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read.
    pub fn list(&self) -> Result<Vec<SecretInfo>, VaultError> {
        let connection = self.connection();
        let mut all = connection.prepare("SELECT scope, reference, name, key_id FROM secrets ORDER BY scope, name")?;
        let rows = all.query_map([], |row| {
            Ok(SecretInfo { scope: row.get(0)?, reference: row.get(1)?, name: row.get(2)?, key_id: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn seal(&self, scope: &str, reference: &str, plain: &str) -> Result<SealedSecret, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| VaultError::Random(error.to_string()))?;
        let key = self.keys.first().ok_or_else(|| VaultError::Random("there is no key".to_owned()))?;
        let sealed = key.seal(&nonce, plain.as_bytes(), &about(scope, reference));
        let sealed = sealed.ok_or(VaultError::Size { found: plain.len(), expected: "less".to_owned() })?;
        Ok(SealedSecret {
            reference: reference.to_owned(),
            key_id: key.id().to_owned(),
            nonce: nonce.to_vec(),
            sealed,
            sha256: hex::encode(Sha256::digest(plain.as_bytes())),
        })
    }

    fn unseal(&self, scope: &str, row: &SealedSecret) -> Result<String, VaultError> {
        let reference = || row.reference.clone();
        let key = self.keys.find(&row.key_id);
        let key = key.ok_or_else(|| VaultError::NoKey { reference: reference(), key_id: row.key_id.clone() })?;
        let nonce = row.nonce.as_slice().try_into().map_err(|_| VaultError::Changed { reference: reference() })?;
        let plain = key.open(nonce, &row.sealed, &about(scope, &row.reference));
        plain
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or_else(|| VaultError::Changed { reference: reference() })
    }

    fn find(&self, scope: &str, reference: &str) -> Result<Option<SealedSecret>, VaultError> {
        let connection = self.connection();
        let mut one = connection.prepare_cached(
            "SELECT reference, key_id, nonce, sealed, sha256 FROM secrets WHERE scope = ? AND reference = ?",
        )?;
        Ok(one.query_row([scope, reference], sealed).optional()?)
    }

    fn made(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, VaultError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX / 2).contains(&bytes) {
            let expected = format!("{SECRET_BYTES_MIN} to {}", SECRET_BYTES_MAX / 2);
            return Err(VaultError::Size { found: bytes, expected });
        }
        let reference = reference(scope, name);
        let mut random = vec![0; bytes];
        getrandom::fill(&mut random).map_err(|error| VaultError::Random(error.to_string()))?;
        let row = self.seal(scope, &reference, &hex::encode(random))?;
        self.mark()?;
        // If calls are concurrent, the value of the first call stays.
        self.connection().execute(
            "INSERT INTO secrets (scope, reference, name, key_id, nonce, sealed, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (scope, reference) DO NOTHING",
            params![scope, row.reference, name, row.key_id, row.nonce, row.sealed, row.sha256],
        )?;
        let kept = self.find(scope, &reference)?.ok_or(VaultError::Changed { reference })?;
        Ok(MadeSecret { reference: kept.reference, sha256: kept.sha256 })
    }
}

impl Secrets for Vault {
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        let row = self.find(scope, reference).map_err(|error| unavailable(reference, &error))?;
        let row = row.ok_or_else(|| SecretError::Unknown(reference.to_owned()))?;
        self.unseal(scope, &row).map(Secret::new).map_err(|error| unavailable(reference, &error))
    }

    fn make(&self, scope: &str, name: &str, bytes: usize) -> Result<MadeSecret, SecretError> {
        self.made(scope, name, bytes).map_err(|error| unavailable(&format!("{SECRET_PREFIX}{name}"), &error))
    }

    fn put(&self, scope: &str, name: &str, plain: &str) -> Result<MadeSecret, SecretError> {
        Vault::put(self, scope, name, plain).map_err(|error| unavailable(&format!("{SECRET_PREFIX}{name}"), &error))
    }

    fn forget(&self, scope: &str, reference: &str) -> Result<(), SecretError> {
        let gone =
            self.connection().execute("DELETE FROM secrets WHERE scope = ? AND reference = ?", [scope, reference]);
        gone.map(drop).map_err(|error| unavailable(reference, &error.into()))
    }
}

/// Sets the connection up and creates the tables.
fn prepare(connection: &Connection) -> Result<(), VaultError> {
    connection.busy_timeout(BUSY)?;
    host_sqlite::use_write_ahead_log(connection, BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.execute_batch(SCHEMA)?;
    Ok(())
}

fn unavailable(reference: &str, error: &VaultError) -> SecretError {
    SecretError::Unavailable { reference: reference.to_owned(), reason: error.to_string() }
}

fn reference(scope: &str, name: &str) -> String {
    let id = ResourceId { scope: scope.to_owned(), resource: "secret".to_owned(), id: name.to_owned() };
    format!("{PREFIX}{}", letters(&id))
}

/// Returns the associated data that binds an encrypted secret to its row.
fn about(scope: &str, reference: &str) -> Vec<u8> {
    format!("{}:{scope}{reference}", scope.len()).into_bytes()
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<SealedSecret> {
    Ok(SealedSecret {
        reference: row.get(0)?,
        key_id: row.get(1)?,
        nonce: row.get(2)?,
        sealed: row.get(3)?,
        sha256: row.get(4)?,
    })
}

/// Creates the file, or takes the access to an existing file from everyone but its owner.
fn only_for_owner(path: &Path) -> std::io::Result<()> {
    host_sqlite::create_private(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}
