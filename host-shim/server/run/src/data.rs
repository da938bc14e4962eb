//! The folder that contains everything a server stores. Only its owner may read it.
//!
//! With a database, the accounts, API keys, users, secrets and webhook endpoints are stored there, and all hosts share them. The file
//! `database` records this, so that no command uses files that nobody reads.

use extension_contract::{Actor, ActorKind, Timestamp};
use host_identity::access::{AccessError, KeyRow, Keys, NewKey, Reach, Token};
use host_providers::KeyError;
use host_store::Partition;
use host_store_postgres::Settings;
use host_store_postgres::small::Place;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Length of the vault's key in bytes.
const VAULT_KEY_BYTES: usize = 32;
/// Length of a host's name in bytes.
const HOST_ID_BYTES: usize = 8;
/// The file that records which database the accounts are in.
const DATABASE: &str = "database";
/// The file with the accounts.
pub const STORE: &str = "store.db";
/// The file with the hashes of the API keys.
pub const KEYS: &str = "keys.db";
/// The file with the users and sessions.
pub const USERS: &str = "users.db";
/// The folder with local resources and the vault's file.
pub const PROVIDERS: &str = "providers";
/// The file with the local Stripe's port.
const STRIPE_PORT: &str = "stripe.port";
/// Owner of the API keys in a database, where all businesses share them.
pub const SERVER: &str = "server";
/// The file with the key that encrypts the vault in local mode.
const VAULT_KEY: &str = "vault.key";
/// The file with the operator's API key in local mode, and the name of that key. Outside local mode, a server removes the file and
/// revokes the key.
const OPERATOR_KEY: &str = "operator.key";
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
    /// Another server is using the folder.
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
    /// The folder contains accounts in a file, but the server is configured to use a database.
    #[error(
        "{path}: this file has the accounts of this server: copy it with \
         `provisioner migrate --from sqlite:{path} --to env:DATABASE_URL`, or remove it"
    )]
    InFile {
        /// The file.
        path: PathBuf,
    },
    /// The key of the vault is invalid.
    #[error("vault.key: {0}")]
    VaultKey(#[from] KeyError),
    /// The system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// Locks a data folder against servers, wherever its accounts are, until the returned file is closed. A killed server leaves no lock.
///
/// # Errors
/// Fails if a server is using the folder, or if the file cannot be opened.
pub fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| file_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(file_error(&path, error)),
    }
}

/// The data folder, and the database that contains part of the data.
///
/// Besides the files of the constants above, the folder contains `lock`, which keeps a second server away; `host`, the name of this host
/// in the leases of a store shared by several hosts; `quarantine` with deliveries that are not events; `backups-test.db` and
/// `backups-live.db` with the state of the backups; and in local mode `stripe.db` and `clock`.
#[derive(Clone, Debug)]
pub struct DataFolder {
    folder: PathBuf,
    database: Option<Settings>,
}

impl DataFolder {
    /// Opens the folder; creates it if it is missing. Only its owner may access it and the files in it, whoever created them.
    ///
    /// # Errors
    /// Fails if the folder cannot be created, or if its accounts are in neither this database nor these files.
    pub fn open(path: &Path, database: Option<&Settings>) -> Result<DataFolder, DataError> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(path).map_err(|error| file_error(path, error))?;
        #[cfg(unix)]
        only_for_owner(path)?;
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

    /// Records where the accounts are after they have been moved.
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

    /// Returns the location of small tables: that of their owner in the database, or a file.
    pub fn place(&self, file: &str, owner: &str) -> Place {
        match &self.database {
            Some(settings) => Place::Postgres { settings: settings.clone(), owner: owner.to_owned() },
            None => Place::File(self.path(file)),
        }
    }

