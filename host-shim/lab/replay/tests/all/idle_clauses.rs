//! Each member of the catalog's language changes something wherever the schema allows it, or is a mistake where it would change
//! nothing. A new member has to join one of the two lists.

use crate::catalog_schema::{closed_objects, schema};
use crate::catalogs::{WHOLE, folder_with};
use host_replay::check::check;
use host_replay::library::Sources;
use std::collections::BTreeSet;

/// A member that can stand where it changes nothing.
struct Idle {
    /// Place of its object in the schema.
    object: &'static str,
    member: &'static str,
    /// A text of [`WHOLE`], and the text in its place with which the member changes nothing.
    good: &'static str,
    bad: &'static str,
    says: &'static str,
}

const fn idle(
    object: &'static str,
    member: &'static str,
    good: &'static str,
    bad: &'static str,
    says: &'static str,
) -> Idle {
    Idle { object, member, good, bad, says }
}

const TYPE: &str = "/$defs/productType";
const FIELD: &str = "/$defs/field";
const RESOURCE: &str = "/$defs/resource";
/// Where a member of a type without `catalog: true` can stand in [`WHOLE`].
const OF_ACCOUNTS: &str = "    id_prefix: site\n";
/// Where a member of a type with `catalog: true` can stand.
const OF_CATALOG: &str = "    infer_by: credits\n";

