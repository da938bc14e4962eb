//! `bucket.*`: one folder per bucket, with a unique name.

use crate::local::error::LocalError;
use crate::local::store::{Resource, ResourceStore};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome, ResourceId};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Allowed bucket names: S3's, without dots.
const NAME: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// Prefix of derived names.
const PREFIX: &str = "bucket-";
/// Folder of a bucket's objects.
const FILES: &str = "files";

/// Returns the folder of a bucket's objects.
pub(crate) fn files(store: &ResourceStore, id: &ResourceId) -> PathBuf {
    store.folder_of(id).join(FILES)
}

/// Returns the bucket with this name, if it belongs to the account `scope`.
pub(crate) fn of(store: &ResourceStore, scope: &str, name: &str) -> Result<Option<Resource>, LocalError> {
    let is_it = |it: &Resource| it.resource == "bucket" && it.scope == scope && it.output("bucket") == Some(name);
    Ok(store.all()?.into_iter().find(is_it))
}

/// Returns the size of all files in a folder and its folders, in bytes.
pub(crate) fn size(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let size = match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            other => other.map(|found| found.len()),
        };
        bytes += match size {
            // Another request has deleted the file in the meantime.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            other => other?,
        };
    }
    Ok(bytes)
}

pub(crate) fn ensure(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let name = match NAME.name(call.text("name").or(call.text("bucket")), PREFIX, &id) {
        Ok(name) => name,
        Err(error) => return Ok(error.into()),
    };
    let is_taken = |other: &Resource| other.resource == id.resource && other.output("bucket") == Some(name.as_str());
    if store.all()?.iter().any(is_taken) {
        return Ok(CallOutcome::refused("name-taken", format!("the bucket `{name}` belongs to another resource")));
    }
    let files = files(store, &id);
    fs::create_dir_all(&files).map_err(LocalError::io(&files))?;
    let outputs = json!({"id": letters(&id), "bucket": name});
    store.save(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}
