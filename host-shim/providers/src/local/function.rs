//! `function.*`: functions, which the HTTP server finds by the label of their host name.

use crate::local::error::LocalError;
use crate::local::store::{Resource, ResourceStore};
use crate::local::{bucket, database};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

/// Allowed names of functions.
const NAME: Rules = Rules { what: "function", shortest: 1, longest: 63, others: b"-_" };
/// Allowed labels of host names.
pub(crate) const LABEL: Rules = Rules { what: "host", shortest: 1, longest: 63, others: b"-" };
/// Prefix of derived names.
const PREFIX: &str = "fn-";

pub(crate) fn ensure(store: &ResourceStore, call: &Call, port: u16) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let name = match NAME.name(call.text("name"), PREFIX, &id) {
        Ok(name) => name,
        Err(error) => return Ok(error.into()),
    };
    // Labels of host names can't contain `_`.
    let label = name.replace('_', "-");
    if by_label(store, &label)?
        .is_some_and(|other| other.scope != id.scope || without_variant(&other.id) != without_variant(&id.id))
    {
        return Ok(CallOutcome::refused("name-taken", format!("the function `{name}` belongs to another resource")));
    }
    let outputs = json!({
        "arn": format!("local:function:{}", letters(&id)),
        "name": name,
        "label": label,
        "url": format!("http://{label}.localhost:{port}"),
    });
    store.remember_label(&label, &id)?;
    store.save(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}

/// Returns a refusal if the payload's database or bucket does not exist or belongs to another account, or if the
/// database's secret is missing or wrong.
pub(crate) fn refused(store: &ResourceStore, call: &Call) -> Result<Option<CallOutcome>, LocalError> {
    if let Some(name) = call.text("bucket")
        && bucket::of(store, &call.scope, name)?.is_none()
    {
        return Ok(Some(CallOutcome::refused("no-bucket", "the account has no such bucket")));
    }
    let Some(endpoint) = call.text("database") else { return Ok(None) };
    Ok(database::authorized(store, call, endpoint, call.text("database_secret"))?.err())
}

/// Returns the id without its variant, for example `inst_1/compute` for `inst_1/compute@large`. A new variant is
/// created before the old one is destroyed, and both have the same name.
fn without_variant(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

/// Returns the function with this label. If several variants have the label, returns the variant of the latest
/// generation.
pub(crate) fn by_label(store: &ResourceStore, label: &str) -> Result<Option<Resource>, LocalError> {
    let all = store.all()?.into_iter();
    Ok(all.filter(|it| it.resource == "function" && it.output("label") == Some(label)).max_by_key(|it| it.generation))
}

/// Returns the function's settings that its page shows: all except those of the database.
pub(crate) fn shown(function: &Resource) -> Value {
    let hidden = ["database_secret", "database_name", "database_user", "database"];
    let settings = function.settings.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    Value::Object(settings.map(|(name, value)| (name.clone(), value.clone())).collect())
}
