//! Notes in a table of PostgreSQL, and their files in a bucket of S3.

use crate::bucket::Bucket;
use crate::database::{Connection, failed, not_written};
use bytes::Bytes;
use notes::{FileInfo, Note, Room, Settings, Storage, StorageError};
use tokio_postgres::Row;

const COLUMNS: &str = "name, text, changed, file_name, file_kind, file_bytes";

/// The database and the bucket of an instance.
pub struct Cloud {
    connection: Connection,
    bucket: Option<Bucket>,
}

impl Cloud {
    /// Returns the storage. None without a database. Connects to nothing yet.
    pub async fn open(settings: Settings) -> Option<Cloud> {
        let connection = Connection::new(settings.database?);
        let bucket = match settings.bucket {
            Some(name) => Some(Bucket::open(name).await),
            None => None,
        };
        Some(Cloud { connection, bucket })
    }

    fn bucket(&self) -> Result<&Bucket, StorageError> {
        self.bucket.as_ref().ok_or_else(|| StorageError::bucket("`BUCKET` is not set"))
    }

    async fn number(&self, statement: &str) -> Result<u64, StorageError> {
        let row = self.connection.client().await?.query_one(statement, &[]).await.map_err(failed)?;
        unsigned(row.try_get(0).map_err(failed)?)
    }
}

impl Storage for Cloud {
    async fn list(&self, skip: u64, count: u64) -> Result<Vec<Note>, StorageError> {
        let statement = format!("SELECT {COLUMNS} FROM notes ORDER BY changed DESC, name LIMIT $1 OFFSET $2");
        let (skip, count) = (signed(skip)?, signed(count)?);
        let rows = self.connection.client().await?.query(&statement, &[&count, &skip]).await.map_err(failed)?;
        rows.iter().map(note).collect()
    }

    async fn count(&self) -> Result<u64, StorageError> {
        self.number("SELECT count(*) FROM notes").await
    }

    async fn get(&self, name: &str) -> Result<Option<Note>, StorageError> {
        let statement = format!("SELECT {COLUMNS} FROM notes WHERE name = $1");
        let row = self.connection.client().await?.query_opt(&statement, &[&name]).await.map_err(failed)?;
        row.as_ref().map(note).transpose()
    }

    async fn add(&self, note: &Note) -> Result<bool, StorageError> {
        let statement =
            format!("INSERT INTO notes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING");
        let file = note.file.as_ref();
        let (name, kind) = (file.map(|file| &file.name), file.map(|file| &file.kind));
        let bytes = file.map(|file| signed(file.bytes)).transpose()?;
        let client = self.connection.client().await?;
        let added = client.execute(&statement, &[&note.name, &note.text, &note.changed, &name, &kind, &bytes]).await;
        Ok(added.map_err(not_written)? == 1)
    }

    async fn put(&self, name: &str, text: &str, changed: i64) -> Result<(), StorageError> {
        let statement = "INSERT INTO notes (name, text, changed) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET text = excluded.text, changed = excluded.changed";
        let client = self.connection.client().await?;
        client.execute(statement, &[&name, &text, &changed]).await.map(drop).map_err(not_written)
    }

    async fn delete(&self, name: &str) -> Result<bool, StorageError> {
        let client = self.connection.client().await?;
        Ok(client.execute("DELETE FROM notes WHERE name = $1", &[&name]).await.map_err(failed)? == 1)
    }

    async fn room(&self) -> Result<Room, StorageError> {
        let statement = "SELECT pg_database_size(current_database()), has_table_privilege('notes', 'INSERT')";
        let row = self.connection.client().await?.query_one(statement, &[]).await.map_err(failed)?;
        let used = unsigned(row.try_get(0).map_err(failed)?)?;
        let may_write: bool = row.try_get(1).map_err(failed)?;
        Ok(Room { used, limit: None, is_refused: !may_write })
    }

    fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    async fn room_of_files(&self) -> Result<Room, StorageError> {
        let used = self.number("SELECT coalesce(sum(file_bytes), 0)::bigint FROM notes").await?;
        Ok(Room { used, limit: None, is_refused: false })
    }

    async fn put_file(&self, note: &str, kind: &str, file: Bytes) -> Result<(), StorageError> {
        self.bucket()?.put(note, kind, file).await
    }

    async fn file(&self, note: &str) -> Result<Option<Bytes>, StorageError> {
        self.bucket()?.get(note).await
    }

    async fn delete_file(&self, note: &str) -> Result<(), StorageError> {
        self.bucket()?.delete(note).await
    }
}

fn note(row: &Row) -> Result<Note, StorageError> {
    let file = match (row.try_get(3).map_err(failed)?, row.try_get(4).map_err(failed)?, row.try_get(5).map_err(failed)?)
    {
        (Some(name), Some(kind), Some(bytes)) => Some(FileInfo { name, kind, bytes: unsigned(bytes)? }),
        _ => None,
    };
    let get = |column: usize| row.try_get(column).map_err(failed);
    Ok(Note { name: get(0)?, text: get(1)?, changed: row.try_get(2).map_err(failed)?, file })
}

fn unsigned(number: i64) -> Result<u64, StorageError> {
    number.try_into().map_err(StorageError::database)
}

fn signed(number: u64) -> Result<i64, StorageError> {
    number.try_into().map_err(StorageError::database)
}
