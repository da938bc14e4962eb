//! `cdn.*` and `domain.*`: a further name for a function.

use crate::error::LocalError;
use crate::function::{self, LABEL};
use crate::shelf::{Resource, Shelf};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome};
use serde_json::json;

/// The first label of the wanted host becomes a name under `localhost`.
pub(crate) fn ensure(shelf: &Shelf, call: &Call, port: u16) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let host = call.text("host").or(call.text("domain")).or(call.text("name")).unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    if let Err(error) = LABEL.check(label) {
        return Ok(error.into());
    }
    let domain = format!("{label}.localhost:{port}");
    let is_taken = |other: &Resource| other.output("domain") == Some(domain.as_str()) && other.full_id() != id;
    if function::by_label(shelf, label)?.is_some() || shelf.all()?.iter().any(is_taken) {
        return Ok(CallOutcome::refused("name-taken", format!("the name `{label}` is another one's")));
    }
    let outputs = json!({"id": letters(&id), "domain": domain});
    shelf.keep(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}

/// The function that a label of a host's name leads to: its own name, or a further one.
pub(crate) fn resolve(shelf: &Shelf, label: &str) -> Result<Option<Resource>, LocalError> {
    if let Some(function) = function::by_label(shelf, label)? {
        return Ok(Some(function));
    }
    let is_named = |it: &Resource| it.output("domain").and_then(|domain| domain.split('.').next()) == Some(label);
    let Some(alias) = shelf.all()?.into_iter().find(is_named) else { return Ok(None) };
    let origin = alias.setting("origin").and_then(|url| url.strip_prefix("http://")).unwrap_or_default();
    let name = origin.split('.').next().unwrap_or_default();
    Ok(function::by_label(shelf, name)?.filter(|function| function.scope == alias.scope))
}
