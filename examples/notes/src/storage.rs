//! Where notes and files are: the trait that a database and a bucket fulfil.

use bytes::Bytes;
use std::error::Error;
use std::future::Future;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Name, unique in the notebook.
    pub name: String,
    /// Text, may be empty.
    pub text: String,
    /// Time of the last change, in seconds since 1970.
    pub changed: i64,
    /// The note's file.
    pub file: Option<FileInfo>,
}

/// Name, media type and size of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Name on the customer's computer, without folders.
    pub name: String,
    /// Media type that the browser sent.
    pub kind: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// How much of a database or a bucket is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Used bytes.
    pub used: u64,
    /// The plan's limit in bytes, if it is known.
    pub limit: Option<u64>,
    /// True if writes are refused whatever the size is.
    pub is_refused: bool,
}

impl Room {
    /// Returns true if nothing more may be written.
    pub fn is_full(&self) -> bool {
        self.is_refused || self.limit.is_some_and(|limit| limit <= self.used)
    }

    /// Returns the bytes that may still be written.
    pub fn free(&self) -> u64 {
        match self.is_refused {
            true => 0,
            false => self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.used)),
        }
    }
}

/// Reasons why the storage failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database refuses to write because of the plan's limit.
    #[error("the database has reached the plan's limit")]
    Full,
    /// The bucket refuses to write because of the plan's limit.
    #[error("the bucket has reached the plan's limit")]
    BucketFull,
    /// The database or the bucket failed.
    #[error("the {place} failed: {error}")]
    Failed {
        /// `database` or `bucket`.
        place: &'static str,
        /// Cause.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl StorageError {
    /// Returns an error of the database.
    pub fn database(error: impl Into<Box<dyn Error + Send + Sync>>) -> StorageError {
        StorageError::Failed { place: "database", error: error.into() }
    }

    /// Returns an error of the bucket.
    pub fn bucket(error: impl Into<Box<dyn Error + Send + Sync>>) -> StorageError {
        StorageError::Failed { place: "bucket", error: error.into() }
    }
}

/// The notes of a database and the files of a bucket. Names of notes are checked before a method gets them.
///
/// # Errors
///
/// A method that writes to a full database fails with [`StorageError::Full`], and one that writes to a full bucket may
/// fail with [`StorageError::BucketFull`]. Every method fails if the database or the
/// bucket fails.
pub trait Storage: Sync {
    /// Returns `count` notes after the first `skip`, the newest first.
    fn list(&self, skip: u64, count: u64) -> impl Future<Output = Result<Vec<Note>, StorageError>> + Send;

    /// Returns the number of notes.
    fn count(&self) -> impl Future<Output = Result<u64, StorageError>> + Send;

    /// Returns a note.
    fn get(&self, name: &str) -> impl Future<Output = Result<Option<Note>, StorageError>> + Send;

    /// Stores a new note. Returns false, and changes nothing, if there is a note with this name.
    fn add(&self, note: &Note) -> impl Future<Output = Result<bool, StorageError>> + Send;

    /// Stores the text of a note, which may be new. An existing note keeps its file.
    fn put(&self, name: &str, text: &str, changed: i64) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Deletes a note. Returns false if there is none.
    fn delete(&self, name: &str) -> impl Future<Output = Result<bool, StorageError>> + Send;

    /// Returns how much of the database is used.
    fn room(&self) -> impl Future<Output = Result<Room, StorageError>> + Send;

    /// Returns true if there is a bucket. Otherwise nobody calls the methods of files.
    fn has_bucket(&self) -> bool;

    /// Returns how much of the bucket is used.
    fn room_of_files(&self) -> impl Future<Output = Result<Room, StorageError>> + Send;

    /// Stores the file of a note.
    fn put_file(&self, note: &str, kind: &str, file: Bytes) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Returns the file of a note.
    fn file(&self, note: &str) -> impl Future<Output = Result<Option<Bytes>, StorageError>> + Send;

    /// Deletes the file of a note, if there is one.
    fn delete_file(&self, note: &str) -> impl Future<Output = Result<(), StorageError>> + Send;
}
