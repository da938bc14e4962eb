//! `cdn.*` and `domain.*`: additional host names of functions. Also `probe.answer`: whether such a name leads to a function.

use crate::local::error::LocalError;
use crate::local::function::{self, LABEL};
use crate::local::store::{Resource, ResourceStore};
use host_provider_api::names::letters;
use host_provider_api::{Call, CallOutcome};
use serde_json::json;

/// Registers the first label of the requested host as a name under `localhost`. Refuses the call if another resource
/// has that name.
pub(crate) fn ensure(store: &ResourceStore, call: &Call, port: u16) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let host = call.text("host").or(call.text("domain")).or(call.text("name")).unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    if let Err(error) = LABEL.check(label) {
        return Ok(error.into());
    }
    let domain = format!("{label}.localhost:{port}");
    let is_taken = |other: &Resource| other.output("domain") == Some(domain.as_str()) && other.full_id() != id;
    if function::by_label(store, label)?.is_some() || store.all()?.iter().any(is_taken) {
        return Ok(CallOutcome::refused("name-taken", format!("the name `{label}` belongs to another resource")));
    }
    let outputs = json!({"id": letters(&id), "domain": domain});
    store.remember_label(label, &id)?;
    store.save(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}

/// Returns whether the host of an address leads to a function on this machine. No server here listens at the address itself, such as
/// `https://acme.example`.
pub(crate) fn answers(store: &ResourceStore, call: &Call) -> Result<CallOutcome, LocalError> {
    let url = call.text("url").unwrap_or_default();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let label = host.split(['.', ':', '/']).next().unwrap_or_default();
    Ok(match resolve(store, label)? {
        Some(_) => CallOutcome::Done(json!({})),
        None => CallOutcome::refused("no-answer", format!("no function on this machine has the name `{label}`")),
    })
}

/// Returns the function whose own label or alias is `label`. An alias leads only to a function of the same account.
pub(crate) fn resolve(store: &ResourceStore, label: &str) -> Result<Option<Resource>, LocalError> {
    if let Some(function) = function::by_label(store, label)? {
        return Ok(Some(function));
    }
    let is_named = |it: &Resource| it.output("domain").and_then(|domain| domain.split('.').next()) == Some(label);
    let Some(alias) = store.all()?.into_iter().find(is_named) else { return Ok(None) };
    let origin = alias.setting("origin").and_then(|url| url.strip_prefix("http://")).unwrap_or_default();
    let name = origin.split('.').next().unwrap_or_default();
    Ok(function::by_label(store, name)?.filter(|function| function.scope == alias.scope))
}
