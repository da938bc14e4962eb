//! Compares the schemas of `catalog.yml` and `business.yml` with their readers: both accept the same documents and know
//! the same names.

use crate::catalogs;
use crate::schema::assert_schema_is_named;

use catalogs::{BROKEN, CORE, CORE_BROKEN, WHOLE, folder_with};
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_scenario::business::{BusinessFolder, CATALOG_FILE};
use host_scenario::error::{BadInput, Mistakes, ReplayError};
use host_scenario::schema::{BUSINESS, CATALOG, ROUTES, TABLES};
use host_scenario::tree::Node;
use instance_provisioner::PRODUCT_MEMBERS;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Texts of [`WHOLE`], each with a replacement that has an unknown name. Only the reader can refuse it, because a
/// business may declare names.
const UNKNOWN: [(&str, &str); 33] = [
    ("{id: prod_b, type: pack", "{id: business, type: pack"),
    ("event: invoice.paid", "event: invoice.payed"),
    ("run: database.seed}", "run: database.sow}"),
    ("run: database.seed}", "run: mail.send}"),
    ("mail: hello", "mail: helo"),
    ("{name: \"{account.id}\"}", "{nmae: \"{account.id}\"}"),
    ("to: \"{event.email}\"", "to: \"{event.mail}\""),
    ("to: \"{event.email}\"", "to: everybody"),
    ("if: allowed.calls", "if: allowed.cals"),
    ("{meter: visits, of", "{meter: visit, of"),
    ("group: [agent]", "group: [agnt]"),
    ("{input: words}", "{input: wrods}"),
    ("\"if\": config.enabled", "\"if\": config.enabledd"),
    ("kind: counter, meter: calls", "kind: counter, meter: cals"),
    ("{meter: backups, within: 26h}", "{meter: logins, within: 26h}"),
    ("{meter: backups, within: 26h}", "{meter: visits, within: 26h}"),
    ("run: object.sign", "run: database.seed"),
    ("shows: {label: \"{product.label}\"}", "shows: {label: \"{product.lable}\"}"),
    ("per: \"{plan.slug}\"", "per: \"{plan.slgu}\""),
    (",\n        or_manual: {how: [Ask]}}", "}"),
    ("resource: cdn", "resource: cdm"),
    ("name: edge, resource: cdn", "name: edge, resource: cdn, backup: true"),
    ("if: config.enabled", "if: config.enabledd"),
    ("product_types:\n", "product_types:\n  - shop\n"),
    ("run: database.seed, phase", "run: database.sow, phase"),
    ("run: database.seed, phase", "run: database.ensure, phase"),
    ("run: database.seed, phase", "run: database.seed, backup: true, phase"),
    ("verify: false", "verify: true"),
    ("name: fill, run", "name: edge, run"),
    ("{meter: seats, after: 30d}", "{meter: logins, after: 30d}"),
    ("metadata: {label: \"{session.label}\"}", "metadata: {label: \"{sesion.label}\"}"),
    ("views: {phase: {running: ready}}", "views: {label: {running: ready}, phase: {}}"),
    (
        "products:\n  - id: prod_a\n",
        "products:\n  - {id: prod_c, product_type: tier, name: C, metadata: {slug: a}}\n  - id: prod_a\n",
    ),
];

/// Returns the objects of a schema that allow only the listed members, each with these members.
pub fn closed_objects(schema: &Value) -> Vec<(String, BTreeSet<String>)> {
    let mut found = BTreeSet::new();
    closed(schema, "", &mut found);
    let members = |pointer: &str| schema.pointer(pointer).filter(|object| object["properties"].is_object()).map(named);
    found.into_iter().filter_map(|pointer| Some((pointer.clone(), members(&pointer)?))).collect()
}

