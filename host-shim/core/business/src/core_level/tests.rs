//! Tests of the translation as a whole.

use super::*;
use serde_json::{Value, json};
use std::path::Path;

fn translated(text: &str) -> Result<Node, String> {
    let document = Node::parse(Path::new("catalog.yml"), text).expect("valid YAML");
    let (mut rest, added) = translate(document).map_err(|mistakes| mistakes.to_string())?;
    added.into_entries().into_iter().for_each(|entry| rest.push(entry));
    Ok(rest)
}

fn full(text: &str) -> Value {
    translated(text).expect("a correct catalog").json()
}

const FEATURES: &str =
    "features: {shows: limit, themes: flag, minutes: {use: minute, price: 0.01, pay: [credits, invoice]}}\n";

fn refused(text: &str) -> String {
    translated(&format!("{FEATURES}{text}")).expect_err("a mistake")
}

#[test]
fn a_catalog_without_clauses_of_the_core_level_stays_as_it_is() {
    let text = "entitlements: {shows: {kind: limit}}\nproducts: []\n";
    assert_eq!(full(text), json!({"entitlements": {"shows": {"kind": "limit"}}, "products": []}));
}

#[test]
fn features_become_entitlements_meters_and_rates() {
    let text = "features:\n  shows: limit\n  downloads: {counter: download, per: calendar_month, alerts: [80, 100]}\n  \
                storage: {limit: GB}\n  themes: flag\n  words: {use: word, price: 0.000015, pay: [credits, invoice]}\n  \
                minutes: {use: minute, price: {by: language, en: 0.01, de: 0.015}, pay: [credits, invoice]}\n";
    let expected = json!({
        "entitlements": {
            "shows": {"kind": "limit"}, "themes": {"kind": "flag"}, "storage": {"kind": "limit", "meter": "storage"},
            "downloads": {"kind": "counter", "meter": "downloads", "period": "calendar_month", "alerts": [80, 100]},
        },
        "meters": {
            "downloads": {"unit": "download"}, "storage": {"unit": "GB", "formula": "last"}, "words": {"unit": "word"},
            "minutes": {"unit": "minute", "attributes": ["language"]},
        },
        "rates": {
            "words": {"micros": 15, "pay": ["credits", "invoice"], "invoice": {}},
            "minutes": {"by": "language", "micros": {"en": 10_000, "de": 15_000}, "pay": ["credits", "invoice"], "invoice": {}},
        },
    });
    assert_eq!(full(text), expected);
}

#[test]
fn a_plan_is_a_product_ranked_by_its_place() {
    let plans = "plans:\n  free: {shows: 1}\n  studio: {price: {month: 12.00, year: 120.00}, trial: 14d, shows: 3, themes: \
                 true}\n  team: {name: For teams, price: {month: 30.00, per: seat}, seats: {at_least: 3, at_most: 100}, \
                 shows: unlimited}\n  large: {contact: sales, shows: 9}\n";
    let all = full(&format!("{FEATURES}{plans}"));
    let expected = json!([
        {"id": "free", "product_type": "plan", "name": "Free", "display_order": 0, "default": true,
         "metadata": {"rank": 0, "shows": 1}},
        {"id": "studio", "product_type": "plan", "name": "Studio", "display_order": 1, "trial": "14d",
         "prices": {"month": {"amount": 1_200}, "year": {"amount": 12_000}},
         "metadata": {"rank": 1, "shows": 3, "themes": true}},
        {"id": "team", "product_type": "plan", "name": "For teams", "display_order": 2,
         "prices": {"month": {"amount": 3_000}}, "quantity": {"at_least": 3, "at_most": 100},
         "metadata": {"rank": 2, "seats": 1, "shows": "unlimited"}},
        {"id": "large", "product_type": "plan", "name": "Large", "display_order": 3, "contact": "sales",
         "purchasable": false, "metadata": {"rank": 3, "shows": 9}},
    ]);
    assert_eq!(all["products"], expected);
    let grants = json!({"seats": "{product.seats}", "shows": {"amount": "{product.shows}", "per": "purchase"},
        "themes": {"amount": "{product.themes}", "per": "purchase"}});
    assert_eq!(
        (&all["product_types"][0]["grants"], &all["entitlements"]["seats"]),
        (&grants, &json!({"kind": "limit"}))
    );
    let listed = "plans:\n  - free: {shows: 1}\n  - studio: {price: {month: 12.00}}\n";
    let listed = full(&format!("{FEATURES}{listed}"));
    assert_eq!(listed["products"][1]["metadata"], json!({"rank": 1}));
}

