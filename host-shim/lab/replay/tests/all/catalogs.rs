//! A catalog with every clause, and its possible mistakes.

use std::fs;
use tempfile::TempDir;

/// Makes a business folder with a catalog and the mail template that [`WHOLE`] names.
pub fn folder_with(catalog: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("catalog.yml"), catalog).expect("written");
    fs::create_dir(folder.path().join("templates")).expect("made");
    fs::write(folder.path().join("templates/hello.txt"), "Subject: Hello {{ name }}\n").expect("written");
    folder
}

/// A catalog that has every clause and every member.
pub const WHOLE: &str = r#"
business: {provider: stripe, currency: usd, sync_prices: true, compare_after: 1d, suspend_on_pause: [void], erase_after: 90d, mail_within: 3d, plan_within: 1m, thin_events: true, customer_creation: checkout, success_url: https://a.example,
  cancel_url: https://a.example, origins: [https://a.example], grace_days: 7, dunning_days: [0, 3], over_limit_days: 14,
  archive_after_days: 30, retention_days: 90, notice_days: [7], name_block_days: 30, final_backup_days: 30,
  error_credit_hours: 24}
entitlements:
  seats: {kind: limit}
  calls: {kind: counter, period: calendar_month, alerts: [80, 100]}
  may_owe: {kind: flag}
rates:
  tokens: {by: model, micros: {large: 12}, group: [agent], seller: {by: agent, micros: token_micros}, pay: [credits, invoice], invoice: {min: 50, limit: 5000, if: may_owe}}
events:
  user.registered: {fields: [{name: email, type: string, required: true}]}
