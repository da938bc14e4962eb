//! Typical mistakes, each in the files of a business without a mistake: `provisioner check` tells each with its line, and the name
//! that was meant.

use crate::run::{fixtures, run};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A mistake: one change of one file of `mistakes/jobs`, and the line and words that `check` must tell.
struct Mistake {
    file: &'static str,
    good: &'static str,
    bad: &'static str,
    /// The number of the line that contains this text is the line of the mistake; the changed line if it is empty.
    at: &'static str,
    says: &'static [&'static str],
}

const fn mistake(file: &'static str, good: &'static str, bad: &'static str, says: &'static [&'static str]) -> Mistake {
    Mistake { file, good, bad, at: "", says }
}

impl Mistake {
    /// The mistake is told at the line with this text, and not at the changed line.
    const fn at(self, at: &'static str) -> Mistake {
        Mistake { at, ..self }
    }
}

const CATALOG: &str = "catalog.yml";
const BUSINESS: &str = "business.yml";
const SCENARIO: &str = "scenarios/site.yml";
const MAIL: &str = "templates/welcome.txt";
const PAGE: &str = "pages/offers.html";

/// Mistakes in the catalog.
const OF_CATALOG: [Mistake; 109] = [
    // Misspelt clauses and words.
    mistake(
        CATALOG,
        "product_types:",
        "product_type:",
        &["unknown field `product_type`", "did you mean `product_types`?"],
    ),
    mistake(BUSINESS, "success_url:", "succes_url:", &["unknown field `succes_url`", "did you mean `success_url`?"]),
    mistake(CATALOG, "consumes: {", "consume: {", &["unknown field `consume`", "did you mean `consumes`?"]),
    mistake(CATALOG, "after: [database, files]", "needs: [database, files]", &["`needs`", "did you mean `after`?"]),
    mistake(CATALOG, "type: int, default: 100", "type: itn, default: 100", &["found `itn`", "did you mean `int`?"]),
    mistake(
        CATALOG,
        "type: int, default: 100",
        "type: int, default: 100, personal: true",
        &["no data is erased without `erase_after`", "in business.yml"],
    ),
    mistake(CATALOG, "kind: flag", "kind: falg", &["found `falg`", "did you mean `flag`?"]),
    mistake(CATALOG, "format: label", "format: labl", &["found `labl`", "did you mean `label`?"]),
    mistake(CATALOG, "pay: [credits]", "pay: [credit]", &["`credit`", "did you mean `credits`?"]),
    mistake(CATALOG, "intervals: [month]", "intervals: [mnth]", &["`mnth`", "did you mean `month`?"]),
    mistake(
        CATALOG,
        "amount: 2900, id: price_studio}",
        "amount: 2900, id: price_studio}, monthly: {amount: 1}",
        &["month is listed twice", "each interval once"],
    ),
    mistake(
        CATALOG,
        "prices: {once: {amount: 1500",
        "prices: {onec: {amount: 1500",
        &["`onec` is not an interval", "did you mean `once`?"],
    ),
    mistake(CATALOG, "amount: 900", "amuont: 900", &["unknown field `amuont`", "did you mean `amount`?"]),
    mistake(
        CATALOG,
        "archive_after: 30d",
        "archive_after: 30 days",
        &["found `30 days`", "as in 24h", "did you mean `30d`?"],
    ),
    mistake(CATALOG, "amount: 1500", "amount: 15.5", &["found", "minor units"]),
    mistake(CATALOG, "max_length: 40", "max_length: [40]", &["found a list", "a whole number"]),
    mistake(CATALOG, "    metadata: {package: dark}", "    metdata: {package: dark}", &["did you mean `metadata`?"]),
    mistake(
        CATALOG,
        "{tier: studio, rank: 2, sites: 5",
        "{tier: studio, rank: 2, stes: 5, sites: 5",
        &["did you mean `sites`?"],
    ),
    mistake(CATALOG, "{tier: starter,", "{tier: startre,", &["found `startre`", "did you mean `starter`?"]),
    // Names that nothing has.
    mistake(CATALOG, "{product.sites}", "{product.stes}", &["`{product.stes}`", "did you mean `sites`?"]),
    mistake(CATALOG, "storage_gb: 10", "storage_bg: 10", &["`storage_bg`", "did you mean `storage_gb`?"]),
    mistake(CATALOG, "consumes: {sites: 1}", "consumes: {stes: 1}", &["`stes`", "did you mean `sites`?"]),
    mistake(CATALOG, "plan_id, family: plan}", "plan_id, family: paln}", &["`paln`", "did you mean `plan`?"]),
    mistake(CATALOG, "rank_by: rank", "rank_by: rnak", &["`rnak`", "did you mean `rank`?"]),
    mistake(CATALOG, "infer_by: package", "infer_by: pakcage", &["`pakcage`", "did you mean `package`?"]),
    mistake(
        CATALOG,
        "per: \"{product.package}\"",
        "per: \"{product.pakcage}\"",
        &["`{product.pakcage}`", "did you mean `{product.package}`?"],
    ),
    mistake(CATALOG, "id_by: label", "id_by: lable", &["`lable`", "did you mean `label`?"]),
    mistake(CATALOG, "[database, files]", "[databse, files]", &["`databse`", "did you mean `database`?"]),
    mistake(CATALOG, "resource: bucket", "resource: bukcet", &["`bukcet` is not a resource", "did you mean `bucket`?"]),
    mistake(CATALOG, "product_type: theme", "product_type: thmee", &["`thmee`", "did you mean `theme`?"]),
    mistake(CATALOG, "[{meter: visits}]", "[{meter: vists}]", &["`vists` is not a meter", "did you mean `visits`?"]),
    mistake(
        CATALOG,
        "counter, meter: visits",
        "counter, meter: vists",
        &["`vists` is not a meter", "did you mean `visits`?"],
    ),
    mistake(CATALOG, "by: model", "by: modle", &["`modle` is not an attribute", "did you mean `model`?"]),
    mistake(CATALOG, "{resource: server,", "{resource: sevrer,", &["`sevrer`", "did you mean `server`?"]),
    mistake(
        CATALOG,
        "event: user.registered,",
        "event: user.registred,",
        &["`user.registred`", "did you mean `user.registered`?"],
    ),
    mistake(CATALOG, "mail: welcome", "mail: welcom", &["`welcom`", "did you mean `welcome`?"]),
    mistake(
        CATALOG,
        "{event.email}",
        "{event.emial}",
        &["`{event.emial}` is not a recipient", "did you mean `{event.email}`?"],
    ),
    // Placeholders.
    mistake(
        CATALOG,
        "\"{files.bucket}\"",
        "{files.bucket}",
        &["`{files.bucket}` without quotes", "expected \"{files.bucket}\""],
    ),
    mistake(
        CATALOG,
        "{instance.size}",
        "{metadata.size}",
        &["`{metadata.size}`", "expected `{instance.size}`", "did you mean `{instance.size}`?"],
    ),
    mistake(
        CATALOG,
        "files-{instance.label}",
        "files-{instance.lable}",
        &["`{instance.lable}`", "did you mean `label`?"],
    ),
    mistake(CATALOG, "{plan.region}", "{plan.regoin}", &["`{plan.regoin}`", "did you mean `region`?"]),
    mistake(CATALOG, "{config.zone}", "{config.zoen}", &["`{config.zoen}`", "did you mean `zone`?"]),
    // Outputs that no resource has.
    mistake(
        CATALOG,
        "outputs: {host: endpoint}",
        "outputs: {host: endpiont}",
        &["`endpiont` is not an output of `database`", "did you mean `endpoint`?"],
    ),
    mistake(
        CATALOG,
        "{database.endpoint}",
        "{database.endpiont}",
        &["`endpiont` is not an output of `database`", "did you mean `endpoint`?"],
    ),
    mistake(
        CATALOG,
        "\"{server.url}\"",
        "\"{server.ulr}\"",
        &["`ulr` is not an output of `server`", "did you mean `url`?"],
    ),
    // Names that are given twice.
    mistake(
        CATALOG,
        "region: \"{plan.region}\"}",
        "region: eu, region: us}",
        &["`region` is given twice", "each key once"],
    ),
    mistake(CATALOG, "- name: shelf", "- name: server", &["`server` is already declared", "another name"]),
    mistake(
        CATALOG,
        "{name: calls, type: int",
        "{name: sites, type: int",
        &["`sites` is already a field", "another name"],
    ),
    mistake(CATALOG, "- id: prod_studio", "- id: prod_starter", &["`prod_starter` of `products` is already defined"]),
    mistake(CATALOG, "- name: theme", "- name: site", &["`site` of `product_types` is already defined"])
        .at("- name: site\n    id_prefix"),
    mistake(CATALOG, "tier: studio, rank: 2", "tier: starter, rank: 2", &["`prod_starter` has the same value"]),
    // Clauses without an effect.
    mistake(
        CATALOG,
        "    rank_by: rank\n",
        "    refund: {within: 7d}\n",
        &["`refund` of a type is about one-time payments", "`once`"],
    ),
    mistake(CATALOG, "[{meter: visits}]", "[{meter: tokens}]", &["`tokens` is a meter of `site`", "another name"])
        .at("  tokens:\n"),
    mistake(
        CATALOG,
        "    catalog: true\n    infer_by: tier\n",
        "    infer_by: tier\n",
        &["plans belong to the catalog", "expected `catalog: true`"],
    )
    .at("family: plan\n"),
    mistake(
        CATALOG,
        "    infer_by: package\n",
        "    rank_by: package\n",
        &["only the plans of a family are ranked", "`family`"],
    ),
    mistake(CATALOG, "    infer_by: tier\n", "    if: plan\n", &["the products are plans themselves", "no `family`"]),
    mistake(
        CATALOG,
        "    id_prefix: site\n",
        "    intervals: [month]\n",
        &["products of accounts have no prices", "`catalog: true`"],
    ),
    mistake(
        CATALOG,
        "storage_gb: {kind: limit}",
        "storage_gb: {kind: limit, alerts: [80]}",
        &["only a counter has a period and alerts"],
    ),
    mistake(
        CATALOG,
        "string, max_length: 40",
        "string, max: 40",
        &["only numbers have it", "did you mean `max_length`?"],
    ),
    mistake(
        CATALOG,
        "type: enum, options: [small",
        "type: string, options: [small",
        &["only an enum has it", "`type: enum`"],
    ),
    mistake(
        CATALOG,
        "  visits: {unit: visit}\n",
        "  visits: {unit: visit}\n  hits: {}\n",
        &["nothing names the meter `hits`", "a rate, an entitlement or a type"],
    )
    .at("  hits"),
    mistake(
        CATALOG,
        "{name: sites, type: int, required: true}",
        "{name: sites, type: int, required: true, min: -1}",
        &["`sites` may be negative", "`unlimited: true` in place of its `min`"],
    )
    .at("    grants: {sites"),
    mistake(
        CATALOG,
        "    consumes: {sites: 1}\n",
        "    grants: {may_export: 1}\n    consumes: {sites: 1}\n",
        &["products of accounts grant nothing", "`catalog: true`"],
    ),
    mistake(
        CATALOG,
        "    buy: {account: user,",
        "    consumes: {sites: 1}\n    buy: {account: user,",
        &["products of the catalog consume nothing", "without `catalog: true`"],
    ),
    mistake(
        CATALOG,
        "    buy: {account: user,",
        "    provisions: [{name: files, resource: bucket}]\n    buy: {account: user,",
        &["products of the catalog are never provisioned", "without `catalog: true`"],
    ),
    mistake(
        CATALOG,
        "consumes: {sites: 1}",
        "consumes: {sites: 1, may_export: 1}",
        &["`may_export` is a flag", "`kind: limit`"],
    ),
    mistake(
        CATALOG,
        "        resource: bucket\n",
        "        resource: bucket\n        quota: calls\n",
        &["`calls` is a counter", "`kind: limit`"],
    )
    .at("        quota: calls"),
    mistake(
        CATALOG,
        "  may_export: {kind: flag}\n",
        "  may_export: {kind: flag}\n  seats: {kind: limit}\n",
        &["nothing that is sold gives `seats`", "`grants: {seats: …}` in a type"],
    )
    .at("  seats: "),
    mistake(
        CATALOG,
        "    name: Starter\n",
        "    name: Starter\n    default: true\n",
        &["is sold by the month", "a plan without a price"],
    )
    .at("    default: true"),
    mistake(
        CATALOG,
        "id: price_studio",
        "id: price_starter",
        &["`price_starter` is already the price of `prod_starter`", "expected another id"],
    ),
    mistake(
        CATALOG,
        "    pay: [credits]\n",
        "    pay: [credits, invoice]\n    invoice: {min: 50, limit: 20}\n",
        &["no month reaches the `min` of 50", "expected at least 50"],
    )
    .at("    invoice: "),
    mistake(
        CATALOG,
        "intervals: [once]",
        "intervals: [once, month]",
        &["/prices/month: required: each theme has this price", "expected a value"],
    )
    .at("    prices: {once: {amount: 1500"),
    mistake(
        CATALOG,
        "      - name: database\n",
        "      - name: database\n        after: [server]\n",
        &["`server` is not declared before it", "expected no `after` at the first entry"],
    )
    .at("        after: [server]"),
    mistake(CATALOG, "rates:\n  tokens:", "rates:\n  tokns:", &["`tokns`", "did you mean `tokens`?"]).at("  tokns:"),
    // Steps that would fail at a customer.
    mistake(
        CATALOG,
        "      - name: files\n",
        "      - {name: hello, run: mail.send, with: {template: welcome, to: a@b.example, values: {person: x}}}\n      - name: files\n",
        &["`email` in welcome has no value", "expected person"],
    ),
    mistake(
        CATALOG,
        "      - name: files\n",
        "      - {name: ask, run: user.invite, with: {email: a@b.example, role: biling}}\n      - name: files\n",
        &["`biling` is not a role", "did you mean `billing`?"],
    ),
    // Messages that say what is wrong, and what is right there.
    mistake(CATALOG, "alerts: [80, 100]", "alerts: [80, 120]", &["found `120`", "a percentage from 1 to 100"]),
    mistake(
        CATALOG,
        "counter, meter: visits",
        "counter, meter: tokens",
        &["the units of `tokens` have prices by `model`", "a meter without prices by an attribute, one of visits"],
    ),
    mistake(
        CATALOG,
        "reactions:",
        "raections:",
        &[
            "unknown field `raections`",
            "expected one of entitlements, meters, rates, coupons, price_moves, usage_source, events,",
            "did you mean `reactions`?",
        ],
    ),
    // Values of another type or out of range, and members that are missing.
    mistake(CATALOG, "unit: token,", "unti: token,", &["unknown field `unti`", "did you mean `unit`?"]),
    mistake(
        CATALOG,
        "    by: model\n",
        "    yb: model\n",
        &["unknown field `yb`", "expected one of by,", "did you mean `by`?"],
    ),
    mistake(
        CATALOG,
        "fields: [{name: email",
        "fields: [{nmae: email",
        &["unknown field `nmae`", "did you mean `name`?"],
    ),
    mistake(CATALOG, "kind: flag", "kind: 3", &["found `3`", "a text"]),
    mistake(CATALOG, "billing_period,", "billing_perod,", &["found `billing_perod`", "did you mean `billing_period`?"]),
    mistake(CATALOG, "alerts: [80, 100]", "alerts: 80", &["found `80`", "a list"]),
    mistake(CATALOG, "intervals: [month]", "intervals: month", &["found `month`", "a list"]),
    mistake(
        CATALOG,
        "default: small",
        "default: smal",
        &["the field does not allow this default", "expected one of small, large", "did you mean `small`?"],
    ),
    mistake(CATALOG, "archive_after: 30d", "archive_after: 0d", &["found `0d`", "as in 24h"]),
    mistake(CATALOG, "delete_after: 90d", "delete_afer: 90d", &["`delete_afer`", "did you mean `delete_after`?"]),
    mistake(CATALOG, "suspends: true", "suspends: always", &["found `always`", "a boolean"]),
    mistake(CATALOG, "id_prefix: site", "id_prefx: site", &["`id_prefx`", "did you mean `id_prefix`?"]),
    mistake(CATALOG, "rank: 1, sites: 1", "rank: -1, sites: 1", &["found `-1`", "at least 0"]),
    mistake(CATALOG, "rank: 2, sites: 5", "rank: 2, sites: many", &["found `many`", "a whole number"]),
    mistake(CATALOG, "amount: 2900", "amount: -1", &["found `-1`", "minor units"]),
    mistake(CATALOG, "id: price_studio}", "id: [price_studio]}", &["found a list", "an id, or {test, live}"]),
    mistake(CATALOG, "    name: Dark theme\n", "", &["/name: required", "a value"]).at("  - id: prod_dark"),
    mistake(
        CATALOG,
        "product_type: theme",
        "product_typ: theme",
        &["theme has no such field", "did you mean `product_type`?"],
    ),
    mistake(CATALOG, "at_most: {count: 1,", "at_most: {count: 2,", &["one product for each value", "expected 1"]),
    mistake(CATALOG, "micros: {small: 2,", "micros: {small: -2,", &["found `-2`", "at least 0"]),
    mistake(CATALOG, "pay: [credits]", "pay: []", &["found a list", "one of credits, invoice"]),
    mistake(CATALOG, "within: 14d", "within: fortnight", &["found `fortnight`", "as in 24h"]),
    mistake(CATALOG, "grants: {sites: \"{product.sites}\"", "grants: {sites: [1]", &["found a list", "`unlimited`"]),
    mistake(
        CATALOG,
        "{name: package, type: string, required: true}",
        "{name: package, required: true}",
        &["/type: it is missing", "a value"],
    ),
    mistake(CATALOG, "server, value:", "server, valeu:", &["unknown field `valeu`", "did you mean `value`?"]),
    // Amounts and prices.
    mistake(
        CATALOG,
        "calls: \"{product.calls}\"",
        "calls: calls",
        &["found `calls`; expected a whole number, `unlimited` or a template"],
    ),
    mistake(
        CATALOG,
        "grants: {may_export: 1}",
        "grants: {may_export: true}",
        &["found `true`; expected a whole number, `unlimited`, a template, or {amount, if, per}"],
    ),
    mistake(
        CATALOG,
        "grants: {may_export: 1}",
        "grants: {may_export: -1}",
        &["`-1` is not an amount; expected a whole number from 0, or `unlimited`"],
    ),
    mistake(
        CATALOG,
        "storage_gb: 10",
        "storage_gb: -1",
        &["`-1` is not an amount; expected a whole number from 0, or `unlimited`"],
    ),
    mistake(
        CATALOG,
        "prices: {once: {amount: 1500, id: price_dark}}",
        "price: 1500",
        &["`price` is an old spelling", "expected `prices: {once: {amount: 1500}}`"],
    ),
];

/// Mistakes in the other files of the business.
const OF_BUSINESS: [Mistake; 16] = [
    mistake(
        BUSINESS,
        "resources:",
        "resorces:",
        &["unknown field `resorces` in business.yml", "did you mean `resources`?"],
    ),
    mistake(
        BUSINESS,
        "purchase.create:",
        "purchase.craete:",
        &["`purchase.craete`", "did you mean `purchase.create`?"],
    ),
    mistake(
        BUSINESS,
        "instance.delete:",
        "instance.suspend:",
        &["`instance.suspend` is only for operators", "whatever the roles"],
    ),
    mistake(BUSINESS, "description:", "descripton:", &["`descripton`", "did you mean `description`?"]),
    mistake(BUSINESS, "type: string", "type: strng", &["`type: strng`", "did you mean `string`?"]),
    mistake(
        BUSINESS,
        "[ensure, change, destroy]",
        "[ensure, change, Destroy]",
        &["expected one of backup", "did you mean `destroy`?"],
    ),
    mistake(BUSINESS, "database: [10s", "databse: [10s", &["`databse`", "did you mean `database`?"]),
    mistake(BUSINESS, "[10s, 30s]", "[10s, 30]", &["30"]),
    mistake("config.yml", "zone:", "zoen:", &["`zoen` is not declared", "did you mean `zone`?"]),
    mistake(
        BUSINESS,
        "[ensure, change, destroy]",
        "[ensure, change]",
        &["`shelf` has no verb `destroy`", "expected ensure, change, destroy"],
    ),
    mistake(
        BUSINESS,
        "currency: usd",
        "currency: usdd",
        &["`usdd` is not a currency", "ISO 4217", "did you mean `usd`?"],
    ),
    mistake(
        BUSINESS,
        "currency: usd",
        "currency: usd, grace: 3d, dunning: [0d, 10d]",
        &["the grace period ends after 3d", "a longer `grace`"],
    ),
    mistake(
        BUSINESS,
        "currency: usd",
        "currency: usd, archive_after: 14d, notice: [60d]",
        &["an archive comes 14d after the suspension", "a longer `archive_after`"],
    ),
    mistake(
        BUSINESS,
        "currency: usd",
        "currency: usd, grace: 3",
        &["found `3`", "expected a number and s, m, h or d, as in 24h, or 0d"],
    ),
    mistake(
        PAGE,
        "offers: catalog",
        "offers: purchases",
        &["`offers` reads an account, and a page for everybody has none", "expected only the query `catalog`"],
    ),
    mistake(MAIL, "{{ email }}", "{{ emial }}", &["`emial` in welcome has no value", "did you mean `email`?"]),
];

/// Addresses to which Stripe's pages cannot lead back.
const OF_RETURN_ADDRESSES: [Mistake; 6] = [
    mistake(
        BUSINESS,
        "https://sites.example/paid",
        "http://sites.example/paid",
        &[
            "/policies/success_url: Stripe can't lead back to `http://sites.example/paid`; expected https://sites.example/paid",
            "did you mean `https://sites.example/paid`?",
        ],
    ),
    mistake(
        BUSINESS,
        "https://sites.example/paid",
        "sites.example/paid",
        &["Stripe can't lead back to `sites.example/paid`", "did you mean `https://sites.example/paid`?"],
    ),
    mistake(
        BUSINESS,
        "https://sites.example/plans",
        "plans",
        &[
            "/policies/cancel_url: Stripe can't lead back to `plans`; expected `/plans` for a page of this site",
            "did you mean `/plans`?",
        ],
    ),
    mistake(
        BUSINESS,
        "currency: usd,",
        "currency: usd, return_url: //sites.example,",
        &["/policies/return_url", "`//sites.example`", "a path of this site such as `/billing`"],
    ),
    mistake(
        CATALOG,
        "buy: {account: user,",
        "buy: {account: user, success_url: \"paid/{product.package}\",",
        &[
            "/buy/success_url: Stripe can't lead back to `paid/{product.package}`; expected `/paid/{product.package}`",
            "did you mean `/paid/{product.package}`?",
        ],
    ),
    mistake(
        CATALOG,
        "buy: {account: user,",
        "buy: {account: user, cancel_url: ftp://sites.example,",
        &["/buy/cancel_url", "begins with `https://`"],
    ),
];

/// Mistakes in a scenario.
const OF_SCENARIO: [Mistake; 33] = [
    mistake(SCENARIO, "given:", "gvien:", &["unknown field `gvien`", "did you mean `given`?"]),
    mistake(SCENARIO, "  account:", "  acount:", &["unknown field `acount`", "did you mean `account`?"]),
    mistake(SCENARIO, "expect: duplicate", "expect: duplciate", &["`expect: duplciate`", "did you mean `duplicate`?"]),
    mistake(
        SCENARIO,
        "instance.create",
        "instance.craete",
        &["`instance.craete` is not a command", "did you mean `instance.create`?"],
    ),
    mistake(
        SCENARIO,
        "event: user.registered",
        "event: user.registerd",
        &["is not a fact of the business", "did you mean `user.registered`?"],
    ),
    mistake(SCENARIO, "subscription.created", "subscription.craeted", &["did you mean"]),
    mistake(SCENARIO, "quantity: 1}", "qauntity: 1}", &["qauntity", "did you mean `quantity`?"]),
    mistake(SCENARIO, "same: evt_1", "same: evt_9", &["no event `evt_9` before"]),
    mistake(
        SCENARIO,
        "price: price_starter",
        "price: price_startre",
        &["`price_startre` is not a price of the catalog", "did you mean `price_starter`?"],
    ),
    mistake(
        SCENARIO,
        "product_id: prod_dark",
        "product_id: prod_drak",
        &["`prod_drak` is not a product of the catalog", "did you mean `prod_dark`?"],
    ),
    mistake(
        SCENARIO,
        "{label: acme, size: large}",
        "{label: acme, szie: large}",
        &["`szie` is not a metadata field", "did you mean `size`?"],
    ),
    mistake(
        SCENARIO,
        "meter: visits",
        "meter: vists",
        &["`vists` is not a meter of the business", "did you mean `visits`?"],
    ),
    mistake(
        SCENARIO,
        "kind: database.ensure",
        "kind: database.enusre",
        &["is not an effect kind", "did you mean `database.ensure`?"],
    ),
    mistake(
        SCENARIO,
        "    site_acme/database/ensure:",
        "    site_acme/databse/ensure:",
        &["`databse` is not a resource or step", "did you mean `database`?"],
    ),
    mistake(
        SCENARIO,
        "    site_acme/database/ensure:",
        "    site_acme/database/enusre:",
        &["`enusre` is not a verb", "did you mean `ensure`?"],
    ),
    mistake(
        SCENARIO,
        "effects: {site_acme/database/ensure: finished}",
        "effects: {site_acme/database/enusre: {absent: true}}",
        &["`enusre` is not a verb", "did you mean `ensure`?"],
    ),
    mistake(
        SCENARIO,
        "effects: {site_acme/database/ensure: finished}",
        "effects: {site_acme/databse/ensure: {absent: true}}",
        &["`databse` is not a resource or step", "did you mean `database`?"],
    ),
    mistake(
        SCENARIO,
        "{kind: database.ensure}",
        "{kind: database.ensure, payload: {size: large}}",
        &["`size` is not a count", "`{subset: {size: …}}`"],
    ),
    mistake(
        SCENARIO,
        "{ok: {endpoint:",
        "{ok: {endpiont:",
        &["`endpiont` is not an output of `database`", "did you mean `endpoint`?"],
    ),
    mistake(
        SCENARIO,
        "[retryable throttled",
        "[retriable throttled",
        &["`retriable throttled` is not an answer", "did you mean `retryable`?"],
    ),
    mistake(
        SCENARIO,
        "entitlements: {sites:",
        "entitlments: {sites:",
        &["unknown field `entitlments`", "did you mean `entitlements`?"],
    ),
    mistake(
        SCENARIO,
        "entitlements: {sites:",
        "entitlements: {stes:",
        &["`stes` is not an entitlement", "did you mean `sites`?"],
    ),
    mistake(
        SCENARIO,
        "check: {entitlements: {calls:",
        "check: {entitlements: {clals:",
        &["`clals` is not an entitlement", "did you mean `calls`?"],
    ),
    mistake(
        SCENARIO,
        "{allowed: 1, used",
        "{alowed: 1, used",
        &["`alowed` is not a member", "did you mean `allowed`?"],
    ),
    mistake(
        SCENARIO,
        "{metadata: {status:",
        "{metadata: {staus:",
        &["`staus` is not a metadata field", "did you mean `status`?"],
    ),
    mistake(SCENARIO, "sub_1: {status:", "sub_1: {staus:", &["`staus` is not a member", "did you mean `status`?"]),
    mistake(SCENARIO, "ensure: finished", "ensure: finishd", &["`finishd` is not a state", "did you mean `finished`?"]),
    mistake(
        SCENARIO,
        "\"function:site",
        "\"functoin:site",
        &["`functoin` is not a resource", "did you mean `function`?"],
    ),
    mistake(
        SCENARIO,
        "site_acme/server",
        "site_acme/sevrer",
        &["`sevrer` is not a resource or step", "did you mean `server`?"],
    ),
    mistake(SCENARIO, "{state: running}", "{state: runing}", &["`runing` is not a state", "did you mean `running`?"]),
    mistake(
        SCENARIO,
        "{outcome: applied}",
        "{outcom: applied}",
        &["`outcom` is not a member", "did you mean `outcome`?"],
    ),
    mistake(
        SCENARIO,
        "records: {instances:",
        "records: {instnaces:",
        &["`instnaces` is not a collection", "did you mean `instances`?"],
    ),
    mistake(SCENARIO, "status: running, size: large", "status: running, status: large", &["`status` is given twice"]),
];

fn all() -> impl Iterator<Item = &'static Mistake> {
    OF_CATALOG.iter().chain(&OF_BUSINESS).chain(&OF_RETURN_ADDRESSES).chain(&OF_SCENARIO)
}