#[test]
fn add_ons_count_by_quantity_and_packs_are_paid_once() {
    let text = "addons:\n  extra_show: {price: {month: 4.00}, quantity: {at_most: 10}, shows: 1}\npacks:\n  ten_dollars: \
                {price: 10.00, credits: 10.00, refund: {within: 14d}}\n  night: {price: 5.00, themes: true}\n";
    let all = full(&format!("{FEATURES}{text}"));
    let expected = json!([
        {"id": "extra_show", "product_type": "addon", "name": "Extra show", "display_order": 0,
         "prices": {"month": {"amount": 400}}, "quantity": {"at_most": 10}, "metadata": {"shows": 1}},
        {"id": "ten_dollars", "product_type": "pack", "name": "Ten dollars", "display_order": 1,
         "prices": {"once": {"amount": 1_000}}, "refund": {"within": "14d"}, "metadata": {"credits": 1_000}},
        {"id": "night", "product_type": "pack", "name": "Night", "display_order": 2, "prices": {"once": {"amount": 500}},
         "metadata": {"themes": true}},
    ]);
    assert_eq!(all["products"], expected);
    assert_eq!(all["product_types"][0]["grants"], json!({"shows": "{product.shows}"}));
    assert_eq!(all["product_types"][1]["on_paid"], json!([{"credit": "{product.credits}"}]));
}

#[test]
fn an_instance_has_what_its_resources_usually_need() {
    let text = "plans: {free: {shows: 1}}\ninstances:\n  show:\n    uses: shows\n    resources: {data: database, episodes: \
                bucket, feed: function}\n";
    let all = full(&format!("{FEATURES}{text}"));
    let expected = json!({
        "name": "show", "id_prefix": "show", "id_by": "label", "consumes": {"shows": 1},
        "plan": {"field": "plan_id", "family": "plan"},
        "fields": [{"name": "label", "type": "string", "required": true, "format": "label", "max_length": 40, "unique": true,
            "immutable": true}],
        "provisions": [
            {"name": "data", "resource": "database", "backup": true, "with": {"name": "show-{instance.label}-data"},
             "outputs": {"data": "endpoint"}},
            {"name": "episodes", "resource": "bucket", "on_archive": "keep",
             "with": {"name": "show-{instance.label}-episodes"}, "outputs": {"episodes": "bucket"}},
            {"name": "feed", "resource": "function", "suspends": true, "after": ["episodes", "data"],
             "with": {"name": "show-{instance.label}-feed", "bucket": "{episodes.bucket}", "database": "{data.endpoint}",
                "database_secret": "{data.secret_ref}", "database_name": "{data.name}", "database_user": "{data.user}"},
             "outputs": {"feed": "url"}},
        ],
        "url": [{"resource": "feed", "value": "{feed.url}"}],
    });
    assert_eq!(all["product_types"][1], expected);
}