/// The schema of a catalog with the policies of `business.yml` beside its clauses, as in [`WHOLE`].
pub fn schema() -> Value {
    let mut schema: Value = serde_json::from_str(CATALOG).expect("JSON");
    let business: Value = serde_json::from_str(BUSINESS).expect("JSON");
    schema["properties"]["policies"] = business["properties"]["policies"].clone();
    schema
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).expect("a valid schema")
}

fn json_of(text: &str) -> Value {
    Node::parse(Path::new("x.yml"), text).expect("valid YAML").json()
}

/// Returns the mistakes that the host and the extension find in a catalog and a `business.yml`.
fn mistakes_of_text(catalog: &str, business_yml: Option<&str>) -> Vec<BadInput> {
    let folder = folder_with(catalog);
    if let Some(text) = business_yml {
        fs::write(folder.path().join("business.yml"), text).expect("written");
    }
    let business = match BusinessFolder::load(folder.path()) {
        Ok(business) => business,
        Err(Mistakes(mistakes)) => return mistakes,
    };
    let (config, runners, store) = (Vec::new(), host_replay::native::runners(), StoreKind::Memory);
    match Rig::start(RigSetup { business, livemode: false, config, runners, store, clock: 0, live: None }) {
        Ok(_) => Vec::new(),
        Err(ReplayError::Input(mistakes)) => mistakes,
        Err(other) => panic!("{other}"),
    }
}

fn mistakes_of(catalog: &Value) -> Vec<BadInput> {
    mistakes_of_text(&catalog.to_string(), None)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map_or(Vec::new(), |found| found.map(|entry| entry.expect("an entry").path()).collect())
}

/// Returns the files of this name in the folders of businesses and their features.
fn files(name: &str) -> Vec<PathBuf> {
    let businesses = test_support::businesses();
    let features = businesses.iter().flat_map(|folder| entries(&folder.join("features"))).collect();
    let files = [businesses, features].into_iter().flatten().map(|folder| folder.join(name));
    files.filter(|file| file.is_file()).collect()
}

#[test]
fn every_catalog_of_the_project_is_valid() {
    for (name, schema, least) in [
        (CATALOG_FILE, CATALOG, 5),
        ("business.yml", BUSINESS, 1),
        ("routes.yml", ROUTES, 5),
        ("tables.yml", TABLES, 5),
    ] {
        let validator = validator(&serde_json::from_str(schema).expect("JSON"));
        let files = files(name);
        assert!(files.len() >= least, "{files:?}");
        for file in files {
            let value = json_of(&fs::read_to_string(&file).expect("a file"));
            let errors: Vec<String> =
                validator.iter_errors(&value).map(|error| format!("{} {error}", error.instance_path())).collect();
            assert_eq!(errors, [""; 0], "{}", file.display());
            assert_schema_is_named(&file, name.trim_end_matches(".yml"));
        }
    }
}

#[test]
fn a_catalog_with_every_clause_is_accepted() {
    let value = json_of(WHOLE);
    let errors: Vec<String> = validator(&schema()).iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!((errors, mistakes_of(&value)), (Vec::new(), Vec::new()));
}

#[test]
fn schema_and_reader_accept_the_same_clauses_of_the_core_level() {
    let validator = validator(&schema());
    let errors: Vec<String> = validator.iter_errors(&json_of(CORE)).map(|error| error.to_string()).collect();
    assert_eq!((errors, mistakes_of_text(CORE, None)), (Vec::new(), Vec::new()));
    for (text, wrong) in CORE_BROKEN {
        assert_eq!(CORE.matches(text).count(), 1, "{text}");
        let broken = CORE.replace(text, wrong);
        assert!(!validator.is_valid(&json_of(&broken)), "the schema accepts {wrong}");
        assert_ne!(mistakes_of_text(&broken, None), [], "the reader accepts {wrong}");
    }
}

