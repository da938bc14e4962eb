//! `bucket.*`: a folder for each, with a name that nobody else has.

use crate::error::LocalError;
use crate::shelf::{Resource, Shelf};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome};
use serde_json::json;
use std::fs;

/// Names of buckets, as S3 has them without dots.
const NAME: Rules = Rules { what: "bucket", shortest: 3, longest: 63, others: b"-" };
/// What derived names begin with.
const PREFIX: &str = "bucket-";
/// The folder of a bucket's objects.
const FILES: &str = "files";

pub(crate) fn ensure(shelf: &Shelf, call: &Call) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let name = match NAME.name(call.text("name").or(call.text("bucket")), PREFIX, &id) {
        Ok(name) => name,
        Err(error) => return Ok(error.into()),
    };
    let is_taken = |other: &Resource| other.resource == id.resource && other.output("bucket") == Some(name.as_str());
    if shelf.all()?.iter().any(is_taken) {
        return Ok(CallOutcome::refused("name-taken", format!("the bucket `{name}` is another one's")));
    }
    let files = shelf.place(&id).join(FILES);
    fs::create_dir_all(&files).map_err(LocalError::io(&files))?;
    let outputs = json!({"id": letters(&id), "bucket": name});
    shelf.keep(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}
