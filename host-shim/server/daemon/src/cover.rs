//! Which kinds of effects can the business request that no provider carries out? They stop the start.

use extension_contract::Declarations;
use host_provider_api::Registry;
use serde_json::Value;

/// Beginning of the kinds that every business with a price needs.
const STRIPE: &str = "stripe.";
/// Kinds that the host itself carries out.
const OF_HOST: [&str; 4] = [host_store::TIMER, host_store::MESSAGE, host_store::PROVIDER_EVENT, host_store::ERASE];

/// Returns the kinds, in order. `declarations` are those of the extension and the business together, `catalog` is the
/// catalog's document. What the catalog never names, by its resource or by its kind, cannot be requested.
pub fn uncovered(declarations: &Declarations, catalog: &Value, registry: &Registry) -> Vec<String> {
    let is_needed = |kind: &str| {
        let resource = kind.rsplit_once('.').map_or(kind, |(resource, _)| resource);
        !OF_HOST.contains(&kind) && (kind.starts_with(STRIPE) || names(catalog, resource) || names(catalog, kind))
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

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::{EffectDecl, RetryPolicy};
    use host_provider_api::scripted::Scripted;
    use serde_json::json;
    use std::sync::Arc;

    fn declarations(kinds: &[&str]) -> Declarations {
        let effect = |kind: &&str| EffectDecl {
            kind: (*kind).to_owned(),
            payload_schema: "{}".to_owned(),
            result_schema: "{}".to_owned(),
            retry: RetryPolicy { delays_ms: Vec::new() },
        };
        Declarations { effects: kinds.iter().map(effect).collect(), ..Declarations::default() }
    }

    #[test]
    fn kinds_that_the_catalog_can_request_need_a_provider() {
        let declarations = declarations(&[
            "database.ensure",
            "database.destroy",
            "bucket.ensure",
            "registry.enrol",
            "object.sign",
            "object.copy",
            "stripe.refund.create",
            "timer.at",
            "account.send",
        ]);
        let catalog =
            json!({"product_types": [{"provisions": ["database"], "registry": {}, "redeem": {"run": "object.sign"}}]});
        let mut registry = Registry::new();
        assert_eq!(
            uncovered(&declarations, &catalog, &registry),
            ["database.destroy", "database.ensure", "object.sign", "registry.enrol", "stripe.refund.create"],
            "the host carries out timers and messages, and no bucket is named"
        );
        registry.register(&["database", "object.sign", "stripe"], Arc::new(Scripted::new()));
        assert_eq!(uncovered(&declarations, &catalog, &registry), ["registry.enrol"]);
    }
}