fn good() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/mistakes/jobs")
}

/// Returns the files of the business, by their paths in its folder.
fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![good()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(good()).expect("below it").display().to_string();
            found.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
    found
}

/// Returns the number of the line on which a text begins.
fn line_of(text: &str, part: &str) -> usize {
    let at = text.find(part).unwrap_or_else(|| panic!("{part:?} is not in the file"));
    text[..at].matches('\n').count() + 1
}

/// Makes a folder of businesses, each with one mistake; its name is the number of the mistake.
fn wrong(files: &BTreeMap<String, String>) -> (tempfile::TempDir, Vec<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = Vec::new();
    for (number, mistake) in all().enumerate() {
        for (name, text) in files {
            let file = folder.path().join(format!("{number:03}")).join(name);
            let mut text = text.clone();
            if name == mistake.file {
                assert_eq!(text.matches(mistake.good).count(), 1, "{:?} is once in {name}", mistake.good);
                let changed = line_of(&text, mistake.good);
                text = text.replace(mistake.good, mistake.bad);
                lines.push(if mistake.at.is_empty() { changed } else { line_of(&text, mistake.at) });
            }
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, text).expect("written");
        }
    }
    (folder, lines)
}

fn check(folder: &Path) -> (i32, String) {
    let (folder, fixtures) = (folder.display().to_string(), fixtures().display().to_string());
    let ran = run(&["check", "--native", "--fixtures", &fixtures, &folder], b"");
    (ran.code, ran.stdout.replace(&format!("{folder}/"), "") + &ran.stderr)
}

