//! A business with every policy and every clause of a catalog, and its possible mistakes.

use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// Splits a document in YAML or JSON into its policies, as `business.yml`, and the catalog. In YAML the policies come first, and
/// the entitlements after them.
pub fn files_of(document: &str) -> (String, String) {
    if let Ok(Value::Object(mut catalog)) = serde_json::from_str(document) {
        let policies = catalog.remove("policies").map(|policies| json!({"policies": policies}).to_string());
        return (policies.unwrap_or_default(), Value::Object(catalog).to_string());
    }
    match document.split_once("\nentitlements:") {
        // The clauses keep the lines that they have in the document.
        Some((policies, rest)) if !policies.trim().is_empty() => {
            let lines = "\n".repeat(policies.matches('\n').count() + 1);
            (policies.to_owned(), format!("{lines}entitlements:{rest}"))
        }
        _ => (String::new(), document.to_owned()),
    }
}

/// Makes a business folder with the files of a document and the mail template that [`WHOLE`] names.
pub fn folder_with(document: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (business, catalog) = files_of(document);
    fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    if !business.is_empty() {
        fs::write(folder.path().join("business.yml"), business).expect("written");
    }
    fs::create_dir(folder.path().join("templates")).expect("made");
    fs::write(folder.path().join("templates/hello.txt"), "Subject: Hello {{ name }}\n").expect("written");
    folder
}

/// The policies and a catalog with every clause and every member.
pub const WHOLE: &str = r#"
policies: {provider: stripe, currency: usd, sync_prices: true, compare_after: 1d, suspend_on_pause: [void], cancel_reasons: [too_expensive], cancel_offer: {coupon: STAY, reasons: [too_expensive]}, top_up: {at_most: 20000}, proration: next_invoice, erase_after: 90d, mail_within: 3d, plan_within: 1m, thin_events: true, customer_creation: checkout, codes: true, tax: included, tax_ids: business, success_url: https://a.example,
  cancel_url: https://a.example, origins: [https://a.example], grace: 7d, dunning: [0d, 3d], over_limit: 14d,
  archive_after: 30d, delete_after: 90d, notice: [7d], name_block: 30d, final_backup: 30d,
  error_credit_after: 24h}
entitlements:
  seats: {kind: limit, meter: seats}
  calls: {kind: counter, meter: calls, period: calendar_month, alerts: [80, 100]}
  may_owe: {kind: flag}
coupons: {STAY: {percent: 25}}
price_moves: {prod_a: {notice: 60d, on: 2027-03-01, from: [price_old]}}
meters:
  tokens: {unit: token, formula: sum, attributes: [model, agent]}
  words: {attributes: [model]}
  pages: {}
  calls: {}
  seats: {formula: last}
  visits: {meter_event: visits}
  backups: {formula: last}
  hours: {}
rates:
  tokens: {by: model, micros: {large: 12}, group: [agent], seller: {by: agent, micros: "{product.token_micros}"}, pay: [credits, invoice], invoice: {min: 50, limit: 5000, alerts: [50, 99], if: allowed.may_owe}}
  words: {by: model, per_million: {large: "2.50", small: [{to: 1000, price: "2"}, {price: "1.5"}]}, tiers: volume, log: true, pay: [credits]}
  pages: {micros: [{to: 100, price: 5}, {price: 4}], pay: [credits]}
  hours: {micros: 5, pay: [credits]}
usage_source: {every: 1h, meters: {input: words}, "if": config.enabled}
events:
  user.registered: {fields: [{name: email, type: string, required: true}]}
reactions:
  - {event: user.registered, mail: hello, to: "{event.email}", with: {name: "{account.id}"}}
  - {event: invoice.paid, run: database.seed}
