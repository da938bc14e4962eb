//! Lists the effects that the clauses of a business can request. If no provider carries out one of them, a server
//! refuses to start and a check with providers reports a mistake.
//!
//! The clauses are found by their position in the catalog, so a name chosen by the business is never mistaken for the name of an
//! effect.

use super::BusinessFolder;
use extension_contract::Declarations;
use host_provider_api::Registry;
use host_store::{ERASE, MESSAGE, PAYMENT_EVENT, TIMER};
use serde_json::Value;
use std::collections::BTreeMap;

/// Prefix of the kinds that every business with a price needs.
const STRIPE: &str = "stripe.";
/// Kind of a mail. Operators and customers get some mails without a clause, for example after a failed step.
const MAIL: &str = "mail.send";
/// Kinds that the host itself carries out.
const OF_HOST: [&str; 4] = [TIMER, MESSAGE, PAYMENT_EVENT, ERASE];
/// Kinds that a server carries out in addition to its providers.
const OF_SERVER: [&str; 2] = ["secret.ensure", "user.invite"];
/// Verbs that every resource needs during its life.
const LIFE: [&str; 3] = ["ensure", "change", "destroy"];

/// An effect that a clause can request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestedEffect {
    /// Kind of the effect.
    pub kind: String,
    /// JSON Pointer of the clause.
    pub pointer: String,
}

impl BusinessFolder {
    /// Returns the effects that the clauses can request with this configuration, in catalog order. Omits resources and steps that
    /// the configuration leaves out, and those that a person does if no provider does (`or_manual`).
    pub fn requested_effects(&self, config: &BTreeMap<String, String>) -> Vec<RequestedEffect> {
        let default_of = |key: &str| {
            let decl = self.own.config.iter().find(|decl| decl.key == key);
            decl.and_then(|decl| decl.default_value.as_deref())
        };
        let is_set = |key: &str| {
            config.get(key).map(String::as_str).or_else(|| default_of(key)).is_some_and(|it| !it.is_empty())
        };
        requested(&self.catalog, is_set)
    }

    /// Returns the kinds, in order, that the clauses can request and that no provider of the registry carries out, except those of
    /// the server itself.
    pub fn without_provider(&self, config: &BTreeMap<String, String>, registry: &Registry) -> Vec<RequestedEffect> {
        let is_recorded = |kind: &str| self.own.recorded.iter().any(|recorded| recorded.kind == kind);
        let mut found = self.requested_effects(config);
        found.retain(|effect| {
            let kind = effect.kind.as_str();
            !OF_SERVER.contains(&kind) && !is_recorded(kind) && !registry.takes(kind)
        });
        found
    }

    /// Returns the effect kinds that none of these providers carries out, so that a server refuses to start: first those that the
    /// clauses can request, then those that the extension requests on its own.
    pub fn uncovered(
        &self,
        config: &BTreeMap<String, String>,
        declarations: &Declarations,
        registry: &Registry,
    ) -> Vec<String> {
        let is_own_accord = |kind: &str| kind.starts_with(STRIPE) || kind == MAIL;
        let of_extension = declarations.effects.iter().map(|effect| effect.kind.as_str());
        let of_extension = of_extension.filter(|kind| is_own_accord(kind) && !registry.takes(kind)).map(str::to_owned);
        let of_clauses = self.without_provider(config, registry).into_iter().map(|effect| effect.kind);
        let mut found: Vec<String> =
            of_clauses.chain(of_extension).filter(|kind| !OF_HOST.contains(&kind.as_str())).collect();
        found.sort();
        found.dedup();
        found
    }
}

fn requested(catalog: &Value, is_set: impl Fn(&str) -> bool) -> Vec<RequestedEffect> {
    let mut found = Vec::new();
    let mut add = |kind: &str, pointer: String| found.push(RequestedEffect { kind: kind.to_owned(), pointer });
    // An entry that is conditional on the configuration counts if the key is set.
    let is_left_out = |entry: &Value| {
        entry["if"].as_str().and_then(|needed| needed.strip_prefix("config.")).is_some_and(|key| !is_set(key))
    };
    if catalog["usage_source"].is_object() && !is_left_out(&catalog["usage_source"]) {
        add("usage.pull", "/usage_source".to_owned());
    }
    for (pointer, reaction) in items(catalog, "/reactions") {
        match (reaction["run"].as_str(), &reaction["mail"]) {
            (Some(kind), _) => add(kind, format!("{pointer}/run")),
            (None, Value::String(_)) => add(MAIL, format!("{pointer}/mail")),
            (None, _) => {}
        }
    }
    if catalog["campaigns"].is_object() {
        add(MAIL, "/campaigns".to_owned());
    }
    for (pointer, of_type) in items(catalog, "/product_types") {
        for (pointer, entry) in items(catalog, &format!("{pointer}/provisions")) {
            if is_left_out(entry) || !entry["or_manual"].is_null() {
                continue;
            }
            if let Some(kind) = entry["run"].as_str() {
                add(kind, format!("{pointer}/run"));
            }
            let Some(resource) = entry["resource"].as_str() else { continue };
            let backup = if entry["backup"] == true { &["backup", "restore"][..] } else { &[] };
            for verb in LIFE.iter().chain(backup) {
                add(&format!("{resource}.{verb}"), format!("{pointer}/resource"));
            }
        }
        for (pointer, token) in items(catalog, &format!("{pointer}/tokens")) {
            add("secret.ensure", pointer.clone());
            if let Some(kind) = token["redeem"]["run"].as_str() {
                add(kind, format!("{pointer}/redeem/run"));
            }
        }
        if of_type["watch"].is_object() {
            add("probe.watch", format!("{pointer}/watch"));
        }
    }
    found
}

