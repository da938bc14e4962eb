//! `database.*`: a SQLite file for each, with backups that outlive it.

use crate::content;
use crate::error::LocalError;
use crate::shelf::{Resource, Shelf, read, write};
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

/// The file in a resource's folder.
const FILE: &str = "database.sqlite";
/// What endpoints begin with; the rest is the resource's short name.
const ENDPOINT: &str = "sqlite:";
/// Pages that are copied in a row, and the pause after them, in which others may write.
const PAGES: i32 = 256;
const PAUSE: Duration = Duration::from_millis(1);

/// What stands beside a backup.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    backup_id: String,
    /// SHA-256 of the backup's file.
    sha256: String,
    /// Hash of the rows, which the restored database has again.
    content: String,
    bytes: u64,
    verified: bool,
}

/// The file of a database.
pub(crate) fn file(shelf: &Shelf, id: &ResourceId) -> PathBuf {
    shelf.place(id).join(FILE)
}

/// The database that an endpoint names; none if there is none.
pub(crate) fn at(shelf: &Shelf, endpoint: &str) -> Result<Option<Resource>, LocalError> {
    match endpoint.strip_prefix(ENDPOINT) {
        Some(letters) => shelf.by_letters(letters),
        None => Ok(None),
    }
}

/// The database at an endpoint, for a call of its own account that gives its secret; else what the call is answered.
pub(crate) fn opened(
    shelf: &Shelf,
    call: &Call,
    endpoint: &str,
    secret: Option<&str>,
) -> Result<Result<Resource, CallOutcome>, LocalError> {
    let Some(database) = at(shelf, endpoint)?.filter(|database| database.scope == call.scope) else {
        return Ok(Err(CallOutcome::refused("no-database", "there is no such database of this account here")));
    };
    let Some(reference) = secret else {
        return Ok(Err(CallOutcome::refused("no-secret", "a database is given with its secret")));
    };
    let secret = match call.secret(reference) {
        Ok(secret) => secret,
        Err(error) => return Ok(Err(error.into())),
    };
    let hash = hex::encode(Sha256::digest(secret.expose()));
    Ok(match database.setting("secret_sha256") == Some(hash.as_str()) {
        true => Ok(database),
        false => Err(CallOutcome::refused("wrong-secret", "the secret is not the database's")),
    })
}

/// Brings the tables up to date that functions use.
pub(crate) fn migrate(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match opened(shelf, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(answer) => return Ok(answer),
    };
    content::make(&file(shelf, &database.full_id()))?;
    Ok(CallOutcome::Done(json!({})))
}

/// Keeps each text of the payload as an entry, beside the database and its secret.
pub(crate) fn seed(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match opened(shelf, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(answer) => return Ok(answer),
    };
    let connection = content::open(&file(shelf, &database.full_id()))?;
    for (name, value) in call.payload.as_object().into_iter().flatten() {
        if let (Some(text), false) = (value.as_str(), matches!(name.as_str(), "database" | "secret")) {
            content::put(&connection, name, text)?;
        }
    }
    Ok(CallOutcome::Done(json!({})))
}

pub(crate) fn ensure(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let short = letters(&id);
    let secret = match call.make_secret(&id.to_string(), SECRET_BYTES_MIN) {
        Ok(secret) => secret,
        Err(error) => return Ok(error.into()),
    };
    let place = shelf.place(&id);
    fs::create_dir_all(&place).map_err(LocalError::io(&place))?;
    content::make(&place.join(FILE))?;
    let outputs = json!({
        "id": short,
        "endpoint": format!("{ENDPOINT}{short}"),
        "name": call.text("name").unwrap_or(&short),
        "user": "owner",
        "secret_ref": secret.reference,
    });
    let mut resource = Resource::new(call, outputs.clone());
    // A function shows that it was given the database by the secret's hash.
    resource.settings.insert("secret_sha256".to_owned(), json!(secret.sha256));
    shelf.keep(&resource)?;
    Ok(CallOutcome::Done(outputs))
}