const IDLE: &[Idle] = &[
    idle(
        "",
        "entitlements",
        "may_owe: {kind: flag}",
        "may_owe: {kind: flag}\n  spare: {kind: limit}",
        "nothing that is sold gives `spare`",
    ),
    idle(
        "",
        "meters",
        "backups: {formula: last}",
        "backups: {formula: last}\n  spare: {}",
        "nothing names the meter `spare`",
    ),
    idle(
        "/properties/policies",
        "cancel_reasons",
        "cancel_reasons: [too_expensive]",
        "cancel_reasons: []",
        "no reason could be given",
    ),
    idle("/properties/policies", "dunning", "dunning: [0d, 3d]", "dunning: [0d, 9d]", "the grace period ends after 7d"),
    idle(
        "/properties/policies",
        "notice",
        "notice: [7d]",
        "notice: [40d]",
        "an archive comes 30d after the suspension",
    ),
    idle(
        "/$defs/trial/anyOf/1",
        "card",
        "trial: {for: 14d, card: optional, at: checkout, then: checkout}",
        "trial: {for: 14d, card: optional, at: sign_up}",
        "nothing asks for a card",
    ),
    idle(
        "/$defs/trial/anyOf/1",
        "then",
        "trial: {for: 14d, card: optional, at: checkout, then: checkout}",
        "trial: {for: 14d, then: checkout}",
        "the card of this trial is charged at its end",
    ),
    idle(
        "/$defs/pause",
        "at_most",
        "suspend_on_pause: [void]",
        "suspend_on_pause: [keep_as_draft]",
        "a paused plan would go on without payments",
    ),
    idle(
        "/$defs/entitlement",
        "meter",
        "may_owe: {kind: flag}",
        "may_owe: {kind: flag, meter: visits}",
        "only counters and limits are measured",
    ),
    idle(
        "/$defs/entitlement",
        "period",
        "seats: {kind: limit,",
        "seats: {period: calendar_month, kind: limit,",
        "only a counter has a period",
    ),
    idle(
        "/$defs/entitlement",
        "alerts",
        "seats: {kind: limit,",
        "seats: {alerts: [80], kind: limit,",
        "only a counter has a period and alerts",
    ),
    idle(
        "/$defs/meterDecl",
        "meter_event",
        "tokens: {unit: token,",
        "tokens: {meter_event: t, unit: token,",
        "would be paid twice",
    ),
    idle("/$defs/rate", "invoice", "pay: [credits, invoice]", "pay: [credits]", "if `pay` contains `invoice`"),
    idle(
        "/$defs/rate",
        "tiers",
        "pages: {micros: [{to: 100, price: 5}, {price: 4}],",
        "pages: {micros: 5, tiers: volume,",
        "no price has tiers",
    ),
    idle(
        "/$defs/tier",
        "to",
        "[{to: 100, price: 5}, {price: 4}]",
        "[{to: 100, price: 5}, {to: 200, price: 4}]",
        "units beyond the last tier",
    ),
    idle(
        "/$defs/tier",
        "price",
        "[{to: 100, price: 5}, {price: 4}]",
        "[{to: 100, price: 5}, {price: 5}]",
        "has the same price",
    ),
    idle(
        "/$defs/millionTier",
        "price",
        "{to: 1000, price: \"2\"}, {price: \"1.5\"}",
        "{to: 1000, price: \"2\"}, {price: \"2.0\"}",
        "has the same price",
    ),
    idle(
        "/$defs/rate/properties/seller",
        "micros",
        "{product.token_micros}",
        "{product.rank}",
        "not a whole-number field of a type with `split`",
    ),
    idle("/$defs/rate/properties/invoice", "limit", "limit: 5000", "limit: 20", "no month reaches the `min` of 50"),
    idle(
        "/$defs/rate/properties/invoice",
        "if",
        "[50, 99], if: allowed.may_owe",
        "[50, 99], if: allowed.spare",
        "is not granted by any plan",
    ),
    idle(
        "/$defs/reaction",
        "to",
        "run: database.seed}",
        "run: database.seed, to: admin}",
        "an effect has no recipient",
    ),
    idle(TYPE, "family", "catalog: true\n    family: plan\n", "family: plan\n", "plans belong to the catalog"),
    idle(
        TYPE,
        "rank_by",
        OF_CATALOG,
        "    infer_by: credits\n    rank_by: credits\n",
        "only the plans of a family are ranked",
    ),
    idle(TYPE, "if", OF_ACCOUNTS, "    id_prefix: site\n    if: plan\n", "products of accounts grant nothing"),
    idle(
        TYPE,
        "intervals",
        OF_ACCOUNTS,
        "    id_prefix: site\n    intervals: [month]\n",
        "products of accounts have no prices",
    ),
    idle(
        TYPE,
        "buy",
        OF_ACCOUNTS,
        "    id_prefix: site\n    buy: {account: user}\n",
        "only products of the catalog can be bought",
    ),
    idle(
        TYPE,
        "grants",
        OF_ACCOUNTS,
        "    id_prefix: site\n    grants: {seats: 1}\n",
        "products of accounts grant nothing",
    ),
    idle(
        TYPE,
        "on_paid",
        OF_ACCOUNTS,
        "    id_prefix: site\n    on_paid: [{credit: 5}]\n",
        "only products of the catalog grant credits",
    ),
    idle(
        TYPE,
        "refund",
        OF_ACCOUNTS,
        "    id_prefix: site\n    refund: {within: 1d}\n",
        "products of accounts are not paid",
    ),
    idle(
        TYPE,
        "split",
        OF_ACCOUNTS,
        "    id_prefix: site\n    split: {to: \"{product.label}\", share_bp: 1, hold: 0d}\n",
        "only products of the catalog can be sold",
    ),
    idle(
        TYPE,
        "listing",
        "    rank_by: rank\n",
        "    rank_by: rank\n    listing: open\n",
        "accounts list only products with a share",
    ),
    idle(
        TYPE,
        "tokens",
        OF_ACCOUNTS,
        "    id_prefix: site\n    tokens: [{name: a, if: allowed.calls, ttl: 1h}]\n",
        "only products of the catalog have tokens",
    ),
    idle(
        TYPE,
        "consumes",
        OF_CATALOG,
        "    infer_by: credits\n    consumes: {seats: 1}\n",
        "products of the catalog consume nothing",
    ),
    idle(
        TYPE,
        "plan",
        OF_CATALOG,
        "    infer_by: credits\n    plan: {field: p, family: plan}\n",
        "plans pay for products of accounts",
    ),
    idle(
        TYPE,
        "provisions",
        OF_CATALOG,
        "    infer_by: credits\n    provisions: [{name: a, resource: cdn}]\n",
        "products of the catalog are never provisioned",
    ),
    idle(
        TYPE,
        "views",
        OF_CATALOG,
        "    infer_by: credits\n    views: {stage: {running: up}}\n",
        "products without resources have no status",
    ),
    idle(
        TYPE,
        "from_checkout",
        OF_CATALOG,
        "    infer_by: credits\n    from_checkout: {name: a}\n",
        "only products paid by a plan are created from a checkout",
    ),
    idle(
        TYPE,
        "lifecycle",
        OF_CATALOG,
        "    infer_by: credits\n    lifecycle: {delete_after: 1d}\n",
        "products without resources have no lifecycle",
    ),
    idle(
        TYPE,
        "id_prefix",
        OF_CATALOG,
        "    infer_by: credits\n    id_prefix: a\n",
        "have the ids that they are given",
    ),
    idle(TYPE, "id_by", OF_CATALOG, "    infer_by: credits\n    id_by: label\n", "have the ids that they are given"),
    idle(
        TYPE,
        "url",
        OF_CATALOG,
        "    infer_by: credits\n    url: [{resource: edge, value: a}]\n",
        "`edge` is not declared",
    ),
    idle(
        TYPE,
        "watch",
        OF_CATALOG,
        "    infer_by: credits\n    watch: {url: a, every: 5m, fail_after: 1, recover_after: 1}\n",
        "products without resources are never running",
    ),
    idle(
        TYPE,
        "meters",
        OF_CATALOG,
        "    infer_by: credits\n    meters: [{meter: visits}]\n",
        "products of the catalog are not measured",
    ),
    idle(
        TYPE,
        "expects",
        OF_CATALOG,
        "    infer_by: credits\n    expects: [{meter: backups, within: 1d}]\n",
        "`backups` is not a meter of the type",
    ),
    idle(FIELD, "min", "{name: cores, type: milli}", "{name: cores, type: bool, min: 1}", "only numbers have it"),
    idle(FIELD, "max", "{name: cores, type: milli}", "{name: cores, type: bool, max: 1}", "only numbers have it"),
    idle(
        FIELD,
        "unlimited",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, unlimited: true}",
        "only whole numbers have it",
    ),
    idle(
        FIELD,
        "min_length",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, min_length: 1}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "max_length",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, max_length: 1}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "format",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, format: label}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "options",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, options: [a]}",
        "only an enum has it",
    ),
    idle(
        FIELD,
        "aliases",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, aliases: {a: b}}",
        "only an enum has it",
    ),
    idle(
        FIELD,
        "reserved",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, reserved: [a]}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "lowercase",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, lowercase: true}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "from_name",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, from_name: true}",
        "only texts have it",
    ),
    idle(
        FIELD,
        "source_of",
        "{name: cores, type: milli}",
        "{name: cores, type: milli, source_of: seats}",
        "a source is a text",
    ),
    idle(FIELD, "personal", "erase_after: 90d, ", "", "no data is erased without `erase_after`"),
    idle(
        "/$defs/buy",
        "if",
        "buy: {account: user, quantity",
        "buy: {if: allowed.may_owe, account: user, quantity",
        "a plan is bought without a condition",
    ),
    idle(
        "/$defs/buy",
        "adds",
        "buy: {account: user, if: allowed.may_owe, at_most",
        "buy: {adds: true, account: user, if: allowed.may_owe, at_most",
        "only plans replace each other",
    ),
    idle(
        "/$defs/granted/anyOf/1",
        "if",
        "seats: \"{product.rank}\",",
        "seats: {amount: 1, if: allowed.may_owe},",
        "a plan's grants have no condition",
    ),
    idle(RESOURCE, "quota", "quota: seats", "quota: calls", "`calls` is a counter"),
    idle(
        RESOURCE,
        "variant",
        "run: database.seed, phase: filling",
        "run: database.seed, variant: a, phase: filling",
        "a step is not a resource",
    ),
    idle(
        RESOURCE,
        "suspends",
        "run: database.seed, phase: filling",
        "run: database.seed, suspends: true, phase: filling",
        "a step is not a resource",
    ),
    idle(
        RESOURCE,
        "backup",
        "run: database.seed, phase: filling",
        "run: database.seed, backup: true, phase: filling",
        "a step is not a resource",
    ),
    idle(
        RESOURCE,
        "on_archive",
        "run: database.seed, phase: filling",
        "run: database.seed, on_archive: keep, phase: filling",
        "a step is not a resource",
    ),
    idle(RESOURCE, "phase", "    views: {phase: {running: ready}}\n", "", "no view shows the phase"),
    idle(RESOURCE, "at_most", ",\n        or_manual: {how: [Ask]}}", "}", "a person creates further resources"),
    idle("/$defs/byHand", "verify", "verify: false", "verify: true", "a step is not a resource"),
    idle("/$defs/byHand", "phase", "    views: {phase: {running: ready}}\n", "", "no view shows the phase"),
    idle("/$defs/meter", "of", "[{meter: seats},", "[{meter: seats, of: calls},", "counts in no period"),
];

