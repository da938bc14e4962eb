//! Backs up and restores databases, and deletes scheduled backups. Backups remain when their database is destroyed.

use crate::local::content;
use crate::local::database::file;
use crate::local::error::LocalError;
use crate::local::store::{ResourceStore, read, write};
use host_provider_api::names::letters;
use host_provider_api::{BackupExpiry, BackupSchedule, Call, CallOutcome, ScheduledBackup};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages that are copied at a time. Other connections may write during the pause that follows.
const PAGES: i32 = 256;
const PAUSE: Duration = Duration::from_millis(1);

/// The manifest of a backup, stored next to its file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct BackupManifest {
    backup_id: String,
    /// SHA-256 of the backup file.
    sha256: String,
    /// Hash of the tables, for comparison with the restored database.
    content: String,
    bytes: u64,
    verified: bool,
    /// The entry of a scheduled backup; none for a backup that is kept forever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<ScheduledBackup>,
}

/// Copies the database and verifies the copy by a hash of all tables. A repeated call returns the same backup.
pub(crate) fn backup(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    if store.find(&id)?.is_none() {
        return Ok(CallOutcome::refused("not-found", "there is no database to back up"));
    }
    let backup_id = format!("{}-{}", letters(&id), call.generation);
    let (copy_path, manifest_path) = (copy_path(store, &backup_id), manifest_path(store, &backup_id));
    if let Some(manifest) = read::<BackupManifest>(&manifest_path)?
        && hash_of(&copy_path)?.is_some_and(|(sha256, _)| sha256 == manifest.sha256)
    {
        return Ok(CallOutcome::Done(outputs(&manifest)));
    }
    let new = copy_path.with_extension("new");
    remove(&new)?;
    let source = content::open(&file(store, &id))?;
    let mut target = Connection::open(&new)?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    content::check(&target, &new)?;
    let (before, after) = (content::hash(&source)?, content::hash(&target)?);
    drop(target);
    if before != after {
        return Ok(CallOutcome::retry("changed-meanwhile", "the database changed while it was copied"));
    }
    fs::rename(&new, &copy_path).map_err(LocalError::io(&copy_path))?;
    let (sha256, bytes) = hash_of(&copy_path)?.unwrap_or_default();
    let schedule = BackupSchedule::of(call).map(|schedule| schedule.entry(&id));
    let manifest = BackupManifest { backup_id, sha256, content: after, bytes, verified: true, schedule };
    write(&manifest_path, &manifest)?;
    Ok(CallOutcome::Done(outputs(&manifest)))
}

/// Replaces the database with a backup, after checking the hashes of the backup's file and tables.
pub(crate) fn restore(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    if store.find(&id)?.is_none() {
        return Ok(CallOutcome::refused("not-found", "there is no database to restore into"));
    }
    let named = call.payload.pointer("/backup/backup_id").and_then(Value::as_str).unwrap_or_default();
    // A backup's name contains a hash of its resource's id, so a backup of another resource is refused.
    let is_own = named.rsplit_once('-').is_some_and(|(of, number)| of == letters(&id) && number.parse::<u32>().is_ok());
    let manifest = if is_own { read::<BackupManifest>(&manifest_path(store, named))? } else { None };
    let Some(manifest) = manifest else {
        return Ok(CallOutcome::refused("no-backup", "there is no such backup of this database"));
    };
    let copy_path = copy_path(store, named);
    if hash_of(&copy_path)?.is_none_or(|(sha256, _)| sha256 != manifest.sha256) {
        return Ok(CallOutcome::refused("backup-changed", "the hash of the backup file has changed"));
    }
    let target = file(store, &id);
    let new = target.with_extension("new");
    fs::copy(&copy_path, &new).map_err(LocalError::io(&new))?;
    let restored = content::open(&new)?;
    content::check(&restored, &new)?;
    let is_same = content::hash(&restored)? == manifest.content;
    drop(restored);
    if !is_same {
        return Ok(CallOutcome::refused("backup-changed", "the restored rows differ from the backup"));
    }
    for rest in ["sqlite-wal", "sqlite-shm", "sqlite-journal"] {
        remove(&target.with_extension(rest))?;
    }
    fs::rename(&new, &target).map_err(LocalError::io(&target))?;
    Ok(CallOutcome::Done(json!({"restored": manifest.backup_id, "sha256": manifest.sha256})))
}

/// Deletes the expired backups and returns their number. An unreadable manifest is an error, but does not prevent the deletion of the
/// others.
pub(crate) fn expire(store: &ResourceStore, expiry: &BackupExpiry<'_>) -> Result<usize, LocalError> {
    let folder = store.backups();
    let (mut scheduled, mut failure) = (Vec::new(), None);
    for entry in fs::read_dir(&folder).map_err(LocalError::io(&folder))? {
        let path = entry.map_err(LocalError::io(&folder))?.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        match read::<BackupManifest>(&path) {
            Ok(found) => scheduled.extend(found.and_then(|manifest| Some((manifest.schedule?, manifest.backup_id)))),
            Err(error) => failure = Some(error),
        }
    }
    let expired = expiry.expired(scheduled);
    for id in &expired {
        // If only the copy is deleted, its manifest leads to another attempt next time.
        remove(&copy_path(store, id))?;
        remove(&manifest_path(store, id))?;
    }
    failure.map_or(Ok(expired.len()), Err)
}

fn outputs(manifest: &BackupManifest) -> Value {
    json!({"backup_id": manifest.backup_id, "sha256": manifest.sha256, "bytes": manifest.bytes, "verified": manifest.verified})
}

fn copy_path(store: &ResourceStore, backup_id: &str) -> PathBuf {
    store.backups().join(format!("{backup_id}.sqlite"))
}

fn manifest_path(store: &ResourceStore, backup_id: &str) -> PathBuf {
    store.backups().join(format!("{backup_id}.json"))
}

/// Returns a file's SHA-256 and size in bytes, if it exists.
fn hash_of(path: &Path) -> Result<Option<(String, u64)>, LocalError> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::Io { path: path.to_owned(), error }),
    };
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut Hashing(&mut hash)).map_err(LocalError::io(path))?;
    Ok(Some((hex::encode(hash.finalize()), bytes)))
}

struct Hashing<'h>(&'h mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), LocalError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LocalError::Io { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}
