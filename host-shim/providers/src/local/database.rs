//! `database.*`: one SQLite file per database, even for a database on another server that a person specifies: nothing leaves this machine.

use crate::local::error::LocalError;
use crate::local::store::{Resource, ResourceStore};
use crate::local::{content, entries};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome, ResourceId, SECRET_BYTES_MIN};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

/// Name of the database file in a resource's folder.
const FILE: &str = "database.sqlite";
/// Prefix of endpoints, before the resource's short name.
const ENDPOINT: &str = "sqlite:";
/// Name of the payload member that marks a database specified by a person. The resource stores it as a setting of the same name.
pub(crate) const ADOPTED: &str = "adopt";

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
        None => Ok(store.all()?.into_iter().find(|it| is_adopted(it) && it.output("endpoint") == Some(endpoint))),
    }
}

/// Returns whether a person has specified the database. The local file then stands in for a database on another server.
fn is_adopted(resource: &Resource) -> bool {
    resource.resource == "database" && resource.settings.contains_key(ADOPTED)
}

/// `database.observe` with `adopt`: creates an empty file in place of the database that a person has specified by its `endpoint` and a
/// reference to its secret.
pub(crate) fn adopt(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let outputs = &call.payload["outputs"];
    let (Some(endpoint), Some(reference)) = (outputs["endpoint"].as_str(), outputs["secret_ref"].as_str()) else {
        let text = "`outputs`: expected the `endpoint` of a database, and the reference of its secret as `secret_ref`";
        return Ok(CallOutcome::refused("bad-payload", text));
    };
    let secret = match call.secret(reference) {
        Ok(secret) => secret,
        Err(error) => return Ok(error.into()),
    };
    let scheme = secret.expose().split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !["postgres", "postgresql"].contains(&scheme)) {
        let text = "the secret is the URL of something else: expected `postgres://…`, or a password";
        return Ok(CallOutcome::refused("bad-secret", text));
    }
    if at(store, endpoint)?.is_some() {
        return Ok(CallOutcome::refused("name-taken", "another resource has this database"));
    }
    let id = call.resource_id();
    let folder = store.folder_of(&id);
    fs::create_dir_all(&folder).map_err(LocalError::io(&folder))?;
    content::make(&folder.join(FILE))?;
    let mut resource = Resource::new(call, outputs.clone());
    resource.settings.insert("secret_sha256".to_owned(), json!(hex::encode(Sha256::digest(secret.expose()))));
    store.save(&resource)?;
    Ok(CallOutcome::Done(json!({"exists": true, "state": resource.state, "outputs": outputs})))
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

/// `database.migrate`: creates the table of notes.
pub(crate) fn migrate(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match authorized(store, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(refusal) => return Ok(refusal),
    };
    content::make(&file(store, &database.full_id()))?;
    Ok(CallOutcome::Done(json!({})))
}

/// `database.seed`: stores each string of the payload as a note, except `database` and `secret`.
pub(crate) fn seed(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let database = match authorized(store, call, call.text("database").unwrap_or_default(), call.text("secret"))? {
        Ok(database) => database,
        Err(refusal) => return Ok(refusal),
    };
    let connection = content::open(&file(store, &database.full_id()))?;
    for (name, value) in call.payload.as_object().into_iter().flatten() {
        if let (Some(text), false) = (value.as_str(), matches!(name.as_str(), "database" | "secret")) {
            entries::put(&connection, name, text, entries::now())?;
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
    // Calls that use the database must have its secret. Its hash is stored for this check.
    resource.settings.insert("secret_sha256".to_owned(), json!(secret.sha256));
    store.save(&resource)?;
    Ok(CallOutcome::Done(outputs))
}

/// Deletes the database's secret, unless a person supplied it. Returns an outcome if that fails.
pub(crate) fn destroy(call: &Call, resource: &Resource) -> Option<CallOutcome> {
    let reference = resource.output("secret_ref").filter(|_| !is_adopted(resource))?;
    call.forget_secret(reference).err().map(CallOutcome::from)
}