campaigns: {batch: 100, every: 1m}
product_types:
  - name: tier
    aliases: [level]
    catalog: true
    family: plan
    infer_by: slug
    rank_by: rank
    extras: false
    intervals: [month]
    buy: {account: user, quantity: {at_most: 3}, adds: true}
    fields:
      - {name: slug, type: string, required: true, min_length: 1, max_length: 40, format: label, lowercase: true, unique: true,
        immutable: true, personal: true, reserved: [www], set_by: owner}
      - {name: rank, type: int, min: 0, max: 9, default: 1}
      - {name: size, type: enum, options: [s, m], aliases: {small: s}}
      - {name: cores, type: milli}
      - {name: calls, type: int, unlimited: true, default: unlimited}
    grants: {seats: "{product.rank}", may_owe: 1, calls: "{product.calls}"}
  - name: pack
    catalog: true
    infer_by: credits
    if: plan
    buy: {account: user, if: allowed.may_owe, at_most: {count: 1, per: "{product.label}"}, metadata: {label: "{product.label}"}, success_url: https://a.example,
      cancel_url: https://a.example}
    fields:
      - {name: label, type: string, required: true}
      - {name: credits, type: int, required: true}
      - {name: creator, type: string, required: true, format: account}
      - {name: token_micros, type: int}
    refund: {within: 30d}
    split: {to: "{product.creator}", share_bp: 9000, hold: 7d, min: 5}
    listing: approved
    grants: {calls: {amount: 5, if: allowed.may_owe}}
    on_paid: [{credit: "{product.credits}", expires: 365d}]
    tokens: [{name: download, if: allowed.calls, ttl: 24h, at_most: 5, shows: {label: "{product.label}"}, redeem: {run: object.sign,
      ttl: 15m, with: {label: "{product.label}"}}}]
  - name: site
    id_prefix: site
    id_by: label
    consumes: {seats: 1}
    plan: {field: plan_id, family: plan, quotas: {seats: "{plan.rank}"}}
    fields: [{name: label, type: string, required: true, format: label}]
    provisions:
      - {name: data, resource: database, quota: seats, if: config.enabled, with: {name: "{instance.label}"}, variant: "{plan.slug}",
        outputs: {endpoint: endpoint}, suspends: true, backup: true, on_archive: keep, at_most: {count: {free: 2}, per: "{plan.slug}"},
        or_manual: {how: [Ask]}}
      - {name: edge, resource: cdn, after: [data]}
      - {name: fill, run: database.seed, phase: filling, within: 10m, after: [data], or_manual: {by: owner, how: [Look],
        sla: 24h, remind: [12h, daily], verify: false, phase: by_hand, asks: [{name: host, type: secret-ref}]}}
    views: {phase: {running: ready}}
    from_checkout: {name: "{session.label}", metadata: {label: "{session.label}"}}
    lifecycle: {idle: {meter: seats, after: 30d}, archive_after: 7d, delete_after: 60d}
    url: [{resource: edge, value: "https://{instance.label}.example"}]
    watch: {url: "{resources.url}/health", every: 5m, fail_after: 3, recover_after: 1}
    meters: [{meter: seats}, {meter: visits, of: calls}, {meter: backups}, {meter: hours, every: 2h}]
    expects: [{meter: backups, within: 26h}]
products:
  - id: prod_a
    product_type: tier
    name: A
    description: All of it
    active: true
    default: false
    prices: {month: {amount: 500, id: {test: price_a, live: price_live_a}}}
    trial: {for: 14d, card: optional, at: checkout, then: checkout}
    refund: {within: 7d}
    pause: {at_most: 90d}
    metadata: {slug: a}
    stripe_metadata: {slug: a}
  - {id: prod_b, type: pack, name: B, prices: {once: {amount: 700, id: price_b}},
    purchasable: true, display_order: 1, stripe_product_id: prod_at_b, metadata: {label: b, creator: "user:c"}, features: {credits: 7}}
"#;

/// A catalog with every clause of the core level.
pub const CORE: &str = r#"
currency: usd
tax: automatic
tax_ids: business
codes: true
coupons:
  LAUNCH: {percent: 12.5, months: 3, products: [studio], max_redemptions: 9, until: 2027-03-31}
  TEN: {amount: 10.00, forever: true}
  FIVE: {amount_minor: 500}
features:
  shows: limit
  themes: flag
  team_gb: pool
  downloads: {counter: download, per: calendar_month, alerts: [80, 100]}
  storage: {limit: GB}
  transcription: {use: minute, price: {by: language, en: 0.010, de: "0.015"}, pay: [credits, invoice]}
  words: {use: word, price: 0.000015, pay: credits}
  pages: {use: page, price: [{to: 1000, price: 0.01}, {price: 0.008}], tiers: volume, alerts: [50], pay: credits}
plans:
  free: {name: For free, description: One show, shows: 1, downloads: 1000, team_gb: 1, storage: 1, pages: 100}
  studio: {price: {month: 12.00, year: {amount: 12000, id: price_studio_y}}, trial: 14d, refund: {within: 7d}, highlight: true, shows: 3, themes: true}
  team: {price: {month: 30.00, week: 8.00, per: seat}, seats: {at_least: 3, at_most: 100}, downloads: unlimited}
  large: {contact: sales, seats: 5}
addons:
  extra_show: {name: One more show, description: Yes, highlight: false, price: {month: 4.00}, trial: 7d, refund: {within: 2d}, quantity: {at_most: 10}, shows: 1}
packs:
  ten_dollars: {name: Ten, description: Ten, highlight: false, price: 10.00, quantity: {at_most: 2}, credits: 10.00, refund: {within: 14d}}
instances:
  show:
    label: subdomain
    uses: {shows: 1}
    resources: {data: database, feed: {resource: function, suspends: false}, edge: cdn}
    address: "https://{{ subdomain }}.shows.example"
"#;

/// Texts that occur once in [`CORE`], each with a replacement that makes the catalog wrong.
pub const CORE_BROKEN: [(&str, &str); 39] = [
    ("percent: 12.5", "percent: 120"),
    ("percent: 12.5", "percent: half"),
    ("until: 2027-03-31", "until: soon"),
    ("max_redemptions: 9", "max_redemptions: 0"),
    ("months: 3", "months: 0"),
    ("amount_minor: 500", "amount_minor: 0"),
    ("shows: limit", "shows: limits"),
    ("shows: limit", "shows: 1"),
    ("{counter: download, per: calendar_month", "{counter: download, per: month"),
    ("alerts: [80, 100]", "alerts: [80, 101]"),
    ("{limit: GB}", "{limit: GB, per: calendar_month}"),
    ("{limit: GB}", "{}"),
    ("{use: word, price: 0.000015, pay: credits}", "{use: word, price: 0.000015}"),
    ("{use: word, price: 0.000015, pay: credits}", "{use: word, price: 0.000015, pay: card}"),
    ("{use: word, price: 0.000015, pay: credits}", "{use: word, price: -0.01, pay: credits}"),
    ("by: language, en", "en"),
    ("tiers: volume", "tiers: flat"),
    ("{price: 0.008}", "{to: 2000}"),
    ("pages: 100", "pages: some"),
    ("team_gb: 1", "team_gb: -1"),
    ("team_gb: 1", "team_gb: lots"),
    ("team_gb: 1", "team_gb: [1]"),
    ("price: {month: 12.00, year: {amount: 12000, id: price_studio_y}}", "price: 12.00"),
    ("price: {month: 12.00", "price: {monthly: 12.00"),
    ("price: {month: 12.00", "price: {month: -12.00"),
    ("price: {month: 12.00", "price: {month: [12.00]"),
    ("trial: 14d", "trial: 14"),
    ("trial: 14d", "trial: two weeks"),
    ("highlight: true", "highlight: often"),
    ("per: seat", "per: person"),
    ("seats: {at_least: 3, at_most: 100}", "seats: {at_least: 3}"),
    ("seats: {at_least: 3, at_most: 100}", "seats: {at_least: 0, at_most: 100}"),
    ("contact: sales", "contact: us"),
    ("price: {month: 4.00}, trial: 7d", "trial: 7d"),
    ("price: {month: 4.00}", "price: {month: 4.00, per: seat}"),
    ("credits: 10.00", "credits: ten"),
    ("refund: {within: 14d}", "refund: 14d"),
    ("resources: {data: database, feed: {resource: function, suspends: false}, edge: cdn}", "resources: {}"),
    ("{resource: function, suspends: false}", "{suspends: false}"),
];

/// Texts that occur once in [`WHOLE`], each with a replacement that makes the catalog wrong.
pub const BROKEN: [(&str, &str); 120] = [
    ("policies:", "policys:"),
    ("product_types:", "types:"),
    ("grace: 7d", "grace: -7d"),
    ("dunning: [0d, 3d]", "dunning: 3d"),
    ("currency: usd, sync_prices", "curency: usd, sync_prices"),
    ("provider: stripe", "provider: paddle"),
    ("seats: {kind: limit, meter: seats}", "seats: limit"),
    ("seats: {kind: limit, meter: seats}", "seats: {}"),
    ("seats: {kind: limit, meter: seats}", "seats: {kind: limit, meter: seats, period: calendar_month}"),
    ("alerts: [80, 100]", "alerts: [80, 101]"),
    ("micros: {large: 12}", "micros: {large: -12}"),
    ("micros: {large: 12}, ", ""),
    ("per_million: {large: \"2.50\"", "per_million: {large: 2.5"),
    ("per_million: {large: \"2.50\"", "per_million: {large: \"0.1234567\""),
    ("tiers: volume", "tiers: flat"),
    ("{price: 4}", "{}"),
    ("log: true, pay", "log: some, pay"),
    ("every: 1h", "every: hour"),
    ("meters: {input: words}", "meters: {}"),
    ("\"if\": config.enabled", "\"if\": plan"),
    ("pay: [credits, invoice]", "pay: []"),
    ("pay: [credits, invoice]", "pay: [credits]"),
    (", invoice: {min: 50, limit: 5000, alerts: [50, 99], if: allowed.may_owe}", ""),
    ("alerts: [50, 99]", "alerts: [0]"),
    ("user.registered: {fields", "registered: {fields"),
    ("user.registered: {fields: [", "user.registered: {feilds: ["),
    ("{event: invoice.paid, run", "{run"),
    ("run: database.seed}", "run: database.seed, mail: hello}"),
    ("run: database.seed}", "run: database.seed, to: admin}"),
    ("{event: invoice.paid, run: database.seed}", "{event: invoice.paid}"),
    ("batch: 100", "batch: 0"),
    ("every: 1m", "every: minute"),
    ("name: download, if: allowed.calls", "if: allowed.calls"),
    ("ttl: 24h", "ttl: day"),
    ("at_most: 5", "at_most: 0"),
    ("run: object.sign,\n      ttl: 15m", "run: object.sign"),
    ("- name: site\n    ", "- "),
    ("catalog: true\n    family: plan\n", "family: plan\n"),
    ("intervals: [month]", "intervals: [fortnight]"),
    ("buy: {account: user, quantity", "buy: {account: users, quantity"),
    ("quantity: {at_most: 3}", "quantity: {at_most: 0}"),
    ("quantity: {at_most: 3}", "quantity: 3"),
    ("quantity: {at_most: 3}", "if: allowed.may_owe"),
    ("type: string, required: true, min_length", "required: true, min_length"),
    ("name: cores, type: milli", "name: cores, type: milli, max: 4000"),
    ("name: cores, type: milli", "name: cores, type: millis"),
    ("unique: true", "unique: [slug]"),
    ("aliases: {small: s}", "aliases: [small]"),
    ("seats: \"{product.rank}\", may_owe", "seats: {amount: \"{product.rank}\", if: allowed.may_owe}, may_owe"),
    ("seats: \"{product.rank}\", may_owe", "seats: [1], may_owe"),
    ("seats: \"{product.rank}\", may_owe", "seats: rank, may_owe"),
    ("may_owe: 1", "may_owe: true"),
    ("may_owe: 1", "may_owe: -1"),
    ("per: \"{product.label}\"", "per: label"),
    ("count: 1", "count: 2"),
    ("if: plan", "if: config.enabled"),
    ("unlimited: true, default: unlimited", "unlimited: some"),
    ("formula: sum", "formula: max"),
    ("kind: counter, meter: calls", "kind: counter, meter: [calls]"),
    ("if: allowed.may_owe, at_most", "if: may_owe, at_most"),
    ("{amount: 5, if: allowed.may_owe}", "{amount: 5, when: allowed.may_owe}"),
    ("{amount: 5, if: allowed.may_owe}", "{amount: 5, per: seat}"),
    ("[{credit: \"{product.credits}\", expires: 365d}]", "{credit: \"{product.credits}\"}"),
    ("[{credit: \"{product.credits}\", expires: 365d}]", "[{credits: \"{product.credits}\"}]"),
    ("seller: {by: agent, micros: \"{product.token_micros}\"}", "seller: {by: agent}"),
    ("refund: {within: 30d}", "refund: 30d"),
    ("cancel_reasons: [too_expensive]", "cancel_reasons: [Too expensive]"),
    ("pause: {at_most: 90d}", "pause: 90d"),
    ("pause: {at_most: 90d}", "pause: {at_most: 0d}"),
    ("share_bp: 9000", "share_bp: 10001"),
    ("listing: approved", "listing: true"),
    ("    split: {to: \"{product.creator}\", share_bp: 9000, hold: 7d, min: 5}\n", ""),
    ("consumes: {seats: 1}", "consumes: {seats: {amount: 1, if: allowed.may_owe}}"),
    ("plan: {field: plan_id, family", "plan: {family"),
    ("on_archive: keep", "on_archive: stay"),
    ("compare_after: 1d", "compare_after: day"),
    ("thin_events: true", "thin_events: some"),
    ("erase_after: 90d", "erase_after: 90"),
    ("personal: true", "personal: yes please"),
    ("mail_within: 3d", "mail_within: 3"),
    ("plan_within: 1m", "plan_within: 1"),
    ("suspend_on_pause: [void]", "suspend_on_pause: [cancel]"),
    ("count: {free: 2}", "count: {}"),
    ("count: {free: 2}", "count: {free: 101}"),
    (", per: \"{plan.slug}\"}", "}"),
    ("at_most: {count: {free", "at_most: {of: 2, count: {free"),
    ("resource: cdn, after", "resource: cdn, run: database.seed, after"),
    ("run: database.seed, phase", "phase"),
    ("run: database.seed, phase", "run: seed, phase"),
    ("within: 10m", "within: 10"),
    ("within: 10m", "within: 0m"),
    ("sla: 24h", "sla: day"),
    ("remind: [12h, daily]", "remind: [weekly]"),
    ("by: owner, how", "by: nobody, how"),
    ("asks: [{name: host, type: secret-ref}]", "asks: [host]"),
    ("views: {phase: {running: ready}}", "views: {phase: {runing: ready}}"),
    ("from_checkout: {name: \"{session.label}\", ", "from_checkout: {"),
    ("{meter: seats, after: 30d}", "{meter: seats}"),
    ("{meter: seats, after: 30d}", "{meter: seats, after: month}"),
    ("archive_after: 7d", "archive_after: 7"),
    ("every: 5m, ", ""),
    ("meters: [{meter: seats", "meters: [{name: seats"),
    ("within: 26h", "within: day"),
    ("{meter: backups, within: 26h}", "{meter: backups}"),
    ("- id: prod_a\n    ", "- "),
    ("    name: A\n", ""),
    ("    name: A\n", "    name: A\n    price: 500\n"),
    ("    name: A\n", "    name: A\n    billing_interval: month\n"),
    ("    name: A\n", "    name: A\n    interval: month\n"),
    ("active: true", "active: yes"),
    ("prices: {month:", "prices: {fortnight:"),
    ("{amount: 500, id", "{amount: 5.5, id"),
    ("{amount: 500, id", "{id"),
    ("{test: price_a, live: price_live_a}", "{tset: price_a}"),
    ("prices: {once: {amount: 700, id: price_b}}", "prices: {once: {amount: 700, idd: price_b}}"),
    ("prices: {once: {amount: 700, id: price_b}}", "prices: {once: {amount: -700, id: price_b}}"),
    ("prices: {once: {amount: 700, id: price_b}}", "price: 700"),
    ("prices: {once: {amount: 700, id: price_b}}", "stripe_price_id: price_b"),
    ("display_order: 1", "display_order: -1"),
    ("stripe_metadata: {slug: a}", "stripe_metadata: {slug: 1}"),
];
