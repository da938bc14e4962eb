//! The folder with everything that a server keeps. Only its owner may read it.
//!
//! `store.db` has the accounts, `lock` keeps a second server away, `keys.db` the hashes of the API keys, `users.db` users and
//! sessions, `providers` local resources and the vault, `quarantine` deliveries that are not events, and `swept` and
//! `swept-connected` the times up to which Stripe's events were read. In local mode there are also `vault.key`, which encrypts the vault, `operator.key`, an API key for the operator, and `clock`, the
//! milliseconds by which the clock is ahead. `host` has the name of this host in the leases of a store that several hosts share.
//!
//! With a database, the accounts, API keys, users, secrets and webhook endpoints are there, and all hosts share them. The file
//! `database` notes this, so that no command uses files that nobody reads.

use extension_contract::{Actor, ActorKind, Timestamp};
use host_access::{AccessError, Keys, NewKey, Reach, Token};
use host_provider_set::KeyError;
use host_small_store::Place;
use host_store::Partition;
use host_store_postgres::Settings;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Length of the vault's key in bytes.
const VAULT_KEY_BYTES: usize = 32;
/// Length of a host's name in bytes.
const HOST_ID_BYTES: usize = 8;
/// The file that notes in which database the accounts are.
const DATABASE: &str = "database";
/// The file of the accounts.
pub const STORE: &str = "store.db";
/// The file of API keys.
pub const KEYS: &str = "keys.db";
/// The file of users.
pub const USERS: &str = "users.db";
/// The folder of local resources and of the vault's file.
pub const PROVIDERS: &str = "providers";
/// Owner of the API keys in a database, which are those of all businesses.
pub const SERVER: &str = "server";
/// Name of the operator's key in local mode.
const OPERATOR: &str = "operator of local mode";