#[test]
fn a_business_without_a_mistake_passes_and_its_scenario_holds() {
    let (code, out) = check(&good());
    assert!(code == 0 && out.starts_with("no mistake in 1 business, 1 scenario\n"), "{out}");
    let (folder, fixtures) = (good().display().to_string(), fixtures().display().to_string());
    let ran = run(&["replay", "--native", "--fixtures", &fixtures, &folder], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn each_typical_mistake_is_told_once_with_its_line_and_the_name_that_was_meant() {
    let (folder, lines) = wrong(&files());
    let (code, out) = check(folder.path());
    assert_eq!(code, 2, "{out}");
    let mut wrong = Vec::new();
    for (number, (mistake, line)) in all().zip(lines).enumerate() {
        let told: Vec<&str> = out.lines().filter(|told| told.starts_with(&format!("{number:03}/"))).collect();
        let place = match mistake.file {
            // The place in the folder is known, the line is not.
            MAIL if mistake.says[0].contains("has no value") => format!("{number:03}/{CATALOG}:"),
            file => format!("{number:03}/{file}:{line}: "),
        };
        let is_told = |told: &&&str| told.starts_with(&place) && mistake.says.iter().all(|part| told.contains(part));
        if told.len() != 1 || told.iter().filter(is_told).count() != 1 {
            wrong.push(format!("{:?} instead of {:?} at {place}:\n  {}", mistake.bad, mistake.good, told.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are told otherwise:\n{}", wrong.len(), all().count(), wrong.join("\n"));
}

/// The places, codes, problems, expectations and suggestions of all mistakes, which programs read, are in
/// `mistakes/reported.txt`. An expectation is a list of allowed values if the extension found the mistake, or else a text.
/// `UPDATE_GOLDEN=1` rewrites the file; review the difference.
#[test]
fn each_typical_mistake_is_reported_as_data() {
    let (folder, _) = wrong(&files());
    let (root, fixtures) = (folder.path().display().to_string(), fixtures().display().to_string());
    let ran = run(&["check", "--native", "--format", "json", "--fixtures", &fixtures, &root], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let mut text = String::new();
    for line in ran.lines().iter().filter(|line| line["mistake"].is_object()) {
        let mistake = &line["mistake"];
        let is_listed = mistake["allowed"].as_array().is_some_and(|allowed| !allowed.is_empty());
        let expected = &mistake[if is_listed { "allowed" } else { "expected" }];
        let file = mistake["file"].as_str().unwrap_or_default();
        text.push_str(&format!("{file}:{} {} {}\n", mistake["line"], mistake["pointer"], mistake["code"]));
        text.push_str(&format!("    {} {expected} {}\n", mistake["problem"], mistake["guess"]));
    }
    let text = text.replace(&format!("{root}/"), "");
    let golden = good().with_file_name("reported.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &text).expect("written");
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(text, known, "UPDATE_GOLDEN=1 rewrites {}", golden.display());
}