    /// Locks the folder against other servers until the returned file is closed. A killed server leaves no lock.
    ///
    /// # Errors
    /// Fails if another server is using the folder, or if the file cannot be opened.
    pub fn lock(&self) -> Result<File, DataError> {
        lock(&self.folder)
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

    /// Returns the unique name of this host, which is created at the first start.
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

    /// Returns the keys of the vault in local mode. One is created at the first start.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written, or is not a key.
    pub fn vault_keys(&self) -> Result<host_providers::Keys, DataError> {
        let text = self.kept(VAULT_KEY, || {
            let mut bytes = [0; VAULT_KEY_BYTES];
            getrandom::fill(&mut bytes)?;
            Ok(hex::encode(bytes))
        })?;
        Ok(host_providers::Keys::parse(text.trim())?)
    }

    /// Returns the operator's API key in local mode, which is created at the first start. None if it was revoked: no key replaces it as
    /// long as its file exists.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written.
    pub fn operator_key(
        &self,
        keys: &Keys,
        partition: &Partition,
        now: Timestamp,
    ) -> Result<Option<String>, DataError> {
        let path = self.path(OPERATOR_KEY);
        if let Ok(text) = fs::read_to_string(&path)
            && let Ok(token) = Token::parse(text.trim())
        {
            let is_it = |row: &KeyRow| row.caller.key == token.id() && row.caller.partition == *partition;
            match keys.list()?.into_iter().find(is_it) {
                Some(row) if row.revoked_at.is_some() => return Ok(None),
                Some(_) => return Ok(Some(token.expose())),
                // The key belongs to another business, or to a database that no longer exists.
                None => {}
            }
        }
        let actor = Actor { kind: ActorKind::Admin, subject: "operator".to_owned(), roles: Vec::new() };
        let new = NewKey { name: OPERATOR.to_owned(), partition: partition.clone(), actor, reach: Reach::All };
        let token = keys.make(&new, now)?;
        write_private(&path, &token.expose())?;
        Ok(Some(token.expose()))
    }

    /// Revokes the operator's keys of local mode, and removes the file with such a key: outside local mode, a key belongs to the person
    /// who created it, and its text is stored nowhere.
    ///
    /// # Errors
    /// Fails if a file cannot be removed, or the keys cannot be read or written.
    pub fn end_operator_key(&self, keys: &Keys, partition: &Partition, now: Timestamp) -> Result<(), DataError> {
        let is_of_local_mode = |row: &KeyRow| row.name == OPERATOR && row.caller.partition == *partition;
        for row in keys.list()?.into_iter().filter(|row| is_of_local_mode(row) && row.revoked_at.is_none()) {
            keys.revoke(&row.caller.key, now)?;
            tracing::warn!(key = row.caller.key, "the operator's key of local mode was revoked");
        }
        self.remove(OPERATOR_KEY)
    }

    /// Removes the vault key of local mode. Outside local mode, the vault is opened with its operator's key, which is stored elsewhere.
    ///
    /// # Errors
    /// Fails if the file cannot be removed.
    pub fn end_vault_key(&self) -> Result<(), DataError> {
        self.remove(VAULT_KEY)
    }

    fn remove(&self, name: &str) -> Result<(), DataError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&path, error)),
            _ => Ok(()),
        }
    }

    /// Returns by how many milliseconds the clock of local mode is ahead of the system clock.
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

    /// Saves by how many milliseconds the clock of local mode is ahead of the system clock.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_ahead_ms(&self, ahead: i64) -> Result<(), DataError> {
        write_private(&self.path("clock"), &ahead.to_string())
    }

    /// Returns the port of the local Stripe; none before its first start.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or is not a port.
    pub fn stripe_port(&self) -> Result<Option<u16>, DataError> {
        let path = self.path(STRIPE_PORT);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                let problem = format!("`{}` is not a port: expected 1 to 65535", text.trim());
                file_error(&path, io::Error::new(io::ErrorKind::InvalidData, problem))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    /// Saves the port of the local Stripe for the next start, since links to checkouts and invoices contain it.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_stripe_port(&self, port: u16) -> Result<(), DataError> {
        write_private(&self.path(STRIPE_PORT), &port.to_string())
    }

    /// Returns the text of a file, which is created if it is missing.
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