/// What goes beside the folder.
pub(crate) fn destroy(call: &Call, resource: &Resource) -> Option<CallOutcome> {
    let reference = resource.output("secret_ref")?;
    call.forget_secret(reference).err().map(CallOutcome::from)
}

/// A whole copy, held against its source by a hash over all rows. The same call again gives the same backup.
pub(crate) fn backup(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    if shelf.find(&id)?.is_none() {
        return Ok(CallOutcome::refused("not-found", "there is no database to back up"));
    }
    let backup_id = format!("{}-{}", letters(&id), call.generation);
    let (copy, about) = (copy(shelf, &backup_id), about(shelf, &backup_id));
    if let Some(record) = read::<Record>(&about)?
        && hash_of(&copy)?.is_some_and(|(sha256, _)| sha256 == record.sha256)
    {
        return Ok(CallOutcome::Done(told(&record)));
    }
    let new = copy.with_extension("new");
    remove(&new)?;
    let source = content::open(&file(shelf, &id))?;
    let mut target = Connection::open(&new)?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    content::check(&target, &new)?;
    let (before, after) = (content::hash(&source)?, content::hash(&target)?);
    drop(target);
    if before != after {
        return Ok(CallOutcome::retry("changed-meanwhile", "the database changed while it was copied"));
    }
    fs::rename(&new, &copy).map_err(LocalError::io(&copy))?;
    let (sha256, bytes) = hash_of(&copy)?.unwrap_or_default();
    let record = Record { backup_id, sha256, content: after, bytes, verified: true };
    write(&about, &record)?;
    Ok(CallOutcome::Done(told(&record)))
}

/// Puts a backup in place of what the database has, after its hash was checked; the rows are then those of the backup.
pub(crate) fn restore(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    if shelf.find(&id)?.is_none() {
        return Ok(CallOutcome::refused("not-found", "there is no database to restore into"));
    }
    let named = call.payload.pointer("/backup/backup_id").and_then(Value::as_str).unwrap_or_default();
    // A backup is found under the resource's own name only: nobody restores another one's.
    let is_own = named.rsplit_once('-').is_some_and(|(of, number)| of == letters(&id) && number.parse::<u32>().is_ok());
    let record = if is_own { read::<Record>(&about(shelf, named))? } else { None };
    let Some(record) = record else {
        return Ok(CallOutcome::refused("no-backup", "there is no such backup of this database"));
    };
    let copy = copy(shelf, named);
    if hash_of(&copy)?.is_none_or(|(sha256, _)| sha256 != record.sha256) {
        return Ok(CallOutcome::refused(
            "backup-changed",
            "the backup is not what was written: its hash is another one",
        ));
    }
    let place = file(shelf, &id);
    let new = place.with_extension("new");
    fs::copy(&copy, &new).map_err(LocalError::io(&new))?;
    let restored = content::open(&new)?;
    content::check(&restored, &new)?;
    let is_same = content::hash(&restored)? == record.content;
    drop(restored);
    if !is_same {
        return Ok(CallOutcome::refused("backup-changed", "the restored rows are not those of the backup"));
    }
    for rest in ["sqlite-wal", "sqlite-shm", "sqlite-journal"] {
        remove(&place.with_extension(rest))?;
    }
    fs::rename(&new, &place).map_err(LocalError::io(&place))?;
    Ok(CallOutcome::Done(json!({"restored": record.backup_id, "sha256": record.sha256})))
}

fn told(record: &Record) -> Value {
    json!({"backup_id": record.backup_id, "sha256": record.sha256, "bytes": record.bytes, "verified": record.verified})
}

fn copy(shelf: &Shelf, backup_id: &str) -> PathBuf {
    shelf.backups().join(format!("{backup_id}.sqlite"))
}

fn about(shelf: &Shelf, backup_id: &str) -> PathBuf {
    shelf.backups().join(format!("{backup_id}.json"))
}

/// SHA-256 and bytes of a file, if there is one.
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
