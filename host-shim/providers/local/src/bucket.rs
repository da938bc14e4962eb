//! `bucket.*`: one folder per bucket, with a unique name.

use crate::error::LocalError;
use crate::store::{Resource, ResourceStore};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome};
use serde_json::json;
use std::fs;

/// Allowed bucket names: S3's, without dots.
const NAME: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// Prefix of derived names.
const PREFIX: &str = "bucket-";
/// Folder of a bucket's objects.
const FILES: &str = "files";

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
    let files = store.folder_of(&id).join(FILES);
    fs::create_dir_all(&files).map_err(LocalError::io(&files))?;
    let outputs = json!({"id": letters(&id), "bucket": name});
    store.save(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}