#[test]
fn an_instance_has_its_own_label_address_and_members_of_the_full_level() {
    let text = "instances:\n  site:\n    label: subdomain\n    uses: {shows: 2}\n    resources:\n      app: {resource: \
                function, suspends: false}\n      edge: cdn\n    address: \"https://{{ subdomain }}.shop.example/\"\n";
    let all = full(&format!("{FEATURES}{text}"));
    let site = &all["product_types"][0];
    assert_eq!(
        (&site["id_by"], &site["consumes"], &site["plan"]),
        (&json!("subdomain"), &json!({"shows": 2}), &Value::Null)
    );
    let edge = json!({"name": "edge", "resource": "cdn", "after": ["app"], "outputs": {"edge": "domain"},
        "with": {"host": "{instance.subdomain}.shop.example", "origin": "{app.url}"}});
    assert_eq!((&site["provisions"][0]["suspends"], &site["provisions"][1]), (&json!(false), &edge));
    assert_eq!(site["url"], json!([{"resource": "edge", "value": "https://{instance.subdomain}.shop.example/"}]));
}

#[test]
fn an_instance_uses_a_feature_with_a_price_for_the_time_in_which_it_runs() {
    let features =
        "features: {shows: limit, hours: {use: hour, price: 0.01, pay: invoice}}\nplans: {free: {shows: 1}}\n";
    let instance =
        |uses: &str| format!("{features}instances: {{site: {{uses: {uses}, resources: {{data: database}}}}}}");
    let site = |uses: &str| {
        let all = full(&instance(uses));
        let mut kinds = all["product_types"].as_array().into_iter().flatten();
        kinds.find(|kind| kind["name"] == "site").cloned().expect("the type of the instance")
    };
    let both = site("{shows: 1, hours: 1h}");
    assert_eq!(
        (&both["consumes"], &both["meters"]),
        (&json!({"shows": 1}), &json!([{"meter": "hours", "every": "1h"}]))
    );
    let time = site("{hours: 90s}");
    assert_eq!((&time["consumes"], &time["meters"]), (&Value::Null, &json!([{"meter": "hours", "every": "90s"}])));
}

#[test]
fn one_measured_limit_is_the_quota_of_what_holds_data() {
    let instances = "instances: {site: {resources: {data: database, files: bucket, app: function, own: {resource: bucket, quota: b}}}}";
    let quotas = |features: &str| {
        let all = full(&format!("features: {features}\n{instances}"));
        let of = |resource: &Value| resource["quota"].as_str().unwrap_or("none").to_owned();
        let site = all["product_types"][0].clone();
        (site["provisions"].as_array().expect("a list").iter().map(of).collect::<Vec<_>>(), site["meters"].clone())
    };
    assert_eq!(
        quotas("{a: {limit: GB}}"),
        (["a", "a", "none", "b"].map(str::to_owned).to_vec(), json!([{"meter": "a"}]))
    );
    assert_eq!(quotas("{a: {limit: GB}, b: {limit: MB}}").0, ["none", "none", "none", "b"]);
    assert_eq!(quotas("{a: limit}").0, ["none", "none", "none", "b"]);
}

#[test]
fn each_value_of_the_translation_has_the_line_of_the_clause_that_it_comes_from() {
    let text = format!(
        "{FEATURES}plans:\n  free: {{shows: 1}}\n  studio:\n    price:\n      month: 12.00\n    shows: 3\ninstances:\n  \
         show:\n    resources:\n      data: database\n"
    );
    let all = translated(&text).expect("a correct catalog");
    let line = |pointer: &str| all.place_at(pointer).line;
    let lines = [
        "/products/1/prices/month/amount",
        "/products/1/metadata/shows",
        "/products/1/id",
        "/entitlements/shows/kind",
        "/product_types/1/provisions/0/with/name",
    ];
    assert_eq!(lines.map(line), [6, 7, 5, 1, 11]);
}

