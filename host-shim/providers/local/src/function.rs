//! `function.*`: a small HTTP server for one instance, found by its name.

use crate::database;
use crate::error::LocalError;
use crate::shelf::{Resource, Shelf};
use host_provider_api::names::{Rules, letters};
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

/// Names of functions.
const NAME: Rules = Rules { what: "function", shortest: 1, longest: 63, others: b"-_" };
/// Labels of a host's name.
pub(crate) const LABEL: Rules = Rules { what: "host", shortest: 1, longest: 63, others: b"-" };
/// What derived names begin with.
const PREFIX: &str = "fn-";

pub(crate) fn ensure(shelf: &Shelf, call: &Call, port: u16) -> Result<CallOutcome, LocalError> {
    let id = call.resource_id();
    let name = match NAME.name(call.text("name"), PREFIX, &id) {
        Ok(name) => name,
        Err(error) => return Ok(error.into()),
    };
    // A host's name has no `_`.
    let label = name.replace('_', "-");
    if by_label(shelf, &label)?
        .is_some_and(|other| other.scope != id.scope || without_variant(&other.id) != without_variant(&id.id))
    {
        return Ok(CallOutcome::refused("name-taken", format!("the function `{name}` is another one's")));
    }
    let outputs = json!({
        "arn": format!("local:function:{}", letters(&id)),
        "name": name,
        "label": label,
        "url": format!("http://{label}.localhost:{port}"),
    });
    shelf.keep(&Resource::new(call, outputs.clone()))?;
    Ok(CallOutcome::Done(outputs))
}

/// What a call is answered that gives a function a database which is not its account's, or not with its secret.
pub(crate) fn refused(shelf: &Shelf, call: &Call) -> Result<Option<CallOutcome>, LocalError> {
    let Some(endpoint) = call.text("database") else { return Ok(None) };
    Ok(database::opened(shelf, call, endpoint, call.text("database_secret"))?.err())
}

/// The id of which this one is a variant, `inst_1/compute` of `inst_1/compute@large`: a successor is made before the one that it
/// follows goes, and both have the name.
fn without_variant(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

/// The function that this label leads to; the newest of several with the same name, of which all but one are about to go.
pub(crate) fn by_label(shelf: &Shelf, label: &str) -> Result<Option<Resource>, LocalError> {
    let all = shelf.all()?.into_iter();
    Ok(all.filter(|it| it.resource == "function" && it.output("label") == Some(label)).max_by_key(|it| it.generation))
}

/// The function's settings that are shown to who asks it.
pub(crate) fn shown(function: &Resource) -> Value {
    let hidden = ["database_secret", "database"];
    let settings = function.settings.iter().filter(|(name, _)| !hidden.contains(&name.as_str()));
    Value::Object(settings.map(|(name, value)| (name.clone(), value.clone())).collect())
}