// covers: D-13
#[test]
fn a_catalog_in_json_is_the_same_business_as_in_yaml() {
    let json = serde_json::to_string_pretty(&json_of(WHOLE)).expect("JSON");
    assert_eq!(mistakes_of_text(&json, None), []);
    let hash = |catalog: &str| BusinessFolder::load(folder_with(catalog).path()).expect("a business").hash(&[]);
    assert_eq!(hash(&json), hash(WHOLE));
    assert_ne!(hash(&json.replace("\"max_length\": 40", "\"max_length\": 41")), hash(WHOLE));
}

/// Objects of the schema, each with its place in [`WHOLE`].
const OBJECTS: [(&str, &str); 45] = [
    ("", ""),
    ("/properties/policies", "/policies"),
    ("/properties/policies/properties/cancel_offer", "/policies/cancel_offer"),
    ("/properties/policies/properties/top_up", "/policies/top_up"),
    ("/$defs/meterDecl", "/meters/tokens"),
    ("/$defs/entitlement", "/entitlements/calls"),
    ("/$defs/rate", "/rates/tokens"),
    ("/$defs/tier", "/rates/pages/micros/0"),
    ("/$defs/millionTier", "/rates/words/per_million/small/0"),
    ("/$defs/rate/properties/seller", "/rates/tokens/seller"),
    ("/$defs/productType/properties/refund", "/product_types/1/refund"),
    ("/$defs/productType/properties/split", "/product_types/1/split"),
    ("/$defs/rate/properties/invoice", "/rates/tokens/invoice"),
    ("/$defs/productType", "/product_types/2"),
    ("/$defs/field", "/product_types/0/fields/0"),
    ("/$defs/event", "/events/user.registered"),
    ("/$defs/reaction", "/reactions/0"),
    ("/properties/campaigns", "/campaigns"),
    ("/properties/usage_source", "/usage_source"),
    ("/$defs/token", "/product_types/1/tokens/0"),
    ("/$defs/redeem", "/product_types/1/tokens/0/redeem"),
    ("/$defs/buy", "/product_types/1/buy"),
    ("/$defs/buy/properties/quantity", "/product_types/0/buy/quantity"),
    ("/$defs/buy/properties/at_most", "/product_types/1/buy/at_most"),
    ("/$defs/granted/anyOf/1", "/product_types/1/grants/calls"),
    ("/$defs/leftBehind", "/product_types/1/on_paid/0"),
    ("/$defs/planLink", "/product_types/2/plan"),
    ("/$defs/resource", "/product_types/2/provisions/0"),
    ("/$defs/atMost", "/product_types/2/provisions/0/at_most"),
    ("/$defs/byHand", "/product_types/2/provisions/2/or_manual"),
    ("/$defs/fromCheckout", "/product_types/2/from_checkout"),
    ("/$defs/lifecycle", "/product_types/2/lifecycle"),
    ("/$defs/idle", "/product_types/2/lifecycle/idle"),
    ("/$defs/url", "/product_types/2/url/0"),
    ("/$defs/watch", "/product_types/2/watch"),
    ("/$defs/expected", "/product_types/2/expects/0"),
    ("/$defs/meter", "/product_types/2/meters/0"),
    ("/$defs/trial/anyOf/1", "/products/0/trial"),
    ("/$defs/pause", "/products/0/pause"),
    ("/$defs/price_move", "/price_moves/prod_a"),
    ("/$defs/prices", "/products/0/prices"),
    ("/$defs/price", "/products/0/prices/month"),
    ("/$defs/price/properties/id/anyOf/1", "/products/0/prices/month/id"),
    // A product may also have the fields of its type, so the schema allows further members.
    ("/$defs/product", "/products/0"),
    ("/$defs/product", "/products/1"),
];

/// Objects of the core level that allow only the listed members, each with the text of [`CORE`] behind which a member fits.
const CORE_OBJECTS: [(&str, &str); 8] = [
    ("/$defs/coupon", "TEN: {"),
    ("/$defs/counted", "downloads: {"),
    ("/$defs/measured", "storage: {"),
    ("/$defs/used", "words: {"),
    ("/$defs/unitTier", "price: [{"),
    ("/$defs/planPrice", "studio: {price: {"),
    ("/$defs/addonPrice", "false, price: {"),
    ("/$defs/instance", "\n  show:\n    "),
];