/// Returns the items of a list with their pointers.
fn items<'c>(catalog: &'c Value, pointer: &str) -> Vec<(String, &'c Value)> {
    let list = catalog.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    list.enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{BUSINESS_FILE, CATALOG_FILE};
    use crate::test_folder::TestFolder;
    use extension_contract::{EffectDecl, RetryPolicy};
    use host_provider_api::scripted::Scripted;
    use std::sync::Arc;

    const CATALOG: &str = "
entitlements: {usage: {kind: limit}, database: {kind: limit}, mail.send: {kind: flag}}
reactions: [{event: invoice.paid, run: shelf.stamp}]
usage_source: {every: 1h, meters: {input: tokens}, if: config.proxy}
product_types:
  - name: bucket
    catalog: true
    fields: [{name: cdn, type: string}]
    tokens: [{name: probe, redeem: {run: object.sign}}]
  - name: site
    provisions:
      - {name: function, resource: database, backup: true}
      - {name: edge, resource: cdn, if: config.zone}
      - {name: hand, resource: domain, or_manual: {how: [Ask]}}
      - {name: contact, run: user.invite}
      - {name: note, run: shelf.note}
";
    const BUSINESS: &str = "may: {usage: [owner]}\nconfig: {zone: {type: string}}\nresources: {shelf: [stamp, note]}\nrecorded: {shelf.note: Kept}\n";

    fn business() -> BusinessFolder {
        TestFolder::of(&[(CATALOG_FILE, CATALOG), (BUSINESS_FILE, BUSINESS)]).load().expect("a business")
    }

    fn declarations() -> Declarations {
        let kinds = ["cdn.ensure", "database.ensure", "mail.send", "stripe.refund.create", "timer.at", "usage.pull"];
        let effect = |kind: &str| EffectDecl {
            kind: kind.to_owned(),
            payload_schema: "{}".to_owned(),
            result_schema: "{}".to_owned(),
            retry: RetryPolicy { delays_ms: Vec::new() },
        };
        Declarations { effects: kinds.map(effect).to_vec(), ..Declarations::default() }
    }

    #[test]
    fn only_clauses_that_request_effects_need_a_provider() {
        let business = business();
        let mut registry = Registry::new();
        let config = BTreeMap::new();
        assert_eq!(
            business.uncovered(&config, &declarations(), &registry),
            [
                "database.backup",
                "database.change",
                "database.destroy",
                "database.ensure",
                "database.restore",
                "mail.send",
                "object.sign",
                "shelf.stamp",
                "stripe.refund.create"
            ],
            "no other name of the business is the name of an effect"
        );
        registry.register(&["database", "mail", "object.sign", "stripe"], Arc::new(Scripted::new()));
        assert_eq!(business.uncovered(&config, &declarations(), &registry), ["shelf.stamp"]);
    }

    #[test]
    fn the_configuration_decides_about_optional_entries() {
        let business = business();
        let config = BTreeMap::from([("zone".to_owned(), "z1".to_owned())]);
        let mut registry = Registry::new();
        registry.register(&["database", "object", "shelf"], Arc::new(Scripted::new()));
        let found = business.without_provider(&config, &registry);
        let kinds: Vec<&str> = found.iter().map(|effect| effect.kind.as_str()).collect();
        assert_eq!(kinds, ["cdn.ensure", "cdn.change", "cdn.destroy"]);
        assert_eq!(found[0].pointer, "/product_types/1/provisions/1/resource");
        let config = BTreeMap::from([("proxy".to_owned(), "https://proxy.example".to_owned())]);
        let found = business.without_provider(&config, &registry);
        assert_eq!(
            (found.len(), found[0].kind.as_str(), found[0].pointer.as_str()),
            (1, "usage.pull", "/usage_source")
        );
    }
}
