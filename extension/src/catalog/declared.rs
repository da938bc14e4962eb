//! The built-in configuration keys, and which effects product types may use.

use crate::model::effect_kinds::{EFFECTS, OBJECT_SIGN, PROBE_ANSWER, built_in};
use extension_contract::ConfigType;
use std::collections::BTreeMap;

/// A row of the configuration table: key, type, whether required, default, environment variable, description.
pub(crate) type ConfigRow = (&'static str, ConfigType, bool, Option<&'static str>, Option<&'static str>, &'static str);

/// Configuration of the extension itself. Businesses declare the keys that their resources need.
pub(crate) const CONFIG: [ConfigRow; 4] = [
    ("enabled", ConfigType::Boolean, false, Some("true"), None, "False: nothing is provisioned"),
    (
        "look_up_payments",
        ConfigType::Boolean,
        false,
        Some("false"),
        None,
        "True: asks Stripe which payment paid an invoice, if no event says so: without it a refund may find no account",
    ),
    (
        "look_up_sessions",
        ConfigType::Boolean,
        false,
        Some("false"),
        None,
        "True: asks Stripe for the checkout of a subscription that our checkout did not make, since it may name an organization",
    ),
    ("stripe_webhook_secret", ConfigType::Secret, false, None, Some("STRIPE_WEBHOOK_SECRET"), "Signs webhooks"),
];

/// Verbs of the lifecycle of a resource. Other verbs are steps.
pub(crate) const VERBS: [&str; 6] = ["backup", "change", "destroy", "ensure", "observe", "restore"];

/// Prefixes of the effects that product types may not use, but for the step `probe.answer`.
const HOST_PREFIXES: [&str; 5] = ["object", "probe", "secret", "stripe", "usage"];

/// A business's own resources with their verbs.
pub(crate) type OwnResources = BTreeMap<String, Vec<String>>;

/// Returns whether the name is the prefix of a built-in effect.
pub(crate) fn is_built_in(resource: &str) -> bool {
    EFFECTS.iter().any(|effect| effect.kind.split_once('.').is_some_and(|(part, _)| part == resource))
}

/// Returns the effects that a step may run.
pub(crate) fn steps(own: &OwnResources) -> Vec<String> {
    let is_step = |kind: &&str| {
        let is_of_host = |part: &str| HOST_PREFIXES.contains(&part) && *kind != PROBE_ANSWER;
        kind.split_once('.').is_some_and(|(part, verb)| !is_of_host(part) && !VERBS.contains(&verb))
    };
    let built_in = EFFECTS.iter().map(|effect| effect.kind).filter(is_step).map(str::to_owned);
    let of_own = own.iter().flat_map(|(resource, verbs)| verbs.iter().map(move |verb| (resource, verb)));
    let of_own = of_own.filter(|(_, verb)| !VERBS.contains(&verb.as_str()));
    built_in.chain(of_own.map(|(resource, verb)| format!("{resource}.{verb}"))).collect()
}

/// Returns the effects that may give the grant of a token.
pub(crate) fn grants(own: &OwnResources) -> Vec<String> {
    let mut out = steps(own);
    out.retain(|kind| built_in(kind).is_none());
    out.push(OBJECT_SIGN.to_owned());
    out
}

/// Returns the resources with this verb that product types may use.
pub(crate) fn resources<'a>(verb: &str, own: &'a OwnResources) -> Vec<&'a str> {
    let parts = EFFECTS.iter().filter_map(|effect| effect.kind.split_once('.'));
    let built_in =
        parts.filter(|(part, known)| *known == verb && !HOST_PREFIXES.contains(part)).map(|(resource, _)| resource);
    let own = own.iter().filter(|(_, verbs)| verbs.iter().any(|known| known == verb));
    built_in.chain(own.map(|(resource, _)| resource.as_str())).collect()
}