/// The reason why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or the folder cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file of API keys cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Another server uses the folder.
    #[error("{path}: another server uses this folder: stop it, or choose another folder with --data")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The folder belongs to a host with a database.
    #[error(
        "{path}: the accounts of this server are in the {database}: use --postgres with the variable DATABASE_URL, or \
         `database` in the configuration"
    )]
    InDatabase {
        /// The folder.
        path: PathBuf,
        /// The database, without a password.
        database: String,
    },
    /// The folder has accounts in a file, and the server is to use a database.
    #[error(
        "{path}: this file has the accounts of this server: copy it with \
         `host-shim migrate --from sqlite:{path} --to env:DATABASE_URL`, or remove it"
    )]
    InFile {
        /// The file.
        path: PathBuf,
    },
    /// The key of the vault is not one.
    #[error("vault.key: {0}")]
    VaultKey(#[from] KeyError),
    /// The system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// The data folder, and the database that has a part of the data.
#[derive(Clone, Debug)]
pub struct DataFolder {
    folder: PathBuf,
    database: Option<Settings>,
}

impl DataFolder {
    /// Opens the folder; creates it if it is missing.
    ///
    /// # Errors
    /// Fails if the folder cannot be created, or if its accounts are in another place than the database or the files.
    pub fn open(path: &Path, database: Option<&Settings>) -> Result<DataFolder, DataError> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(path).map_err(|error| file_error(path, error))?;
        let data = DataFolder { folder: path.to_owned(), database: database.cloned() };
        let note = data.path(DATABASE);
        match (fs::read_to_string(&note), database) {
            (Ok(known), None) => Err(DataError::InDatabase { path: data.folder, database: known.trim().to_owned() }),
            (Err(error), _) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&note, error)),
            (Err(_), Some(_)) if data.path(STORE).exists() => Err(DataError::InFile { path: data.path(STORE) }),
            (Err(_), Some(settings)) => {
                write_private(&note, &settings.to_string())?;
                Ok(data)
            }
            (Ok(_), Some(_)) | (Err(_), None) => Ok(data),
        }
    }

    /// Notes in which place the accounts are, after they were moved.
    ///
    /// # Errors
    /// Fails if a file cannot be written or removed.
    pub fn moved(path: &Path, database: Option<&Settings>) -> Result<(), DataError> {
        let note = path.join(DATABASE);
        match database {
            Some(settings) => write_private(&note, &settings.to_string()),
            None => match fs::remove_file(&note) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&note, error)),
                _ => Ok(()),
            },
        }
    }

    /// Returns the database; none if everything is in files.
    pub fn database(&self) -> Option<&Settings> {
        self.database.as_ref()
    }

    /// Returns the place of small tables: that of their owner in the database, or a file.
    pub fn place(&self, file: &str, owner: &str) -> Place {
        match &self.database {
            Some(settings) => Place::Postgres { settings: settings.clone(), owner: owner.to_owned() },
            None => Place::File(self.path(file)),
        }
    }

    /// Keeps other servers away from the folder, until the returned file is closed. A killed server leaves no lock.
    ///
    /// # Errors
    /// Fails if another server uses the folder, or if the file cannot be opened.
    pub fn lock(&self) -> Result<File, DataError> {
        let path = self.path("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| file_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(DataError::InUse { path: self.folder.clone() }),
            Err(TryLockError::Error(error)) => Err(file_error(&path, error)),
        }
    }

    /// Returns the path of a file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Opens the API keys.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn keys(&self) -> Result<Keys, DataError> {
        Ok(Keys::open(self.place(KEYS, SERVER))?)
    }

    /// Returns the name of this host, which no other host has; makes one at the first start.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written.
    pub fn host_id(&self) -> Result<String, DataError> {
        let text = self.kept("host", || {
            let mut bytes = [0; HOST_ID_BYTES];
            getrandom::fill(&mut bytes)?;
            Ok(hex::encode(bytes))
        })?;
        Ok(text.trim().to_owned())
    }

    /// Returns the keys of the vault in local mode; makes one at the first start.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written, or is not a key.
    pub fn vault_keys(&self) -> Result<host_provider_set::Keys, DataError> {
        let text = self.kept("vault.key", || {
            let mut bytes = [0; VAULT_KEY_BYTES];
            getrandom::fill(&mut bytes)?;
            Ok(hex::encode(bytes))
        })?;
        Ok(host_provider_set::Keys::parse(text.trim())?)
    }

    /// Returns an API key of the operator in local mode; makes one at the first start, and if it was revoked.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written.
    pub fn operator_key(&self, keys: &Keys, partition: &Partition, now: Timestamp) -> Result<String, DataError> {
        let path = self.path("operator.key");
        if let Ok(text) = fs::read_to_string(&path)
            && let Ok(token) = Token::parse(text.trim())
            && keys.verify(&token)?.is_some_and(|caller| caller.partition == *partition)
        {
            return Ok(token.expose());
        }
        let actor = Actor { kind: ActorKind::Admin, subject: "operator".to_owned(), roles: Vec::new() };
        let new = NewKey { name: OPERATOR.to_owned(), partition: partition.clone(), actor, reach: Reach::All };
        let token = keys.make(&new, now)?;
        write_private(&path, &token.expose())?;
        Ok(token.expose())
    }

    /// Returns the milliseconds by which the clock of local mode is ahead of the system clock.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn ahead_ms(&self) -> Result<i64, DataError> {
        let path = self.path("clock");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    /// Keeps the milliseconds by which the clock of local mode is ahead of the system clock.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_ahead_ms(&self, ahead: i64) -> Result<(), DataError> {
        write_private(&self.path("clock"), &ahead.to_string())
    }

    /// Returns the time up to which Stripe's events were swept, in seconds since the epoch; `first` at the first start.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written, or is not a number.
    pub fn swept_s(&self, first: i64) -> Result<i64, DataError> {
        let text = self.kept("swept", || Ok(first.to_string()))?;
        text.trim().parse().map_err(|_| {
            let expected = "expected the seconds up to which Stripe's events were read";
            file_error(&self.path("swept"), io::Error::new(io::ErrorKind::InvalidData, expected))
        })
    }

    /// Keeps the time up to which Stripe's events were swept.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_swept_s(&self, swept_s: i64) -> Result<(), DataError> {
        write_private(&self.path("swept"), &swept_s.to_string())
    }

    /// Returns the times up to which the events of connected accounts were swept, in seconds since the epoch.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is not an object of numbers.
    pub fn swept_connected(&self) -> Result<BTreeMap<String, i64>, DataError> {
        let path = self.path("swept-connected");
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| file_error(&path, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    /// Keeps the times up to which the events of connected accounts were swept. Writes no file for no accounts.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_swept_connected(&self, swept_s: &BTreeMap<String, i64>) -> Result<(), DataError> {
        let path = self.path("swept-connected");
        if swept_s.is_empty() && !path.exists() {
            return Ok(());
        }
        write_private(&path, &serde_json::json!(swept_s).to_string())
    }

    /// Returns the text of a file; makes it if it is missing.
    fn kept(&self, name: &str, make: impl FnOnce() -> Result<String, DataError>) -> Result<String, DataError> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = make()?;
                write_private(&path, &text)?;
                Ok(text)
            }
            Err(error) => Err(file_error(&path, error)),
        }
    }
}