/// The other members: each changes something wherever it stands.
const NEVER_IDLE: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "rates",
            "usage_source",
            "events",
            "reactions",
            "campaigns",
            "product_types",
            "products",
            "policies",
            "price_moves",
        ],
    ),
    // The core level.
    ("", &["features", "plans", "addons", "packs", "instances", "coupons", "currency", "tax", "tax_ids", "codes"]),
    ("/properties/policies/properties/cancel_offer", &["coupon", "reasons"]),
    ("/properties/policies/properties/top_up", &["at_most"]),
    ("/$defs/counted", &["counter", "per", "alerts"]),
    ("/$defs/measured", &["limit"]),
    ("/$defs/used", &["use", "price", "pay", "tiers", "alerts"]),
    ("/$defs/unitTier", &["to", "price"]),
    ("/$defs/planPrice", &["month", "year", "week", "per"]),
    ("/$defs/addonPrice", &["month", "year", "week"]),
    ("/$defs/instance", &["label", "uses", "resources", "address"]),
    ("/properties/usage_source", &["every", "meters", "if"]),
    ("/properties/campaigns", &["batch", "every"]),
    (
        "/properties/policies",
        &[
            "provider",
            "currency",
            "sync_prices",
            "compare_after",
            "thin_events",
            "erase_after",
            "mail_within",
            "plan_within",
            "suspend_on_pause",
            "cancel_offer",
            "top_up",
            "proration",
            "customer_creation",
            "codes",
            "tax",
            "tax_ids",
            "members",
            "return_url",
            "success_url",
            "cancel_url",
            "origins",
            "grace",
            "over_limit",
            "archive_after",
            "delete_after",
            "name_block",
            "final_backup",
            "error_credit_after",
        ],
    ),
    ("/$defs/entitlement", &["kind"]),
    ("/$defs/meterDecl", &["unit", "formula", "attributes"]),
    ("/$defs/rate", &["currencies", "by", "micros", "per_million", "seller", "group", "log", "pay"]),
    ("/$defs/millionTier", &["to"]),
    ("/$defs/rate/properties/seller", &["by"]),
    ("/$defs/rate/properties/invoice", &["min", "alerts"]),
    ("/$defs/event", &["fields"]),
    ("/$defs/reaction", &["event", "mail", "run", "with"]),
    (TYPE, &["name", "aliases", "catalog", "infer_by", "fields", "extras"]),
    ("/$defs/productType/properties/refund", &["within"]),
    ("/$defs/productType/properties/split", &["to", "share_bp", "hold", "min"]),
    (FIELD, &["name", "type", "required", "default", "set_by", "immutable", "unique"]),
    ("/$defs/buy", &["account", "at_most", "quantity", "metadata", "success_url", "cancel_url"]),
    ("/$defs/buy/properties/at_most", &["count", "per"]),
    ("/$defs/buy/properties/quantity", &["at_least", "at_most"]),
    ("/$defs/granted/anyOf/1", &["amount", "per"]),
    ("/$defs/rate/properties/currencies/additionalProperties", &["micros", "per_million"]),
    ("/$defs/leftBehind", &["credit", "expires", "currency"]),
    ("/$defs/planLink", &["field", "family", "quotas"]),
    (RESOURCE, &["name", "resource", "run", "after", "if", "with", "outputs", "within", "or_manual"]),
    ("/$defs/byHand", &["asks", "by", "how", "sla", "remind"]),
    ("/$defs/fromCheckout", &["plan", "name", "metadata"]),
    ("/$defs/token", &["name", "if", "ttl", "at_most", "shows", "redeem"]),
    ("/$defs/redeem", &["run", "ttl", "at_most", "with"]),
    ("/$defs/lifecycle", &["idle", "archive_after", "delete_after"]),
    ("/$defs/idle", &["meter", "after"]),
    ("/$defs/url", &["resource", "value"]),
    ("/$defs/watch", &["url", "every", "fail_after", "recover_after"]),
    ("/$defs/meter", &["every", "meter"]),
    ("/$defs/expected", &["meter", "within"]),
    ("/$defs/trial/anyOf/1", &["at", "for"]),
    (
        "/$defs/coupon",
        &["percent", "amount", "amount_minor", "months", "forever", "products", "max_redemptions", "until"],
    ),
    ("/$defs/price_move", &["notice", "on", "from"]),
    ("/$defs/prices", &["day", "week", "month", "year", "once"]),
    ("/$defs/price", &["amount", "id"]),
    ("/$defs/price/properties/id/anyOf/1", &["test", "live"]),
    ("/$defs/atMost", &["count", "per"]),
];

