//! The vault: encrypted secrets in a SQLite file, or in a PostgreSQL database that several hosts share.

use crate::error::VaultError;
use crate::identity::{self, Begins, Identity, Mark};
use crate::key::{Key, Keys, NONCE_BYTES};
use host_provider_api::names::letters;
use host_provider_api::{MadeSecret, ResourceId, SECRET_BYTES_MIN, SECRET_PREFIX, Secret, SecretError, Secrets};
use host_store_postgres::small::{Place, Row, Shape, SmallError, SmallStore, Statements, values};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Prefix of references to the vault.
const PREFIX: &str = "secret:vault/";
/// Maximum bytes of a stored secret. A created secret has at most half as many random bytes, since it is stored in hex.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;

/// The secrets, the identity of the vault, and the vaults in place of which others were begun, with their secrets.
const TABLES: &str = "
CREATE TABLE secrets (
    scope TEXT NOT NULL,
    reference TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (scope, reference)
) STRICT, WITHOUT ROWID;
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    begun_anew INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE former_vaults (
    id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE former_secrets (
    vault TEXT NOT NULL REFERENCES former_vaults (id),
    scope TEXT NOT NULL,
    reference TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (vault, scope, reference)
) STRICT, WITHOUT ROWID;";
/// The tables.
pub const SHAPE: Shape = Shape {
    name: "vault",
    steps: &[TABLES],
    tables: &[
        ("secrets", "scope, reference"),
        ("identity", "one"),
        ("former_vaults", "id"),
        ("former_secrets", "vault, scope, reference"),
    ],
};

/// Adds a secret; the words for one that exists follow.
const INSERT: &str =
    "INSERT INTO secrets (scope, reference, name, key_id, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

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

/// A store of secrets. Threads can share it.
pub struct Vault {
    store: SmallStore,
    keys: Keys,
    identity: Identity,
    mark: Option<Mark>,
}

struct SealedSecret {
    reference: String,
    key_id: String,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

impl Vault {
    /// Opens or creates the file, with access for its owner only. A file beside it, the *mark*, keeps the vault's id.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be created or opened, if a secret is encrypted with a key that is not given, or if the
    /// folder has had a vault and this file is missing or is another vault.
    pub fn open(path: &Path, keys: Keys) -> Result<Vault, VaultError> {
        Vault::open_at(&path.into(), path, keys)
    }

    /// Opens or creates a vault in a place that several hosts may share. This host keeps the vault's id in a file beside the path
    /// that a vault in a file would have.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`].
    pub fn open_at(place: &Place, beside: &Path, keys: Keys) -> Result<Vault, VaultError> {
        let mark = Mark::beside(beside);
        // The mark is read first: another process may create the vault and its mark at any time, in this order.
        let wanted = mark.read()?;
        Vault::opened(place, keys, mark, wanted, Begins::Empty)
    }

    /// Begins a new vault in a file, in place of a lost one.
    ///
    /// # Errors
    ///
    /// As [`Vault::begin_at`].
    pub fn begin(path: &Path, keys: Keys) -> Result<(Vault, Option<String>), VaultError> {
        Vault::begin_at(&path.into(), path, keys)
    }

    /// Begins a new vault in place of a lost one. The old secrets are kept: a file under another name, or in a database
    /// the table `former_secrets`. Returns the vault, and where they are kept.
    ///
    /// # Errors
    ///
    /// Fails if a file can't be renamed, removed or created, or a table can't be written.
    pub fn begin_at(place: &Place, beside: &Path, keys: Keys) -> Result<(Vault, Option<String>), VaultError> {
        let mark = Mark::beside(beside);
        let wanted = mark.read()?;
        let kept = match place {
            Place::File(path) => identity::set_aside(path, wanted.as_deref())?.map(|path| path.display().to_string()),
            _ => None,
        };
        mark.remove()?;
        let vault = Vault::opened(place, keys, mark, None, Begins::Anew { in_place_of: wanted })?;
        let has_former = !vault.store.rows("SELECT 1 FROM former_secrets LIMIT 1", &[])?.is_empty();
        Ok((vault, kept.or_else(|| has_former.then(|| format!("in the table `former_secrets` of {place}")))))
    }

    fn opened(
        place: &Place,
        keys: Keys,
        mark: Mark,
        wanted: Option<String>,
        begins: Begins,
    ) -> Result<Vault, VaultError> {
        if let Place::File(path) = place {
            only_for_owner(path).map_err(|error| VaultError::Io { path: path.display().to_string(), error })?;
        }
        let store = SmallStore::open(place, &SHAPE)?;
        let wants = wanted.as_ref().map(|id| (&mark, id));
        let identity = Identity::check(&store, place, &keys, wants, begins)?;
        let is_replaced = wanted.as_ref().is_some_and(|wanted| *wanted != identity.id);
        let vault = Vault { store, keys, identity, mark: Some(mark) };
        if is_replaced && let Some(mark) = &vault.mark {
            // Another host has begun this vault in place of the one that this host knew.
            mark.remove()?;
        }
        if is_replaced || (wanted.is_none() && !vault.list()?.is_empty()) {
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
        let store = SmallStore::open(&Place::Memory, &SHAPE)?;
        let identity = Identity::check(&store, &Place::Memory, &keys, None, Begins::Empty)?;
        Ok(Vault { store, keys, identity, mark: None })
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
        let made = made(&reference, plain);
        let put = format!(
            "{INSERT} ON CONFLICT (scope, reference) DO UPDATE SET name = excluded.name, key_id = excluded.key_id, \
             nonce = excluded.nonce, sealed = excluded.sealed"
        );
        self.insert(&put, scope, name, row)?;
        Ok(made)
    }

    /// Encrypts the secrets of older keys again, with the first key. Returns the number of these secrets.
    ///
    /// # Errors
    ///
    /// Fails if a key is missing, a row was modified, or the file can't be written.
    pub fn rotate(&self) -> Result<usize, VaultError> {
        let Some(first) = self.keys.first() else { return Ok(0) };
        // The transaction locks the secrets before it reads. Otherwise it could overwrite a value that is stored
        // concurrently.
        self.store.write(|secrets| {
            let rows = secrets.query(
                "SELECT reference, key_id, nonce, sealed, scope FROM secrets WHERE key_id <> ?1 ORDER BY scope, reference",
                values![first.id()],
                |row| Ok((row.get::<String>(4)?, sealed(row)?)),
            )?;
            for (scope, row) in &rows {
                let renewed = self.seal(scope, &row.reference, &self.unseal(scope, row)?)?;
                secrets.execute(
                    "UPDATE secrets SET key_id = ?1, nonce = ?2, sealed = ?3 WHERE scope = ?4 AND reference = ?5",
                    values![renewed.key_id, renewed.nonce, renewed.sealed, scope, renewed.reference],
                )?;
            }
            identity::seal_again(secrets, first)?;
            Ok(rows.len())
        })
    }

    /// Lists the secrets without their values.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read.
    pub fn list(&self) -> Result<Vec<SecretInfo>, VaultError> {
        let all = "SELECT scope, reference, name, key_id FROM secrets ORDER BY scope, name";
        Ok(self.store.query(all, &[], |row| {
            Ok(SecretInfo { scope: row.get(0)?, reference: row.get(1)?, name: row.get(2)?, key_id: row.get(3)? })
        })?)
    }

    fn insert(&self, statement: &str, scope: &str, name: &str, row: SealedSecret) -> Result<(), SmallError> {
        let SealedSecret { reference, key_id, nonce, sealed } = row;
        self.store.execute(statement, values![scope, reference, name, key_id, nonce, sealed]).map(drop)
    }

    fn seal(&self, scope: &str, reference: &str, plain: &str) -> Result<SealedSecret, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| VaultError::Random(error.to_string()))?;
        let key = self.keys.first().ok_or_else(|| VaultError::Random("there is no key".to_owned()))?;
        let sealed = key.seal(&nonce, plain.as_bytes(), &about(scope, reference));
        let sealed = sealed.ok_or(VaultError::Size { found: plain.len(), expected: "less".to_owned() })?;
        Ok(SealedSecret { reference: reference.to_owned(), key_id: key.id().to_owned(), nonce: nonce.to_vec(), sealed })
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
        let one = "SELECT reference, key_id, nonce, sealed FROM secrets WHERE scope = ?1 AND reference = ?2";
        Ok(self.store.query_one(one, values![scope, reference], sealed)?)
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
        self.insert(&format!("{INSERT} ON CONFLICT (scope, reference) DO NOTHING"), scope, name, row)?;
        let kept = self.find(scope, &reference)?.ok_or_else(|| VaultError::Changed { reference: reference.clone() })?;
        Ok(made(&reference, &self.unseal(scope, &kept)?))
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
        let delete = "DELETE FROM secrets WHERE scope = ?1 AND reference = ?2";
        let gone = self.store.execute(delete, values![scope, reference]);
        gone.map(drop).map_err(|error| unavailable(reference, &error.into()))
    }
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

fn sealed(row: &Row) -> Result<SealedSecret, SmallError> {
    Ok(SealedSecret { reference: row.get(0)?, key_id: row.get(1)?, nonce: row.get(2)?, sealed: row.get(3)? })
}

/// Returns a secret with its hash. The hash is not stored: whoever has the file could guess a value that a person chose.
fn made(reference: &str, plain: &str) -> MadeSecret {
    MadeSecret { reference: reference.to_owned(), sha256: hex::encode(Sha256::digest(plain.as_bytes())) }
}

/// Creates the file, or takes the access to an existing file from everyone but its owner.
fn only_for_owner(path: &Path) -> std::io::Result<()> {
    host_store::sqlite_file::create_private(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}