fn file_error(path: &Path, error: io::Error) -> DataError {
    DataError::File { path: path.to_owned(), error }
}

fn write_private(path: &Path, text: &str) -> Result<(), DataError> {
    write_private_bytes(path, format!("{text}\n").as_bytes())
}

/// Replaces a file that only its owner may read. A crash leaves the old or the new bytes.
pub(crate) fn write_private_bytes(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|error| file_error(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(dir.path(), None).expect("a folder");
        let lock = data.lock().expect("the first server");
        let refused = data.lock().expect_err("a second server");
        assert!(matches!(&refused, DataError::InUse { path } if path == dir.path()), "{refused}");
        drop(lock);
        data.lock().expect("a server after the first");
    }

    #[test]
    fn accounts_are_in_one_place_until_they_are_moved() {
        let dir = tempfile::tempdir().expect("a folder");
        let database: Settings = "postgres://ada:secret@db/shop?sslmode=disable".parse().expect("an address");
        DataFolder::open(dir.path(), None).expect("a folder");
        fs::write(dir.path().join(STORE), "").expect("a store");
        let refused = DataFolder::open(dir.path(), Some(&database)).expect_err("accounts in a file");
        assert!(matches!(refused, DataError::InFile { .. }), "{refused}");
        DataFolder::moved(dir.path(), Some(&database)).expect("written");
        let data = DataFolder::open(dir.path(), Some(&database)).expect("a host of the database");
        assert!(matches!(data.place(USERS, "toys"), Place::Postgres { owner, .. } if owner == "toys"));
        let refused = DataFolder::open(dir.path(), None).expect_err("accounts in a database").to_string();
        assert!(refused.contains("postgres shop at db: use --postgres") && !refused.contains("secret"), "{refused}");
        DataFolder::moved(dir.path(), None).expect("removed");
        let data = DataFolder::open(dir.path(), None).expect("a host with files");
        assert!(matches!(data.place(USERS, "toys"), Place::File(path) if path.ends_with(USERS)));
    }

    #[test]
    fn keys_are_made_once_and_readable_by_their_owner_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(&dir.path().join("data"), None).expect("a folder");
        let keys = data.keys().expect("a file");
        let partition = Partition { business: "toys".to_owned(), livemode: false };
        let first = data.operator_key(&keys, &partition, 1).expect("a key");
        assert_eq!(data.operator_key(&keys, &partition, 2).expect("a key"), first);
        let token = Token::parse(&first).expect("a key");
        keys.revoke(token.id(), 3).expect("revoked");
        assert_ne!(data.operator_key(&keys, &partition, 4).expect("a key"), first, "a revoked key is replaced");
        data.vault_keys().expect("a key");
        let text = fs::read_to_string(data.path("vault.key")).expect("a file");
        data.vault_keys().expect("the same key");
        assert_eq!(fs::read_to_string(data.path("vault.key")).expect("a file"), text);
        #[cfg(unix)]
        for name in ["vault.key", "operator.key", "keys.db"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(data.path(name)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
        assert_eq!((data.swept_s(5).expect("made"), data.swept_s(9).expect("read")), (5, 5), "the first start");
        data.set_swept_s(7).expect("written");
        assert_eq!(data.swept_s(5).expect("read"), 7);
        data.set_swept_connected(&BTreeMap::new()).expect("nothing to write");
        assert!(!data.path("swept-connected").exists());
        let swept = BTreeMap::from([("acct_1".to_owned(), 7)]);
        data.set_swept_connected(&swept).expect("written");
        assert_eq!(data.swept_connected().expect("read"), swept);
        data.set_ahead_ms(7).expect("written");
        assert_eq!(data.ahead_ms().expect("read"), 7);
    }
}
