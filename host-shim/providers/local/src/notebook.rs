//! The storage of a function's notebook: notes in its SQLite database, files in the folder of its bucket.

use crate::error::LocalError;
use crate::store::{Resource, ResourceStore};
use crate::{bucket, content, database, entries};
use notes::{Note, Room, Storage, StorageError};
use rusqlite::Connection;
use serde_json::Value;
use std::fs;
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

/// The folder of the notes' files, in that of the bucket's files.
struct Files {
    bucket: PathBuf,
    folder: PathBuf,
    limit: Option<u64>,
}

impl Notebook {
    /// Opens the notebook of a function. None if the function has no database of its own account.
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
        let connection = Mutex::new(entries::open(&database::file(store, &database.full_id()))?);
        let files = bucket.map(|bucket| {
            let of_bucket = bucket::files(store, &bucket.full_id());
            Files { folder: of_bucket.join("notes"), bucket: of_bucket, limit: limit(&bucket) }
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
        Ok(Room { used, limit: files.limit, is_refused: false })
    }

    async fn put_file(&self, note: &str, _: &str, file: bytes::Bytes) -> Result<(), StorageError> {
        let folder = &self.files()?.folder;
        // Names of notes contain no dot, so no note has this file.
        let new = folder.join(format!("{note}.new"));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&new, file))
            .and_then(|()| fs::rename(&new, folder.join(note)))
            .map_err(StorageError::bucket)
    }

    async fn file(&self, note: &str) -> Result<Option<bytes::Bytes>, StorageError> {
        match fs::read(self.files()?.folder.join(note)) {
            Ok(file) => Ok(Some(file.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::bucket(error)),
        }
    }

    async fn delete_file(&self, note: &str) -> Result<(), StorageError> {
        match fs::remove_file(self.files()?.folder.join(note)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StorageError::bucket(error)),
            _ => Ok(()),
        }
    }
}