/// Denies everyone but their owner access to a folder and the files in it.
#[cfg(unix)]
fn only_for_owner(folder: &Path) -> Result<(), DataError> {
    let failed = |error| file_error(folder, error);
    narrow(folder, &fs::metadata(folder).map_err(failed)?)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // SQLite's files come and go; a folder within this one cannot be reached anyway.
        if let Ok(found) = fs::symlink_metadata(&path)
            && found.is_file()
        {
            narrow(&path, &found)?;
        }
    }
    Ok(())
}

/// Denies everyone but its owner access to a file or folder.
#[cfg(unix)]
fn narrow(path: &Path, found: &fs::Metadata) -> Result<(), DataError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)) {
        // It belongs to another user, as the root of a volume may.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), "others may read this: it belongs to another user");
            Ok(())
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
        _ => Ok(()),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), DataError> {
    write_private_bytes(path, format!("{text}\n").as_bytes())
}

/// Replaces a file that only its owner may read. A crash leaves either the old or the new bytes.
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
    fn a_key_of_local_mode_ends_with_local_mode_and_a_revoked_one_does_not_come_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(dir.path(), None).expect("a folder");
        let keys = data.keys().expect("a file");
        let [toys, books] = ["toys", "books"].map(|name| Partition { business: name.to_owned(), livemode: false });
        let works = |text: &str| keys.verify(&Token::parse(text).expect("a key")).expect("read").is_some();
        let make = |partition, now| data.operator_key(&keys, partition, now).expect("written");

        let first = make(&toys, 1).expect("a key");
        keys.revoke(Token::parse(&first).expect("a key").id(), 2).expect("revoked");
        assert_eq!(make(&toys, 3), None, "a restart brings no other key");
        assert!(keys.list().expect("read").iter().all(|row| row.revoked_at.is_some()));
        fs::remove_file(data.path(OPERATOR_KEY)).expect("removed");
        let second = make(&toys, 4).expect("an operator who removes the file wants a key");
        assert!(works(&second) && !works(&first));

        data.end_operator_key(&keys, &books, 5).expect("nothing of this business");
        assert!(works(&second), "it is another business's");
        let third = make(&toys, 6).expect("a key, since the file is gone");
        data.end_operator_key(&keys, &toys, 7).expect("ended");
        assert!(!works(&second) && !works(&third) && !data.path(OPERATOR_KEY).exists());
        let actor = Actor { kind: ActorKind::Admin, subject: "ada".to_owned(), roles: Vec::new() };
        let new = NewKey { name: "ada".to_owned(), partition: toys.clone(), actor, reach: Reach::All };
        let own = keys.make(&new, 8).expect("made").expose();
        data.end_operator_key(&keys, &toys, 9).expect("ended again");
        assert!(works(&own), "the key of a person stays");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_may_read_is_taken_from_them() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        let (store, program) = (dir.path().join(STORE), dir.path().join("program"));
        for (path, wide) in [(&store, 0o644), (&program, 0o755)] {
            fs::write(path, "").expect("written");
            set(path, wide);
        }
        set(dir.path(), 0o755);
        DataFolder::open(dir.path(), None).expect("a folder");
        assert_eq!([mode(dir.path()), mode(&store), mode(&program)], [0o700, 0o600, 0o700]);
    }

    #[test]
    fn keys_are_made_once_and_readable_by_their_owner_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(&dir.path().join("data"), None).expect("a folder");
        let keys = data.keys().expect("a file");
        let partition = Partition { business: "toys".to_owned(), livemode: false };
        let first = data.operator_key(&keys, &partition, 1).expect("read");
        assert_eq!(data.operator_key(&keys, &partition, 2).expect("read"), first);
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
        for _ in 0..2 {
            data.end_vault_key().expect("removed");
            assert!(!data.path("vault.key").exists());
        }
        assert_eq!(data.stripe_port().expect("read"), None, "before the first start");
        data.set_stripe_port(20_111).expect("written");
        assert_eq!(data.stripe_port().expect("read"), Some(20_111));
        fs::write(data.path("stripe.port"), "x").expect("written");
        let refused = data.stripe_port().expect_err("no port").to_string();
        assert!(refused.contains("`x` is not a port"), "{refused}");
        data.set_ahead_ms(7).expect("written");
        assert_eq!(data.ahead_ms().expect("read"), 7);
    }
}
