//! The storage of a function's notebook: notes in its SQLite database, files in the folder of its bucket.

use crate::local::error::LocalError;
use crate::local::store::{Resource, ResourceStore};
use crate::local::{bucket, content, database, entries, store};
use notes::{BODY_MAX, Note, Room, Storage, StorageError};
use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

const GIB: u64 = 1 << 30;

/// The database and the bucket of a function.
pub(crate) struct Notebook {
    connection: Mutex<Connection>,
    database_limit: Option<u64>,
    is_refused: bool,
    files: Option<Files>,
}

/// The folder of the notes' files, within that of the bucket's files.
struct Files {
    bucket: PathBuf,
    folder: PathBuf,
    limit: Option<u64>,
    is_refused: bool,
}

impl Files {
    /// Returns the path of a note's file. Some file systems do not distinguish `a` from `A`, so the name is a hash.
    fn path(&self, note: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(note)))
    }
}

impl Notebook {
    /// Opens the notebook of a function. None if the function has no database that belongs to its account.
    pub fn open(store: &ResourceStore, function: &Resource) -> Result<Option<Notebook>, LocalError> {
        let is_own = |other: &Resource| other.scope == function.scope;
        let database = match function.setting("database") {
            Some(endpoint) => database::at(store, endpoint)?.filter(is_own),
            None => None,
        };
        let Some(database) = database else { return Ok(None) };
        let bucket = match function.setting("bucket") {
            Some(name) => bucket::of(store, &function.scope, name)?,
            None => None,
        };
        let connection = Mutex::new(content::open(&database::file(store, &database.full_id()))?);
        let files = bucket.map(|bucket| {
            let of_bucket = bucket::files(store, &bucket.full_id());
            let is_refused = bucket.setting("writes") == Some("refused");
            Files { folder: of_bucket.join("notes"), bucket: of_bucket, limit: limit(&bucket), is_refused }
        });
        let is_refused = database.setting("writes") == Some("refused");
        Ok(Some(Notebook { connection, database_limit: limit(&database), is_refused, files }))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> Result<&Files, StorageError> {
        self.files.as_ref().ok_or_else(|| StorageError::bucket("the function has no bucket"))
    }
}

/// Returns the limit of a database or a bucket in bytes.
fn limit(resource: &Resource) -> Option<u64> {
    resource.settings.get("quota_gb").and_then(Value::as_u64).map(|gb| gb.saturating_mul(GIB))
}

impl Storage for Notebook {
    async fn list(&self, skip: u64, count: u64) -> Result<Vec<Note>, StorageError> {
        entries::list(&self.connection(), skip, count).map_err(StorageError::database)
    }

    async fn count(&self) -> Result<u64, StorageError> {
        entries::count(&self.connection()).map_err(StorageError::database)
    }

    async fn get(&self, name: &str) -> Result<Option<Note>, StorageError> {
        entries::get(&self.connection(), name).map_err(StorageError::database)
    }

    async fn add(&self, note: &Note) -> Result<bool, StorageError> {
        entries::add(&self.connection(), note).map_err(StorageError::database)
    }

    async fn put(&self, name: &str, text: &str, changed: i64) -> Result<(), StorageError> {
        entries::put(&self.connection(), name, text, changed).map_err(StorageError::database)
    }

    async fn delete(&self, name: &str) -> Result<bool, StorageError> {
        entries::delete(&self.connection(), name).map_err(StorageError::database)
    }

    async fn room(&self) -> Result<Room, StorageError> {
        let used = content::size(&self.connection()).map_err(StorageError::database)?;
        Ok(Room { used, limit: self.database_limit, is_refused: self.is_refused })
    }

    fn has_bucket(&self) -> bool {
        self.files.is_some()
    }

    async fn room_of_files(&self) -> Result<Room, StorageError> {
        let files = self.files()?;
        let used = bucket::size(&files.bucket).map_err(StorageError::bucket)?;
        Ok(Room { used, limit: files.limit, is_refused: files.is_refused })
    }

    async fn put_file(&self, note: &str, _: &str, file: bytes::Bytes) -> Result<(), StorageError> {
        let files = self.files()?;
        fs::create_dir_all(&files.folder).map_err(StorageError::bucket)?;
        store::write_bytes(&files.path(note), &file).map_err(StorageError::bucket)
    }

    async fn file(&self, note: &str) -> Result<Option<bytes::Bytes>, StorageError> {
        let path = self.files()?.path(note);
        let read = fs::File::open(&path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(BODY_MAX as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        match read {
            Ok(bytes) if bytes.len() > BODY_MAX => {
                Err(StorageError::bucket(format!("{}: expected at most {BODY_MAX} bytes", path.display())))
            }
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::bucket(error)),
        }
    }

    async fn delete_file(&self, note: &str) -> Result<(), StorageError> {
        match fs::remove_file(self.files()?.path(note)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StorageError::bucket(error)),
            _ => Ok(()),
        }
    }
}
