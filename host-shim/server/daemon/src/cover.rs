//! Which kinds of effects can the business request that no provider carries out? They stop the start.

use extension_contract::Declarations;
use host_provider_api::Registry;
use serde_json::Value;

/// Beginning of the kinds that every business with a price needs.
const STRIPE: &str = "stripe.";
/// Kinds that the host itself carries out.
const OF_HOST: [&str; 4] = [host_store::TIMER, host_store::MESSAGE, host_store::PROVIDER_EVENT, host_store::ERASE];

/// Returns the kinds, in order. `declarations` are those of the extension and the business together, `catalog` is the
/// catalog's document. A resource that the catalog never names cannot be requested.
pub fn uncovered(declarations: &Declarations, catalog: &Value, registry: &Registry) -> Vec<String> {
    let is_needed = |kind: &str| {
        let resource = kind.rsplit_once('.').map_or(kind, |(resource, _)| resource);
        !OF_HOST.contains(&kind) && (kind.starts_with(STRIPE) || names(catalog, resource))
    };
    let kinds = declarations.effects.iter().map(|effect| effect.kind.as_str());
    let mut found: Vec<String> =
        kinds.filter(|kind| is_needed(kind) && !registry.takes(kind)).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

/// Returns true if a text or a name in the document is the word.
fn names(document: &Value, word: &str) -> bool {
    match document {
        Value::String(text) => text == word,
        Value::Array(items) => items.iter().any(|item| names(item, word)),
        Value::Object(members) => members.iter().any(|(name, value)| name == word || names(value, word)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
