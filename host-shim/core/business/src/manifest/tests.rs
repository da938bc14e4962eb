//! Tests of reading a manifest and of checking a component against it.

use super::parse::PART;
use super::*;
use extension_contract::{EffectDecl, RetryPolicy, TypeDecl};
use host_store::Excluded;
use std::path::Path;

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(Path::new("manifest.yml"), text).map_err(|error| error.to_string())
}

const WHOLE: &str = "name: shop
config_key: shop
version: 1.2.0
description: Sells
world: \"solobase:products/extension@0.2.0-dev\"
data_version: 3
component: shop.wasm
hooks:
  - {event: product.created, handler: events.handle}
  - {event: webhook.stripe, handler: events.handle}
config:
  open: {type: boolean, default: \"true\", description: Sells at all}
  key: {type: string, required: true, env: SHOP_KEY, secret: true}
permissions:
  - {name: products.read, description: To look}
  - {name: claims:take}
  - {name: effects.enqueue}
product_types: [toy]
effects: [mail.send, probe.watch]
";

#[test]
fn a_manifest_excludes_members_from_the_state() {
    let text = "name: shop\nstate:\n  without:\n    - {rows: records/jobs, member: tries, because: counts requests}\n";
    let not_state = NotState::parts(Excluded::parse("records/jobs", Some("tries")));
    assert_eq!(parse(text), Ok(Manifest { name: "shop".to_owned(), not_state, ..Manifest::default() }));
    assert_eq!(parse("name: shop\n").expect("a manifest").not_state, NotState::default());
    let text = "name: shop\nstate:\n  catalog:\n    - {rows: \"products/type:*\", because: types}\n";
    let not_state = NotState::default().with_catalog(Excluded::parse("products/type:*", None));
    assert_eq!(parse(text).expect("a manifest").not_state, not_state);
}

#[test]
fn all_parts_of_a_manifest_are_read() {
    let manifest = parse(WHOLE).expect("a manifest");
    let permissions = manifest.permitted.permissions.clone().expect("permissions");
    let expected = [Permission::ProductsRead, Permission::ClaimsTake, Permission::EffectsEnqueue];
    assert_eq!(permissions.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(permissions[&Permission::ProductsRead], "To look");
    assert!(manifest.permitted.has_hook("webhook.stripe") && !manifest.permitted.has_hook("product.deleted"));
    assert!(manifest.permitted.permits_effect("mail.send") && !manifest.permitted.permits_effect("x.y"));
    let config = manifest.config.clone().expect("keys");
    assert_eq!((config[1].value_type, config[1].required), (ConfigType::Secret, true));
    assert_eq!(config[0].default_value.as_deref(), Some("true"));
    assert_eq!((manifest.data_version, manifest.config_key.as_deref()), (Some(3), Some("shop")));
}

#[test]
fn a_part_that_is_missing_restricts_nothing() {
    let manifest = parse("name: shop\n").expect("a manifest");
    assert!(Permission::ALL.into_iter().all(|permission| manifest.permitted.has(permission)));
    assert!(manifest.permitted.has_hook("product.created") && manifest.permitted.permits_effect("x.y"));
    let empty = parse("name: shop\npermissions: []\nhooks: []\neffects: []\n").expect("a manifest");
    assert!(!Permission::ALL.into_iter().any(|permission| empty.permitted.has(permission)));
    assert!(!empty.permitted.has_hook("product.created") && !empty.permitted.permits_effect("x.y"));
}

#[test]
fn the_manifest_of_this_repository_has_no_mistake() {
    parse(include_str!("../../../../../manifest.yml")).expect("a manifest");
}

#[test]
fn a_mistake_in_a_manifest_is_reported_with_its_line() {
    let part = format!("expected {PART}");
    let permissions =
        "expected one of products.read, products.write, subscriptions.write, claims.take, effects.enqueue";
    let events = "expected one of product.created, product.updated, product.deleted, webhook.stripe";
    let with = |line: &str| format!("name: a\n{line}\n");
    for (text, problem) in [
        ("- name\n".to_owned(), "1: the manifest is a list; expected a mapping".to_owned()),
        ("version: 1\n".to_owned(), "1: the manifest has no `name`; expected the field `name`".to_owned()),
        ("name: [a]\n".to_owned(), "1: `name` is a list; expected a text".to_owned()),
        (with("state: all"), "2: `state` is a text; expected a mapping".to_owned()),
        (with("state: {without: []}"), format!("2: `without` is empty; {part}")),
        (with("state: {without: [1]}"), format!("2: `without` has `1`; {part}")),
        (
            with("state: {without: [{rows: claims, because: b}]}"),
            format!("2: `without` has `{{\"because\":\"b\",\"rows\":\"claims\"}}`; {part}"),
        ),
        (
            with("state: {without: [{rows: products}]}"),
            format!("2: `without` has `{{\"rows\":\"products\"}}`; {part}"),
        ),
        (with("world: extension"), "2: `world: extension`; expected `NAMESPACE:PACKAGE/WORLD@VERSION`".to_owned()),
        (with("data_version: -1"), "2: `data_version` is a whole number; expected a whole number from 0".to_owned()),
        (with("hooks: [{event: made, handler: events.handle}]"), format!("2: `event: made`; {events}")),
        (
            with("hooks: [{event: webhook.stripe, handler: handle}]"),
            "2: `handler: handle`; expected one of events.handle".to_owned(),
        ),
        (
            with("hooks: [{event: product.created}]"),
            "2: a hook has no `handler`; expected the field `handler`".to_owned(),
        ),
        (with("effects: [x.y, x.z, x.y]"), "2: `effects` has `x.y` twice; expected each name once".to_owned()),
        (with("effects: x.y"), "2: `effects` is a text; expected a list".to_owned()),
        (
            with("permissions: [{name: products.reed}]"),
            format!("2: `name: products.reed`; {permissions}; did you mean `products.read`?"),
        ),
        (
            with("permissions: [{name: products.read}, {name: products:read}]"),
            "2: `permissions` has `products.read` twice; expected each name once".to_owned(),
        ),
        (with("permissions: [{name: files.read}]"), format!("2: `name: files.read`; {permissions}")),
        (
            with("config: {k: {type: number}}"),
            "2: `type: number`; expected one of string, integer, boolean".to_owned(),
        ),
        (
            with("config: {k: {type: integer, default: many}}"),
            "2: `default: many` of `k`; expected a value of `type: integer`".to_owned(),
        ),
        (
            with("config: {k: {type: integer, secret: true}}"),
            "2: `k` is a secret, and not a text; expected `type: string`".to_owned(),
        ),
        (
            with("config: {k: {secret: true, default: a}}"),
            "2: `k` is a secret with a default; expected `env`, or no default".to_owned(),
        ),
        (
            with("config: {k: {requird: true}}"),
            "2: unknown field `requird` in `k`; expected one of type, required, default, env, secret, description; did \
             you mean `required`?"
                .to_owned(),
        ),
        (
            with("effcts: []"),
            "2: unknown field `effcts` in the manifest; expected one of name, config_key, version, description, world, \
             data_version, component, state, hooks, config, permissions, product_types, effects; did you mean \
             `effects`?"
                .to_owned(),
        ),
    ] {
        assert_eq!(parse(&text), Err(format!("manifest.yml:{problem}")), "{text}");
    }
    let several = parse("name: a\nstate:\n  without: b\n  more: c\neffects: 1\n").expect_err("mistakes");
    let lines = [
        "manifest.yml:3: `without` is a text; expected a list",
        "manifest.yml:4: unknown field `more` in state; expected one of without, catalog",
        "manifest.yml:5: `effects` is a whole number; expected a list",
    ];
    assert_eq!(several, lines.join("\n"));
}

fn declared() -> Declarations {
    let effect = |kind: &str| EffectDecl {
        kind: kind.to_owned(),
        payload_schema: "{}".to_owned(),
        result_schema: "{}".to_owned(),
        retry: RetryPolicy { delays_ms: Vec::new() },
    };
    let key = |key: &str, value_type, required| ConfigDecl {
        key: key.to_owned(),
        value_type,
        required,
        default_value: None,
        env: None,
        description: String::new(),
    };
    let toy = TypeDecl { name: "toy".to_owned(), schema: "{}".to_owned(), behaviour: "{}".to_owned() };
    Declarations {
        name: "shop".to_owned(),
        version: "1.2.0".to_owned(),
        data_version: 3,
        product_types: vec![toy],
        effects: vec![effect("mail.send")],
        config: vec![
            ConfigDecl { default_value: Some("true".to_owned()), ..key("open", ConfigType::Boolean, false) },
            ConfigDecl { env: Some("SHOP_KEY".to_owned()), ..key("key", ConfigType::Secret, true) },
        ],
        ..Declarations::default()
    }
}

fn imports(version: &str) -> Vec<String> {
    ["types", "account", "claims", "catalog", "log"].map(|name| format!("solobase:products/{name}@{version}")).to_vec()
}

/// Returns the problems of a component with a manifest in which one string is replaced.
fn problems(change: (&str, &str), declared: &Declarations, imports: &[String]) -> Vec<String> {
    let text = WHOLE.replacen(change.0, change.1, 1);
    let manifest = parse(&text).expect("a manifest");
    manifest.check(declared, imports).err().map(|error| error.problems).unwrap_or_default()
}

#[test]
fn a_component_that_declares_what_the_manifest_states_is_permitted() {
    assert_eq!(problems(("", ""), &declared(), &imports("0.2.0-dev")), [""; 0]);
    assert_eq!(problems(("", ""), &declared(), &[]), [""; 0]);
    assert_eq!(Manifest::default().check(&declared(), &imports("0.2.0-dev")), Ok(()));
}

#[test]
fn each_difference_between_component_and_manifest_is_named() {
    let read = "permissions:\n  - {name: products.read, description: To look}\n";
    for (change, expected) in [
        (("name: shop", "name: store"), vec!["its name is `shop`; expected `store`, the manifest's `name`"]),
        (
            ("version: 1.2.0", "version: 1.3.0"),
            vec!["its version is `1.2.0`; expected `1.3.0`, the manifest's `version`"],
        ),
        (
            ("data_version: 3", "data_version: 4"),
            vec!["its data version is 3; expected 4, the manifest's `data_version`"],
        ),
        (
            ("extension@0.2.0-dev", "extension@0.3.0"),
            vec![
                "it imports `solobase:products/types@0.2.0-dev`; expected an interface of the package \
                 `solobase:products@0.3.0` of the manifest's `world`",
            ],
        ),
        (
            (read, "permissions:\n"),
            vec![
                "it imports `solobase:products/account@0.2.0-dev`, which needs the permission `products.read`",
                "it imports `solobase:products/catalog@0.2.0-dev`, which needs the permission `products.read`",
            ],
        ),
        (
            ("  - {name: claims:take}\n", ""),
            vec!["it imports `solobase:products/claims@0.2.0-dev`, which needs the permission `claims.take`"],
        ),
        (
            ("  - {name: effects.enqueue}\n", ""),
            vec!["it declares the effect `mail.send`, which needs the permission `effects.enqueue`"],
        ),
        (("[mail.send, ", "["), vec!["it declares the effect `mail.send`, which the manifest does not permit"]),
        (
            ("product_types: [toy]", "product_types: []"),
            vec!["it declares the product type `toy`, which the manifest does not list"],
        ),
        (
            ("  open: {type", "  shut: {type"),
            vec!["it declares the configuration key `open`, which the manifest does not list"],
        ),
        (
            ("open: {type: boolean, default: \"true\"", "open: {type: string, default: \"yes\", required: true"),
            vec![
                "its configuration key `open` has `type: boolean`; expected `type: string`, as in the manifest",
                "its configuration key `open` has `required: false`; expected `required: true`, as in the manifest",
                "its configuration key `open` has `default: true`; expected `default: yes`, as in the manifest",
            ],
        ),
        (
            ("env: SHOP_KEY, secret: true", "secret: false"),
            vec![
                "its configuration key `key` has `secret: true`; expected `secret: false`, as in the manifest",
                "its configuration key `key` has `env: SHOP_KEY`; expected `env: none`, as in the manifest",
            ],
        ),
    ] {
        assert_eq!(problems(change, &declared(), &imports("0.2.0-dev")), expected, "{change:?}");
    }
}

#[test]
fn all_problems_of_a_component_are_told() {
    let manifest = parse("name: shop\npermissions: []\nconfig: {}\n").expect("a manifest");
    let error = manifest.check(&declared(), &imports("0.2.0-dev")).expect_err("nothing is permitted");
    let lines = [
        "it imports `solobase:products/account@0.2.0-dev`, which needs the permission `products.read`",
        "it imports `solobase:products/claims@0.2.0-dev`, which needs the permission `claims.take`",
        "it imports `solobase:products/catalog@0.2.0-dev`, which needs the permission `products.read`",
        "it declares the effect `mail.send`, which needs the permission `effects.enqueue`",
        "it declares the configuration key `open`, which the manifest does not list",
        "it declares the configuration key `key`, which the manifest does not list",
    ];
    let line = |text: &str| format!("the manifest of `shop` does not permit the component `shop`: {text}");
    assert_eq!(error.to_string(), lines.map(line).join("\n"));
}
