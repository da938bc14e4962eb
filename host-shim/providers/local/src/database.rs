//! `database.*`: one SQLite file per database. Backups stay when their database is destroyed.

use crate::content;
use crate::error::LocalError;
use crate::store::{Resource, ResourceStore, read, write};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome, ResourceId, SECRET_BYTES_MIN};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the database file in a resource's folder.
const FILE: &str = "database.sqlite";
/// Prefix of endpoints, before the resource's short name.
const ENDPOINT: &str = "sqlite:";
/// Pages that are copied at a time. Other connections may write during the pause after them.
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
}

/// Returns the path of a database's file.
pub(crate) fn file(store: &ResourceStore, id: &ResourceId) -> PathBuf {
    store.folder_of(id).join(FILE)
}

/// Returns a refusal if the resource is a database whose file is gone. A new, empty file would hide the loss.
pub(crate) fn lost(store: &ResourceStore, resource: &Resource) -> Option<CallOutcome> {
    let id = resource.full_id();
    if id.resource != "database" || file(store, &id).exists() {
        return None;
    }
    let problem = format!(
        "the file of the database `{}` is gone: expected `database.restore` with a backup, or `database.destroy`",
        letters(&id)
    );
    Some(CallOutcome::refused("database-lost", problem))
}

/// Returns the database of an endpoint, if it exists.
pub(crate) fn at(store: &ResourceStore, endpoint: &str) -> Result<Option<Resource>, LocalError> {
    match endpoint.strip_prefix(ENDPOINT) {
        Some(letters) => store.by_letters(letters),
        None => Ok(None),
    }
}

/// Returns the database at an endpoint if the call's account owns it and `secret` refers to its secret; otherwise a
/// refusal.
pub(crate) fn authorized(
    store: &ResourceStore,
    call: &Call,
    endpoint: &str,
    secret: Option<&str>,
) -> Result<Result<Resource, CallOutcome>, LocalError> {
    let Some(database) = at(store, endpoint)?.filter(|database| database.scope == call.scope) else {
        return Ok(Err(CallOutcome::refused("no-database", "the account has no such database")));
    };
    let Some(reference) = secret else {
        return Ok(Err(CallOutcome::refused("no-secret", "the database's secret is missing")));
    };
    let secret = match call.secret(reference) {
        Ok(secret) => secret,
        Err(error) => return Ok(Err(error.into())),
    };
    if let Some(refused) = lost(store, &database) {
        return Ok(Err(refused));
    }
    let hash = hex::encode(Sha256::digest(secret.expose()));
    Ok(match database.setting("secret_sha256") == Some(hash.as_str()) {
        true => Ok(database),
        false => Err(CallOutcome::refused("wrong-secret", "the secret does not belong to the database")),
    })
}

/// `database.migrate`: creates the table of entries.
pub(crate) fn migrate(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match authorized(store, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(refusal) => return Ok(refusal),
    };
    content::make(&file(store, &database.full_id()))?;
    Ok(CallOutcome::Done(json!({})))
}

/// `database.seed`: stores each string of the payload as an entry, except `database` and `secret`.
pub(crate) fn seed(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match authorized(store, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(refusal) => return Ok(refusal),
    };
    let connection = content::open(&file(store, &database.full_id()))?;
    for (name, value) in call.payload.as_object().into_iter().flatten() {
        if let (Some(text), false) = (value.as_str(), matches!(name.as_str(), "database" | "secret")) {
            content::put(&connection, name, text)?;
        }
    }
    Ok(CallOutcome::Done(json!({})))
}

pub(crate) fn ensure(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let short = letters(&id);
    let secret = match call.make_secret(&id.to_string(), SECRET_BYTES_MIN) {
        Ok(secret) => secret,
        Err(error) => return Ok(error.into()),
    };
    let folder = store.folder_of(&id);
    fs::create_dir_all(&folder).map_err(LocalError::io(&folder))?;
    content::make(&folder.join(FILE))?;
    let outputs = json!({
        "id": short,
        "endpoint": format!("{ENDPOINT}{short}"),
        "name": call.text("name").unwrap_or(&short),
        "user": "owner",
        "secret_ref": secret.reference,
    });
    let mut resource = Resource::new(call, outputs.clone());
    // Calls that use the database must have its secret. Its hash is stored to check that.
    resource.settings.insert("secret_sha256".to_owned(), json!(secret.sha256));
    store.save(&resource)?;
    Ok(CallOutcome::Done(outputs))
}

/// Deletes the database's secret. Returns an outcome if that fails.
pub(crate) fn destroy(call: &Call, resource: &Resource) -> Option<CallOutcome> {
    let reference = resource.output("secret_ref")?;
    call.forget_secret(reference).err().map(CallOutcome::from)
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
    let manifest = BackupManifest { backup_id, sha256, content: after, bytes, verified: true };
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
