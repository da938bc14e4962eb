//! The built-in effect kinds and configuration keys, and which effects product types may use.

use extension_contract::ConfigType;
use std::collections::BTreeMap;

/// Delays after failed attempts, in milliseconds.
type Delays = &'static [u32];
/// Ten attempts in about 45 minutes, the length of an ordinary provider outage.
const PATIENT: Delays = &[5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000];
/// Five attempts in little more than a minute, for effects that a person waits for.
const PROMPT: Delays = &[5_000, 10_000, 20_000, 40_000];
/// Three attempts (requirements M13).
const MAIL: Delays = &[60_000, 120_000];

/// Effect kinds with the required members of their payload and result, and their retry delays.
pub(crate) const EFFECTS: [(&str, &[&str], &[&str], Delays); 43] = [
    ("bucket.change", &[], &[], PROMPT),
    ("bucket.destroy", &[], &[], PATIENT),
    ("bucket.ensure", &[], &[], PROMPT),
    ("bucket.observe", &[], &[], PROMPT),
    ("cdn.change", &[], &[], PROMPT),
    ("cdn.destroy", &[], &[], PATIENT),
    ("cdn.ensure", &[], &[], PROMPT),
    ("cdn.observe", &[], &[], PROMPT),
    ("database.backup", &[], &["verified"], PROMPT),
    ("database.change", &[], &[], PROMPT),
    ("database.destroy", &[], &[], PATIENT),
    ("database.ensure", &[], &[], PROMPT),
    ("database.migrate", &[], &[], PROMPT),
    ("database.observe", &[], &[], PROMPT),
    ("database.restore", &["backup"], &[], PROMPT),
    ("database.seed", &[], &[], PROMPT),
    ("domain.change", &[], &[], PROMPT),
    ("domain.destroy", &[], &[], PATIENT),
    ("domain.ensure", &[], &[], PROMPT),
    ("domain.observe", &[], &[], PROMPT),
    ("function.change", &[], &[], PROMPT),
    ("function.destroy", &[], &[], PATIENT),
    ("function.ensure", &[], &[], PROMPT),
    ("function.observe", &[], &[], PROMPT),
    ("mail.send", &["template", "to", "values"], &[], MAIL),
    ("object.sign", &["ttl_s", "expires_at"], &[], PROMPT),
    ("probe.watch", &["url", "every_s", "fail_after", "recover_after"], &["health"], PATIENT),
    ("secret.ensure", &["bytes"], &["ref", "sha256"], PROMPT),
    ("stripe.account.create", &["metadata"], &["id"], PROMPT),
    ("stripe.account.link", &["account", "return_url", "refresh_url"], &["url"], PROMPT),
    ("stripe.checkout.create", &["mode", "price", "quantity"], &[], PROMPT),
    ("stripe.checkout.expire", &["session_id"], &["session_id", "status"], PATIENT),
    ("stripe.credit.create", &["customer", "amount_minor", "currency"], &[], PATIENT),
    ("stripe.customer.create", &["metadata"], &["id"], PATIENT),
    ("stripe.invoice.create", &["customer", "month", "currency", "lines", "total_minor"], &[], PATIENT),
    ("stripe.portal.create", &["customer", "return_url"], &["url"], PROMPT),
    ("stripe.price.create", &["stripe_product_id", "unit_amount", "currency"], &["id"], PATIENT),
    ("stripe.product.create", &["name"], &["id"], PATIENT),
    ("stripe.refund.create", &["reason"], &[], PATIENT),
    ("stripe.retrieve", &["object", "id"], &["date_ms", "object"], PATIENT),
    ("stripe.subscription.cancel", &["subscription", "at_period_end"], &[], PATIENT),
    ("stripe.subscription.update", &["subscription", "item", "price"], &[], PATIENT),
    ("stripe.transfer.create", &["destination", "amount_minor", "currency", "transfer_group"], &[], PATIENT),
];

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

/// Prefixes of the effects that product types may not use.
const HOST_PREFIXES: [&str; 4] = ["object", "probe", "secret", "stripe"];

/// A business's own resources with their verbs.
pub(crate) type OwnResources = BTreeMap<String, Vec<String>>;

/// Returns whether the name is the prefix of a built-in effect.
pub(crate) fn is_built_in(resource: &str) -> bool {
    EFFECTS.iter().any(|(kind, ..)| kind.split_once('.').is_some_and(|(part, _)| part == resource))
}

/// Returns the effects that a step may run.
pub(crate) fn steps(own: &OwnResources) -> Vec<String> {
    let is_step = |kind: &&str| {
        kind.split_once('.').is_some_and(|(part, verb)| !HOST_PREFIXES.contains(&part) && !VERBS.contains(&verb))
    };
    let built_in = EFFECTS.iter().map(|(kind, ..)| *kind).filter(is_step).map(str::to_owned);
    let of_own = own.iter().flat_map(|(resource, verbs)| verbs.iter().map(move |verb| (resource, verb)));
    let of_own = of_own.filter(|(_, verb)| !VERBS.contains(&verb.as_str()));
    built_in.chain(of_own.map(|(resource, verb)| format!("{resource}.{verb}"))).collect()
}

/// Returns the effects that may give the grant of a token.
pub(crate) fn grants(own: &OwnResources) -> Vec<String> {
    let mut out = steps(own);
    out.retain(|kind| !EFFECTS.iter().any(|(known, ..)| known == kind));
    out.push("object.sign".to_owned());
    out
}

/// Returns the resources with this verb that product types may use.
pub(crate) fn resources<'a>(verb: &str, own: &'a OwnResources) -> Vec<&'a str> {
    let parts = EFFECTS.iter().filter_map(|(kind, ..)| kind.split_once('.'));
    let built_in =
        parts.filter(|(part, known)| *known == verb && !HOST_PREFIXES.contains(part)).map(|(resource, _)| resource);
    let own = own.iter().filter(|(_, verbs)| verbs.iter().any(|known| known == verb));
    built_in.chain(own.map(|(resource, _)| resource.as_str())).collect()
}