#[test]
fn mistakes_name_the_line_what_was_expected_and_what_was_meant() {
    for (text, expected) in [
        (
            "plans: {a: {shws: 1}}",
            "catalog.yml:2: unknown field `shws` in plan `a`; expected a feature or one of name, \
            description, highlight, contact, price, trial, credits, refund, pause, seats; did you mean `shows`?",
        ),
        (
            "plans: {a: {price: {month: 12}}}",
            "catalog.yml:2: `plans.a.price.month: 12` is not an amount in usd; expected 12.00",
        ),
        (
            "plans: {a: {price: 12.00}}",
            "catalog.yml:2: `plans.a.price: 12.00` has no interval; expected the interval, such as \
            `{month: 12.00}`",
        ),
        (
            "plans: {a: {price: {mnth: 12.00}}}",
            "catalog.yml:2: unknown field `mnth` in plans.a.price; expected one of month, year, \
            week, per; did you mean `month`?",
        ),
        (
            "plans: {a: {}, b: {}}",
            "catalog.yml:2: `b` has no price, and neither has `a`; expected one plan without a price, for \
            everybody who pays for no other; or `contact: sales`",
        ),
        ("plans: {a: {themes: 3}}", "catalog.yml:2: `plans.a.themes` is a whole number; expected true or false"),
        (
            "plans: {a: {shows: many}}",
            "catalog.yml:2: `plans.a.shows: many` is not an amount; expected a whole number or `unlimited`",
        ),
        (
            "plans: {a: {shows: -1}}",
            "catalog.yml:2: `plans.a.shows: -1` is not an amount; expected a whole number or `unlimited`",
        ),
        (
            "plans: {a: {minutes: some}}",
            "catalog.yml:2: `plans.a.minutes` is not an amount; expected the whole number of units that are included, \
            or `unlimited`",
        ),
        (
            "plans: {a: {price: {month: 3.00, per: seat}}}",
            "catalog.yml:2: `plans.a.price` is per seat, but the number of seats is missing; \
            expected `seats: {at_least: 1, at_most: 100}`",
        ),
        (
            "plans: {a: {price: {month: 3.00}, seats: {at_most: 9}}}",
            "catalog.yml:2: `plans.a.seats` can be chosen, and the price is \
            for all of them; expected `per: seat` in the price, or a number of seats",
        ),
        (
            "plans: {a: {price: {month: 3.00}, trial: 14}}",
            "catalog.yml:2: `plans.a.trial: 14` is not a number of days; expected 1d to \
            730d, such as 14d, or {for: 14d, card: optional}",
        ),
        ("addons: {a: {shows: 1}}", "catalog.yml:2: addon `a` has no `price`; expected `price: {month: 4.00}`"),
        (
            "packs: {a: {price: {once: 1.00}}}",
            "catalog.yml:2: `packs.a.price` is a mapping; expected an amount in usd, such as 12.00",
        ),
        (
            "instances: {a: {uses: shows}}",
            "catalog.yml:2: instance `a` has no `resources`; expected what is made for it, such as \
            `resources: {data: database}`",
        ),
        (
            "instances: {a: {uses: show, resources: {data: database}}}",
            "catalog.yml:2: `uses: show`; expected one of shows; did you \
            mean `shows`?",
        ),
        (
            "instances: {a: {resources: {edge: cdn}}}",
            "catalog.yml:2: `resources.edge` has no host name; expected `address: \
            \"https://{{ label }}.shop.example\"` of the instance",
        ),
        (
            "plans: {a: {}}\npacks: {a: {price: 1.00, themes: true}}",
            "catalog.yml:3: `a` is in `packs` and in `plans` (line 2); expected another key, \
            since it is the id of the product",
        ),
        (
            "instances: {a: {resources: {app: function}, address: \"https://{label}.x.example\"}}",
            "catalog.yml:2: `{label}.x.example` in \
            `address` is not a value of the instance; expected `{{ label }}`, or an output such as `{{ app.url }}`",
        ),
        (
            "instances: {a: {resources: {app: function}, address: \"https://{{ name }}.x.example\"}}",
            "catalog.yml:2: `{{ name }}` in \
            `address` is not a value of the instance; expected `{{ label }}`, or an output such as `{{ app.url }}`",
        ),
        (
            "plans: {a: {price: {month: 0.00}}}",
            "catalog.yml:2: `plans.a.price.month` is nothing; expected an amount; a plan without `price` is free",
        ),
        ("packs: {a: {price: 1.00}}", "catalog.yml:2: pack `a` gives nothing; expected `credits`, or a feature"),
        (
            "plans: {a: {price: {month: 3.00, per: seat}, seats: {at_least: 9, at_most: 3}}}",
            "catalog.yml:2: `plans.a.seats` is not a range; \
            expected {at_least, at_most} with whole numbers, such as {at_least: 3, at_most: 100}",
        ),
        (
            "instances: {a: {resources: {data: postgres}}}",
            "catalog.yml:2: `resources.data: postgres`; expected one of database, bucket, \
            function, cdn, domain",
        ),
        (
            "plans: {Free: {}}",
            "catalog.yml:2: `Free` cannot be the name of a plan; expected a letter, then up to 39 of a-z, 0-9 and _",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
    let reserved = translated("features: {price: limit}").expect_err("a mistake");
    assert_eq!(
        reserved,
        "catalog.yml:1: `price` is a word of the catalog language; expected another name for the feature"
    );
    let unpaid =
        translated("features: {a: {use: word, price: 0.01, pay: credits}}\nplans: {b: {}}").expect_err("a mistake");
    assert!(unpaid.contains("only credits pay for `a`, and nothing sells credits"), "{unpaid}");
    let unnamed = translated("plans: {a: {sites: 1}}").expect_err("a mistake");
    assert!(unnamed.ends_with("a feature is declared first: `features: {sites: limit}`"), "{unnamed}");
    let nothing = translated("features: {a: limit}\npacks: {b: {price: 1.00, credits: 1.00}}").expect_err("a mistake");
    assert!(
        nothing.starts_with("catalog.yml:2: nothing is paid from credits; expected a feature with a price"),
        "{nothing}"
    );
}

#[test]
fn prices_and_coupons_have_an_amount_in_each_currency() {
    let all = translated(
        "currency: [usd, eur, jpy, kwd]
features: {themes: flag}
plans:
  pro: {price: {month: {usd: 20.00, eur: 19.00, jpy: 3000, kwd: 6.150}, per: seat}, seats: {at_least: 1, at_most: 9}, themes: true}
packs: {night: {price: {usd: 5.00, eur: 4.50, jpy: 700, kwd: 1.500}, themes: true}}
coupons: {TEN: {amount: {usd: 10.00, eur: 9.00, jpy: 1500, kwd: 3.000}}}
",
    )
    .expect("a catalog")
    .json();
    let month = json!({"usd": 2_000, "eur": 1_900, "jpy": 3_000, "kwd": 6_150});
    assert_eq!(all["products"][0]["prices"], json!({"month": {"amount": month}}));
    let once = json!({"usd": 500, "eur": 450, "jpy": 700, "kwd": 1_500});
    assert_eq!(all["products"][1]["prices"], json!({"once": {"amount": once}}));
    let off = json!({"usd": 1_000, "eur": 900, "jpy": 1_500, "kwd": 3_000});
    assert_eq!(all["coupons"], json!({"TEN": {"amount_minor": off}}));
    assert_eq!(all["policies"]["currency"], json!(["usd", "eur", "jpy", "kwd"]));
    let plan = |currency: &str, price: &str| {
        let text = format!(
            "currency: {currency}\nfeatures: {{themes: flag}}\nplans:\n  pro: {{price: {price}, themes: true}}\n"
        );
        translated(&text).expect_err("a mistake")
    };
    for (currency, price, expected) in [
        (
            "[usd, jpy]",
            "{month: {usd: 20.00, jpy: 30.00}}",
            "`plans.pro.price.month.jpy: 30.00` is not an amount in jpy; expected an amount such as 12",
        ),
        (
            "[usd, kwd]",
            "{month: {usd: 20.00, kwd: 6.15}}",
            "`plans.pro.price.month.kwd: 6.15` is not an amount in kwd; expected 6.150",
        ),
        (
            "usd",
            "{month: {usd: 20.00, eur: 19.00}}",
            "`plans.pro.price.month.eur` is in no currency of the business; expected usd, or `currency: [usd, eur]`",
        ),
        (
            "[usd, eur]",
            "{month: {usd: 20.00, eur: 0.00}}",
            "`plans.pro.price.month.eur` is nothing; expected an amount; a plan without `price` is free",
        ),
    ] {
        assert_eq!(plan(currency, price), format!("catalog.yml:4: {expected}"));
    }
}

#[test]
fn usage_and_credits_have_an_amount_in_each_currency() {
    let with = |price: &str, credits: &str| {
        translated(&format!(
            "currency: [usd, eur]
features:
  pages: {{use: page, price: {price}, pay: [credits, invoice]}}
packs: {{ten: {{price: {{usd: 10.00, eur: 9.00}}, credits: {credits}}}}}
"
        ))
    };
    let (both, ten) = ("{usd: 0.05, eur: 0.045}", "{usd: 10.00, eur: 9.00}");
    let rate = |price: &str| with(price, ten).expect("a catalog").json()["rates"]["pages"].clone();
    let one = rate(both);
    assert_eq!((&one["micros"], &one["currencies"]), (&json!(50_000), &json!({"eur": {"micros": 45_000}})));
    let tiers = rate("[{to: 1000, price: {usd: 0.05, eur: 0.045}}, {price: {usd: 0.04, eur: 0.035}}]");
    assert_eq!(tiers["micros"], json!([{"to": 1000, "price": 50_000}, {"price": 40_000}]));
    let others = json!({"eur": {"micros": [{"to": 1000, "price": 45_000}, {"price": 35_000}]}});
    assert_eq!(tiers["currencies"], others);
    let by = rate("{by: language, en: {usd: 0.01, eur: 0.009}, de: {usd: 0.02, eur: 0.018}}");
    assert_eq!((&by["by"], &by["micros"]), (&json!("language"), &json!({"en": 10_000, "de": 20_000})));
    assert_eq!(by["currencies"], json!({"eur": {"micros": {"en": 9_000, "de": 18_000}}}));
    // The check of the catalog says that euros are missing.
    assert!(rate("0.05")["currencies"].is_null());

    let all = with(both, ten).expect("a catalog").json();
    assert_eq!(all["products"][0]["metadata"], json!({"credits": 1_000, "credits_eur": 900}));
    let paid = json!([{"credit": "{product.credits}"}, {"credit": "{product.credits_eur}", "currency": "eur"}]);
    assert_eq!(all["product_types"][0]["on_paid"], paid);
    for (price, credits, expected) in [
        (both, "10.00", "catalog.yml:4: `packs.ten.credits` has no amount in eur, in which customers can pay"),
        ("{usd: 0.05, gbp: 0.04}", ten, "catalog.yml:3: `pages.price.gbp` is in no currency of the business"),
        ("{eur: 0.05}", ten, "catalog.yml:3: `pages.price` has no amount in usd"),
        (
            "[{to: 9, price: {usd: 0.05, eur: 0.04}}, {price: 0.03}]",
            ten,
            "catalog.yml:3: a tier of `pages.price` has no amount in eur",
        ),
    ] {
        let told = with(price, credits).expect_err("a mistake");
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn amounts_are_in_the_currency_of_the_business() {
    let plans = "plans: {a: {price: {month: 1200}}}\n";
    for text in [format!("policies: {{currency: jpy}}\n{plans}"), format!("currency: jpy\n{plans}")] {
        let all = full(&text);
        assert_eq!(all["products"][0]["prices"], json!({"month": {"amount": 1_200}}));
        assert_eq!(all["policies"], json!({"currency": "jpy"}));
    }
    let coupons = full(
        "currency: jpy\ncoupons: {A: {amount: 500}, B: {percent: 12.5, months: 3}, C: {percent: 50, until: 2027-03-31}}\n",
    );
    let expected = json!({"A": {"amount_minor": 500}, "B": {"percent": "12.5", "months": 3}, "C": {"percent": 50, "until": "2027-03-31"}});
    assert_eq!(coupons["coupons"], expected);
    for (coupon, mistake) in [
        ("{amount: 10}", "catalog.yml:1: `coupons.A.amount: 10` is not an amount in usd; expected 10.00"),
        ("{percnt: 10}", "catalog.yml:1: unknown field `percnt` in `coupons.A`"),
        ("10", "catalog.yml:1: `coupons.A` is a whole number; expected a mapping"),
    ] {
        let told = translated(&format!("coupons: {{A: {coupon}}}")).expect_err("a mistake");
        assert!(told.starts_with(mistake), "{told}");
    }
    let both = translated("policies: {currency: jpy}\ncurrency: jpy\ntax: automatic\n").expect_err("a mistake");
    assert_eq!(both, "catalog.yml:2: `currency` is a policy of catalog.yml:1, too; expected one of them");
    let taxes = full("tax: included\ntax_ids: business\ncodes: true\n");
    assert_eq!(taxes, json!({"policies": {"tax": "included", "tax_ids": "business", "codes": true}}));
}

#[test]
fn usage_with_a_price_has_tiers_and_an_included_amount() {
    let all = full(
        "features:\n  a: {use: page, price: [{to: 100, price: 0.10}, {price: 0.08}], tiers: volume, alerts: [80], pay: invoice}\n  \
         b: {use: word, price: {by: kind, x: [{to: 5, price: 0.10}, {price: 0.000008}], y: 0.20}, pay: invoice}\n\
         plans: {free: {a: 50}, studio: {price: {month: 3.00}, a: unlimited}}\n",
    );
    let tiers = json!([{"to": 100, "price": 100_000}, {"price": 80_000}]);
    assert_eq!(all["rates"]["a"], json!({"micros": tiers, "tiers": "volume", "pay": ["invoice"], "invoice": {}}));
    assert_eq!(all["rates"]["b"]["micros"], json!({"x": [{"to": 5, "price": 100_000}, {"price": 8}], "y": 200_000}));
    assert_eq!(all["entitlements"], json!({"a": {"kind": "counter", "meter": "a", "alerts": [80]}}));
    assert_eq!(all["products"][1]["metadata"]["a"], json!("unlimited"));
    let refused = |features: &str, plans: &str| {
        translated(&format!("features: {{a: {features}}}\nplans: {{b: {plans}}}\n")).expect_err("a mistake")
    };
    for (features, plans, expected) in [
        (
            "{use: page, price: 0.10, alerts: [80], pay: invoice}",
            "{}",
            "`a.alerts` are percentages of an amount, and no offer includes any; expected `a: 1000` in a plan, or no `alerts`",
        ),
        (
            "{use: page, price: {by: kind, x: 0.10}, pay: invoice}",
            "{a: 5}",
            "`plans.b.a`: its units have prices by `kind`; expected no amount, since it does not say which units are free; \
             or one price",
        ),
        (
            "{use: page, price: [{to: 5}], pay: invoice}",
            "{}",
            "`a.price[0]` has no `price`; expected the field `price`",
        ),
        (
            "{use: page, price: [{to: 5, price: 0.1}], pay: invoice}",
            "{}",
            "`a.price[0].price: 0.1` is not an amount in usd; expected 0.10",
        ),
        (
            "{use: page, price: 0.10, tiers: flat, pay: invoice}",
            "{}",
            "`tiers: flat`; expected one of graduated, volume",
        ),
    ] {
        let found = refused(features, plans);
        assert!(found.contains(expected), "{found}");
    }
}