#[test]
fn each_member_of_the_language_is_in_one_of_the_lists() {
    let of_schema: BTreeSet<(String, String)> = closed_objects(&schema())
        .into_iter()
        .flat_map(|(object, members)| members.into_iter().map(move |member| (object.clone(), member)))
        .collect();
    let owned = |(object, member): (&str, &str)| (object.to_owned(), member.to_owned());
    let never = NEVER_IDLE.iter().flat_map(|(object, members)| members.iter().map(move |member| (*object, *member)));
    let never: BTreeSet<_> = never.map(owned).collect();
    let idle: BTreeSet<_> = IDLE.iter().map(|idle| owned((idle.object, idle.member))).collect();
    assert!(never.is_disjoint(&idle), "{:?}", never.intersection(&idle));
    assert_eq!(never.union(&idle).cloned().collect::<BTreeSet<_>>(), of_schema);
}

#[test]
fn a_member_that_changes_nothing_is_a_mistake() {
    for Idle { object, member, good, bad, says } in IDLE {
        assert_eq!(WHOLE.matches(good).count(), 1, "{good}");
        let folder = folder_with(&WHOLE.replace(good, bad));
        let checked = check(&[folder.path().to_owned()], Sources::default(), &host_replay::native::runners(), None);
        let mistakes = checked.expect("it can be checked").mistakes;
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(says)), "{object} {member}, {says}: {told:#?}");
    }
}