on:
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
    requires_plan: false
    extras: false
    intervals: [month]
    buy: {account: user, quantity: {max: 3}}
    fields:
      - {name: slug, type: string, required: true, min_length: 1, max_length: 40, format: label, lowercase: true, unique: true,
        immutable: true, personal: true, reserved: [www], set_by: owner}
      - {name: rank, type: int, min: 0, max: 9, default: 1}
      - {name: size, type: enum, options: [s, m], aliases: {small: s}}
      - {name: cores, type: milli}
    grants: {seats: rank, may_owe: true}
  - name: pack
    catalog: true
    infer_by: credits
    buy: {account: user, if: may_owe, once_per: label, metadata: {label: "{product.label}"}, success_url: https://a.example,
      cancel_url: https://a.example}
    fields:
      - {name: label, type: string, required: true}
      - {name: credits, type: int, required: true}
      - {name: creator, type: string, required: true, format: account}
      - {name: token_micros, type: int}
    refund: {days: 30}
    split: {to: "{product.creator}", share_bp: 9000, hold_days: 7, min: 5}
    listing: approved
    grants: {calls: {amount: 5, if: may_owe}}
    on_paid: [{credit: credits}]
    tokens: [{name: download, if: calls, ttl: 24h, live: 5, shows: {label: "{product.label}"}, redeem: {effect: object.sign,
      ttl: 15m, with: {label: "{product.label}"}}}]
  - name: site
    id_prefix: site
    id_by: label
    consumes: {seats: 1}
    plan: {field: plan_id, family: plan, quotas: {seats: rank}}
    fields: [{name: label, type: string, required: true, format: label}]
    provisions:
      - {name: data, resource: database, quota: seats, if: config.enabled, with: {name: "{instance.label}"}, variant: "{plan.slug}",
        outputs: {endpoint: endpoint}, suspends: true, backup: true, on_archive: keep, stock: {by: "{plan.slug}", most: {free: 2}},
        or_manual: {how: [Ask]}}
      - {name: edge, resource: cdn, after: [data]}
      - {name: fill, run: database.seed, phase: filling, within: 10m, after: [data], or_manual: {by: owner, how: [Look],
        sla: 24h, remind: [12h, daily], verify: false, phase: by_hand, asks: [{name: host, type: secret-ref}]}}
    views: {phase: {running: ready}}
    from_checkout: {name: "{session.label}", metadata: {label: "{session.label}"}}
    lifecycle: {idle: {meter: seats, after: 30d}, archive_after: 7d, delete_after: 60d}
    url: [{resource: edge, value: "https://{instance.label}.example"}]
    watch: {url: "{resources.url}/health", every_s: 300, fail_after: 3, recover_after: 1}
    meters: [{meter: seats, counter: true}, {meter: backups}]
    expects: [{meter: backups, within: 26h}]
products:
  - id: prod_a
    product_type: tier
    name: A
    description: All of it
    active: true
    default: false
    prices: {month: {amount: 500, id: {test: price_a, live: price_live_a}}}
    metadata: {slug: a}
    stripe_metadata: {slug: a}
  - {id: prod_b, type: pack, name: B, price: {amount: 700, currency: usd}, billing_interval: once, interval: once, currency: usd,
    purchasable: true, display_order: 1, stripe_price_id: price_b, stripe_product_id: prod_at_b, metadata: {label: b, creator: "user:c"}, features: {credits: 7}}
"#;

/// Texts that occur once in [`WHOLE`], each with a replacement that makes the catalog wrong.
pub const BROKEN: [(&str, &str); 97] = [
    ("business:", "busines:"),
    ("product_types:", "types:"),
    ("grace_days: 7", "grace_days: -7"),
    ("dunning_days: [0, 3]", "dunning_days: 3"),
    ("currency: usd, sync_prices", "curency: usd, sync_prices"),
    ("provider: stripe", "provider: paddle"),
    ("seats: {kind: limit}", "seats: limit"),
    ("seats: {kind: limit}", "seats: {}"),
    ("seats: {kind: limit}", "seats: {kind: limit, period: calendar_month}"),
    ("alerts: [80, 100]", "alerts: [80, 101]"),
    ("micros: {large: 12}", "micros: {large: -12}"),
    ("micros: {large: 12}, ", ""),
    ("pay: [credits, invoice]", "pay: []"),
    ("pay: [credits, invoice]", "pay: [credits]"),
    (", invoice: {min: 50, limit: 5000, if: may_owe}", ""),
    ("user.registered: {fields", "registered: {fields"),
    ("user.registered: {fields: [", "user.registered: {feilds: ["),
    ("{event: invoice.paid, run", "{run"),
    ("run: database.seed}", "run: database.seed, mail: hello}"),
    ("run: database.seed}", "run: database.seed, to: admin}"),
    ("{event: invoice.paid, run: database.seed}", "{event: invoice.paid}"),
    ("batch: 100", "batch: 0"),
    ("every: 1m", "every: minute"),
    ("name: download, if: calls", "if: calls"),
    ("ttl: 24h", "ttl: day"),
    ("live: 5", "live: 0"),
    ("effect: object.sign,\n      ttl: 15m", "effect: object.sign"),
    ("- name: site\n    ", "- "),
    ("catalog: true\n    family: plan\n", "family: plan\n"),
    ("intervals: [month]", "intervals: [fortnight]"),
    ("buy: {account: user, quantity", "buy: {account: users, quantity"),
    ("quantity: {max: 3}", "quantity: {max: 0}"),
    ("quantity: {max: 3}", "quantity: 3"),
    ("quantity: {max: 3}", "if: may_owe"),
    ("type: string, required: true, min_length", "required: true, min_length"),
    ("name: cores, type: milli", "name: cores, type: milli, max: 4000"),
    ("name: cores, type: milli", "name: cores, type: millis"),
    ("unique: true", "unique: [slug]"),
    ("aliases: {small: s}", "aliases: [small]"),
    ("seats: rank, may_owe", "seats: {amount: rank, if: may_owe}, may_owe"),
    ("seats: rank, may_owe", "seats: [rank], may_owe"),
    ("{amount: 5, if: may_owe}", "{amount: 5, when: may_owe}"),
    ("{amount: 5, if: may_owe}", "{amount: 5}"),
    ("[{credit: credits}]", "{credit: credits}"),
    ("[{credit: credits}]", "[{credits: credits}]"),
    ("seller: {by: agent, micros: token_micros}", "seller: {by: agent}"),
    ("refund: {days: 30}", "refund: 30"),
    ("share_bp: 9000", "share_bp: 10001"),
    ("listing: approved", "listing: true"),
    ("    split: {to: \"{product.creator}\", share_bp: 9000, hold_days: 7, min: 5}\n", ""),
    ("consumes: {seats: 1}", "consumes: {seats: {amount: 1, if: may_owe}}"),
    ("plan: {field: plan_id, family", "plan: {family"),
    ("on_archive: keep", "on_archive: stay"),
    ("compare_after: 1d", "compare_after: day"),
    ("thin_events: true", "thin_events: some"),
    ("erase_after: 90d", "erase_after: 90"),
    ("personal: true", "personal: yes please"),
    ("mail_within: 3d", "mail_within: 3"),
    ("plan_within: 1m", "plan_within: 1"),
    ("suspend_on_pause: [void]", "suspend_on_pause: [cancel]"),
    ("most: {free: 2}", "most: {}"),
    ("most: {free: 2}", "most: {free: 101}"),
    ("by: \"{plan.slug}\", most", "most"),
    ("stock: {by", "stock: {of: 2, by"),
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
    ("every_s: 300, ", ""),
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
    ("price: {amount: 700, currency: usd}", "price: {amount: 700, curency: usd}"),
    ("price: {amount: 700, currency: usd}", "price: -700"),
    ("billing_interval: once, interval: once", "billing_interval: fortnight"),
    ("display_order: 1", "display_order: -1"),
    ("stripe_metadata: {slug: a}", "stripe_metadata: {slug: 1}"),
];