/// Objects of the core level that have features beside the listed members.
const OFFERS: [(&str, &str); 3] =
    [("/$defs/plan", "studio: {"), ("/$defs/addon", "extra_show: {"), ("/$defs/pack", "ten_dollars: {")];

/// Collects the pointers of the schema's objects that allow only the listed members.
fn closed(schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    if schema["additionalProperties"] == json!(false) {
        found.insert(at.to_owned());
    }
    match schema {
        Value::Object(map) => map.iter().for_each(|(key, value)| closed(value, &format!("{at}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at_list, value)| closed(value, &format!("{at}/{at_list}"), found));
        }
        _ => {}
    }
}

fn with(catalog: &Value, pointer: &str, member: &str, value: Value) -> Value {
    let mut catalog = catalog.clone();
    catalog.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object").insert(member.to_owned(), value);
    catalog
}

/// Returns the names in a list such as `` `a`, `b` or `c` `` or `one of a, b`.
fn names_in(expected: &str) -> BTreeSet<String> {
    let list = expected.strip_prefix("one of ").unwrap_or(expected);
    let names = list.split(", ").flat_map(|part| part.split(" or "));
    names.map(|name| name.trim_matches('`').to_owned()).collect()
}

/// Returns the only mistake of a catalog.
fn only(catalog: &Value) -> BadInput {
    let mut mistakes = mistakes_of(catalog);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.remove(0)
}

fn named(object: &Value) -> BTreeSet<String> {
    object["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[test]
fn schema_and_reader_know_the_same_names() {
    let (schema, whole, mut seen) = (schema(), json_of(WHOLE), BTreeSet::new());
    for (object, place) in OBJECTS {
        let of_schema = schema.pointer(object).expect("an object of the schema");
        if of_schema["additionalProperties"] != json!(false) {
            continue;
        }
        seen.insert(object.to_owned());
        if object == "/$defs/price/properties/id/anyOf/1" {
            let bad = only(&with(&whole, place, "zzz", json!("x")));
            assert_eq!((bad.expected.as_str(), named(of_schema)), ("an id, or {test, live}", names_in("live, test")));
            continue;
        }
        let bad = only(&with(&whole, place, "zzz", json!(1)));
        let mut read = names_in(&bad.expected);
        match object {
            "/$defs/prices" => assert_eq!(bad.place.pointer.as_deref(), Some("/products/0/prices/zzz")),
            _ => assert!(bad.problem == "unknown field `zzz`", "{object}: {bad}"),
        }
        // The policies stand in another file of the business.
        if object.is_empty() {
            assert!(read.insert("policies".to_owned()));
            // A file has the whole catalog; only a command may have a part.
            assert!(read.remove("partial"));
        }
        assert_eq!(read, named(of_schema), "{object}");
    }
    // The whole catalog has one currency, so the prices in another are a mistake of their own.
    let object = "/$defs/rate/properties/currencies/additionalProperties";
    let others = with(&whole, "/rates/tokens", "currencies", json!({"eur": {"micros": 1, "zzz": 1}}));
    let unknown = mistakes_of(&others).into_iter().find(|bad| bad.problem == "unknown field `zzz`").expect("a mistake");
    assert_eq!(names_in(&unknown.expected), named(schema.pointer(object).expect("an object of the schema")));
    seen.insert(object.to_owned());
    let with_member = |text: &str| {
        assert_eq!(CORE.matches(text).count(), 1, "{text}");
        let end = if text.ends_with('{') { ", " } else { "\n    " };
        let mut mistakes = mistakes_of_text(&CORE.replace(text, &format!("{text}zzz: 1{end}")), None);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes.remove(0)
    };
    for (object, text) in CORE_OBJECTS {
        let bad = with_member(text);
        let of_schema = named(schema.pointer(object).expect("an object of the schema"));
        assert!(bad.problem.starts_with("unknown field `zzz`"), "{object}: {bad}");
        assert_eq!(names_in(&bad.expected), of_schema, "{object}");
        seen.insert(object.to_owned());
    }
    for (object, text) in OFFERS {
        let bad = with_member(text);
        let read = names_in(bad.expected.strip_prefix("a feature or ").unwrap_or_default());
        assert_eq!(read, named(schema.pointer(object).expect("an object of the schema")), "{object}");
    }
    let mut all = BTreeSet::new();
    closed(&schema, "", &mut all);
    assert_eq!(seen, all);
}

#[test]
fn a_product_has_the_members_of_the_schema_and_the_fields_of_its_type() {
    let (schema, whole) = (schema(), json_of(WHOLE));
    let mut of_schema = named(&schema["$defs"]["product"]);
    // The error of an unknown field lists the fields that an administrator may set.
    let bad = only(&with(&whole, "/products/0", "zzz", json!(1)));
    assert!(bad.problem.contains("no such field"), "{bad}");
    let mut fields = names_in(&bad.expected);
    for member in PRODUCT_MEMBERS {
        assert!(of_schema.remove(member) && fields.remove(member), "{member}");
    }
    assert!(of_schema.is_subset(&fields), "{of_schema:?} {fields:?}");
    let own = names_in("slug, rank, size, cores, calls, stripe_price_id").into_iter().collect();
    assert_eq!(&fields - &of_schema, own, "the type's own, and a field of the platform's form");
}

#[test]
fn schema_and_reader_know_the_same_words() {
    let (schema, whole) = (schema(), json_of(WHOLE));
    let words = |list: &Value| -> BTreeSet<String> {
        list.as_array().expect("a list").iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
    };
    for (place, member, list) in [
        ("/policies", "provider", "/properties/policies/properties/provider/enum"),
        ("/policies", "customer_creation", "/properties/policies/properties/customer_creation/enum"),
        ("/policies", "tax", "/properties/policies/properties/tax/enum"),
        ("/meters/tokens", "formula", "/$defs/meterDecl/properties/formula/enum"),
        ("/entitlements/calls", "kind", "/$defs/entitlement/properties/kind/enum"),
        ("/entitlements/calls", "period", "/$defs/entitlement/properties/period/enum"),
        ("/product_types/1/buy", "account", "/$defs/buy/properties/account/enum"),
        ("/product_types/1", "listing", "/$defs/productType/properties/listing/enum"),
        ("/product_types/0/fields/0", "type", "/$defs/field/properties/type/anyOf/0/enum"),
        ("/product_types/0/fields/0", "format", "/$defs/field/properties/format/enum"),
        ("/product_types/0/fields/0", "set_by", "/$defs/field/properties/set_by/enum"),
        ("/product_types/2/provisions/1", "resource", "/$defs/resource/properties/resource/anyOf/0/enum"),
        ("/product_types/2/provisions/1", "if", "/$defs/resource/properties/if/anyOf/0/enum"),
        ("/product_types/2/provisions/2", "run", "/$defs/resource/properties/run/anyOf/0/enum"),
        ("/product_types/2/provisions/2/or_manual", "by", "/$defs/byHand/properties/by/enum"),
        ("/product_types/2/provisions/1", "on_archive", "/$defs/resource/properties/on_archive/enum"),
    ] {
        // A condition has a word in front.
        let unknown = if member == "if" { "config.zzz" } else { "zzz" };
        let bad = only(&with(&whole, place, member, json!(unknown)));
        assert_eq!(names_in(&bad.expected), words(schema.pointer(list).expect("words")), "{member}: {bad}");
        assert!(bad.place.pointer.as_deref().is_some_and(|at| at == format!("{place}/{member}")), "{bad}");
    }
    let bad = only(&with(&whole, "/product_types/0", "intervals", json!(["zzz"])));
    let mut intervals = words(&schema["$defs"]["interval"]["anyOf"][0]["enum"]);
    intervals.extend(words(&schema["$defs"]["interval"]["anyOf"][1]["enum"]));
    assert_eq!(names_in(&bad.expected), intervals);
    let bad = only(&with(&whole, "/rates/tokens", "pay", json!(["zzz"])));
    assert_eq!(names_in(&bad.expected), words(&schema["$defs"]["rate"]["properties"]["pay"]["items"]["enum"]));
}

#[test]
fn schema_and_reader_know_the_same_commands_and_queries() {
    let schema: Value = serde_json::from_str(BUSINESS).expect("JSON");
    let of = |text: &str| {
        let mut mistakes = mistakes_of_text("products: []\n", Some(text));
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes.remove(0)
    };
    assert_eq!(names_in(&of("zzz: 1\n").expected), named(&schema));
    let bad = of("may: {zzz: [owner]}\n");
    let names = schema["properties"]["may"]["propertyNames"]["enum"].as_array().expect("names");
    let names: BTreeSet<String> = names.iter().map(|name| name.as_str().expect("a text").to_owned()).collect();
    assert_eq!(names_in(&bad.expected), names, "{bad}");
    let validator = validator(&schema);
    for (text, is_right) in [
        ("{}", true),
        ("may: {}", true),
        ("may: {list: [owner, billing], usage.consume: []}", true),
        ("may: {zzz: [owner]}", false),
        ("may: {list: owner}", false),
        ("may: {list: [1]}", false),
        ("may: [list]", false),
        ("config: {zone: {}}", true),
        ("config: {zone: {type: integer, required: false, default: 7, env: ZONE, description: Where}}", true),
        ("config: {zone: {default: true}}", true),
        ("config: {key: {type: secret, env: KEY}}", true),
        ("config: {key: {type: secret, default: k}}", false),
        ("config: {zone: {type: text}}", false),
        ("config: {zone: {required: maybe}}", false),
        ("config: {zone: {default: [1]}}", false),
        ("config: {zone: {env: 7}}", false),
        ("config: {zone: {zzz: 1}}", false),
        ("config: {zone: x}", false),
        ("config: {Zone: {}}", false),
        ("config: {enabled: {}}", false),
        ("config: [zone]", false),
        ("resources: {tent: [ensure, change, destroy]}", true),
        ("resources: {tent: []}", true),
        ("resources: {tent: [pitch]}", true),
        ("resources: {tent: [Pitch]}", false),
        ("resources: {tent: ensure}", false),
        ("resources: {tent: [1]}", false),
        ("resources: {9tents: [ensure]}", false),
        ("resources: {bucket: [ensure]}", false),
        ("resources: {mail: [ensure]}", false),
        ("resources: [tent]", false),
        ("retry: {database: [10s, 30s, 2m, 10m, 30m], mail.send: []}", true),
        ("resources: {tent: [ensure]}\nretry: {tent: [1h], tent.ensure: [1d]}", true),
        ("retry: {database: 10s}", false),
        ("retry: {database: [10]}", false),
        ("retry: {database: [10 s]}", false),
        ("retry: [database]", false),
        ("webhooks: {}", true),
        ("webhooks: {idp: {scheme: standard, secret: stripe_webhook_secret, events: []}}", false),
        ("webhooks: {stripe: {scheme: standard, secret: stripe_webhook_secret, events: [{}]}}", false),
        ("webhooks: {idp: x}", false),
        ("webhooks: [idp]", false),
        ("zzz: {}", false),
        ("[]", false),
    ] {
        assert_eq!(validator.is_valid(&json_of(text)), is_right, "{text}");
        assert_eq!(mistakes_of_text("products: []\n", Some(text)).is_empty(), is_right, "{text}");
    }
}

#[test]
fn schema_and_reader_accept_the_same_webhooks() {
    let validator = validator(&serde_json::from_str(BUSINESS).expect("JSON"));
    let catalog =
        "events:\n  user.registered: {fields: [{name: email, type: string, required: true}, {name: age, type: int}]}\n";
    let standard = "scheme: standard, secret: stripe_webhook_secret";
    let hmac = "scheme: hmac, secret: stripe_webhook_secret, header: X-Signature";
    let fact = "event: user.registered, account: 'user:{user.id}', fields: {email: '{user.email}'}";
    let with = |webhook: &str, fact: &str| format!("webhooks: {{idp: {{{webhook}, events: [{{{fact}}}]}}}}");
    let right = [
        with(standard, fact),
        with(hmac, fact),
        with(&format!("{hmac}, prefix: sha256=, encoding: base64, id: '{{delivery.id}}'"), fact),
        with(standard, &format!("{fact}, when: {{type: user.created, user.active: true, list.0.n: 7}}")),
        with(standard, &fact.replace("'{user.email}'}", "'{user.name}@x', age: 7}")),
        with(standard, &fact.replace("user:{", "organization:{")),
    ];
    for text in right {
        assert!(validator.is_valid(&json_of(&text)), "{text}");
        assert_eq!(mistakes_of_text(catalog, Some(&text)), [], "{text}");
    }
    let wrong = [
        with("secret: stripe_webhook_secret", fact),
        with("scheme: standard", fact),
        with("scheme: svix, secret: stripe_webhook_secret", fact),
        with("scheme: hmac, secret: stripe_webhook_secret", fact),
        with(&format!("{standard}, header: X"), fact),
        with(&format!("{standard}, id: '{{id}}'"), fact),
        with(&format!("{hmac}, encoding: base32"), fact),
        with(&hmac.replace("X-Signature", "'X Signature'"), fact),
        with(&format!("{hmac}, zzz: 1"), fact),
        with(&format!("{hmac}, id: ''"), fact),
        with(standard, &format!("{fact}, zzz: 1")),
        with(standard, &format!("{fact}, when: {{'a b': x}}")),
        with(standard, &format!("{fact}, when: {{a: [x]}}")),
        with(standard, &format!("{fact}, when: [a]")),
        with(standard, &fact.replace("'user:{user.id}'", "platform")),
        with(standard, &fact.replace("account", "acount")),
        with(standard, &fact.replace("event: user.registered, ", "")),
        with(standard, &fact.replace("'{user.email}'", "[x]")),
        with(standard, &fact.replace("{user.email}", &"x".repeat(501))),
        format!("webhooks: {{Idp: {{{standard}, events: [{{{fact}}}]}}}}"),
        format!("webhooks: {{stripe: {{{standard}, events: [{{{fact}}}]}}}}"),
    ];
    for text in wrong {
        assert!(!validator.is_valid(&json_of(&text)), "the schema takes {text}");
        assert_eq!(mistakes_of_text(catalog, Some(&text)).len(), 1, "{text}");
    }
    // Only the reader finds unmatched braces, and unknown names that are declared elsewhere.
    let own = "config: {zone: {}, key: {type: secret}}\n";
    for (text, message) in [
        (with(standard, &fact.replace("{user.id}", "{user.id")), "has an unmatched brace"),
        (
            with(&standard.replace("stripe_webhook_secret", "kye"), fact),
            "expected stripe_webhook_secret, key; did you mean `key`?",
        ),
        (
            with(&standard.replace("stripe_webhook_secret", "zone"), fact),
            "the configuration key `zone` is not a secret",
        ),
        (with(standard, &fact.replace("user.registered", "user.registred")), "did you mean `user.registered`?"),
        (
            with(standard, &fact.replace("email:", "emial:")),
            "`emial` is not a field of `user.registered`; expected email, age; did you mean `email`?",
        ),
        (with(standard, &fact.replace("email:", "age:")), "`user.registered` must have the field `email`"),
    ] {
        assert!(validator.is_valid(&json_of(&text)), "the schema refuses {text}");
        let found: Vec<_> =
            mistakes_of_text(catalog, Some(&format!("{own}{text}"))).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|bad| bad.contains(message) && bad.contains("business.yml:")), "{message}: {found:?}");
    }
}

/// Returns true if a mistake concerns the shape of the value at this place, and not the value's meaning.
fn is_of_shape(bad: &BadInput, place: &str) -> bool {
    let within = bad.place.pointer.as_deref().is_some_and(|pointer| pointer.starts_with(place));
    within && (bad.problem.starts_with("found ") || bad.problem.starts_with("unknown field"))
}

#[test]
fn schema_and_reader_accept_the_same_values() {
    let (schema, whole) = (schema(), json_of(WHOLE));
    let validator = validator(&schema);
    let probes = [
        json!(true),
        json!(7),
        json!(-1),
        json!(300),
        json!(1.5),
        json!(5_000_000_000i64),
        json!("zzz"),
        json!(""),
        json!([]),
        json!([7]),
        json!([-1]),
        json!(["zzz"]),
        json!([{}]),
        json!({}),
        json!({"zzz": 1}),
        json!({"zzz": "x"}),
        json!({"zzz": {}}),
    ];
    let (mut taken, mut refused, mut differences) = (0, 0, Vec::new());
    let (part, mut count) = (test_support::one_story_in(), 0);
    for (object, place) in OBJECTS {
        for member in named(schema.pointer(object).expect("an object of the schema")) {
            let at = format!("{place}/{member}");
            count += 1;
            // Each value is tried at some of the members.
            for (_, probe) in probes.iter().enumerate().filter(|(at, _)| (at + count) % part == 0) {
                let catalog = with(&whole, place, &member, probe.clone());
                let (is_valid, mistakes) = (validator.is_valid(&catalog), mistakes_of(&catalog));
                if !is_valid && mistakes.is_empty() {
                    differences.push(format!("the schema alone refuses {at}: {probe}"));
                }
                if let Some(bad) = mistakes.iter().find(|bad| is_valid && is_of_shape(bad, &at)) {
                    differences.push(format!("the reader alone refuses {at}: {probe}: {bad}"));
                }
                *if is_valid { &mut taken } else { &mut refused } += 1;
            }
        }
    }
    assert_eq!(differences, [""; 0]);
    assert!(taken > 200 / part && refused > 1500 / part, "{taken} taken, {refused} refused");
}

#[test]
fn only_the_reader_checks_names_that_a_business_may_declare() {
    let validator = validator(&schema());
    for (good, bad) in UNKNOWN {
        assert_eq!(WHOLE.matches(good).count(), 1, "{good}");
        let text = WHOLE.replace(good, bad);
        assert!(validator.is_valid(&json_of(&text)), "the schema refuses {bad}");
        assert!(!mistakes_of_text(&text, None).is_empty(), "the reader takes {bad}");
    }
    let own = "policies: {erase_after: 30d, suspend_on_pause: [void]}\nconfig: {zone: {}}\nresources: {tent: [ensure, change, destroy]}\n";
    let text = WHOLE.replace("resource: cdn", "resource: tent").replace("if: config.enabled", "if: config.zone");
    assert_eq!(mistakes_of_text(&text, Some(own)), []);
}

#[test]
fn schema_and_reader_refuse_the_same_catalogs() {
    let validator = validator(&schema());
    for (good, bad) in BROKEN {
        assert_eq!(WHOLE.matches(good).count(), 1, "{good}");
        let text = WHOLE.replace(good, bad);
        assert!(!validator.is_valid(&json_of(&text)), "the schema takes {bad}");
        let mistakes = mistakes_of_text(&text, None);
        assert!(!mistakes.is_empty(), "the reader takes {bad}");
        for mistake in mistakes {
            assert_ne!(mistake.expected, "a catalog that the extension takes", "{mistake}");
        }
    }
}
