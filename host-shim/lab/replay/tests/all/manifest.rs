//! Compares `manifest.yml`, from which hosts load the extension, with the extension's own declarations.

use extension_contract::{ConfigType, Declarations, Extension};
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_scenario::business::BusinessFolder;
use host_scenario::tree::Node;
use instance_provisioner::Provisioner;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn manifest() -> Value {
    let file = root().join("manifest.yml");
    let text = std::fs::read_to_string(&file).expect("a manifest");
    Node::parse(&file, &text).expect("YAML").json()
}

fn declared() -> Declarations {
    Provisioner.declare()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|entry| entry.as_str().expect("a text")).collect()
}

// covers: SOL-47, D-14
#[test]
fn the_package_is_named_with_a_hyphen_and_configured_with_an_underscore() {
    let (manifest, declared) = (manifest(), declared());
    assert_eq!(manifest["name"], "instance-provisioner");
    assert_eq!(manifest["name"], declared.name.as_str());
    assert_eq!(manifest["config_key"], declared.name.replace('-', "_"));
    assert_eq!(manifest["version"], declared.version.as_str());
    assert_eq!(manifest["data_version"], declared.data_version);
}

// covers: SOL-47
#[test]
fn types_effects_and_contract_match_the_declarations() {
    let (manifest, declared) = (manifest(), declared());
    let types: Vec<&str> = declared.product_types.iter().map(|decl| decl.name.as_str()).collect();
    assert_eq!(names(&manifest["product_types"]), types);
    let effects: Vec<&str> = declared.effects.iter().map(|decl| decl.kind.as_str()).collect();
    assert_eq!(names(&manifest["effects"]), effects);
    let wit = std::fs::read_to_string(root().join("wit/products.wit")).expect("the contract");
    let package = wit.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';')).expect("a package");
    let (name, version) = package.split_once('@').expect("a version");
    assert_eq!(manifest["world"], format!("{name}/extension@{version}"));
    assert!(wit.contains("\nworld extension {"));
}

/// Returns the names of an interface's functions.
fn functions<'a>(wit: &'a str, interface: &str) -> Vec<&'a str> {
    let (_, from) = wit.split_once(&format!("\ninterface {interface} {{")).expect("the interface");
    let (body, _) = from.split_once("\n}").expect("the end of the interface");
    body.lines().filter_map(|line| line.trim().split_once(": func(").map(|(name, _)| name)).collect()
}

// covers: SOL-47
#[test]
fn every_hook_is_handled_by_the_only_entry_point() {
    let manifest = manifest();
    let wit = std::fs::read_to_string(root().join("wit/products.wit")).expect("the contract");
    assert_eq!(functions(&wit, "events"), ["handle"]);
    let hooks = manifest["hooks"].as_array().expect("a list");
    assert!(!hooks.is_empty());
    for hook in hooks {
        assert_eq!(hook["handler"], "events.handle", "{hook}");
    }
}

fn solobase() -> BusinessFolder {
    BusinessFolder::load(&root().join("fixtures/businesses/solobase")).expect("a business")
}

/// Returns the hooks whose events change the state, in the order of their delivery in this function.
fn events_that_change_something() -> Vec<&'static str> {
    let (business, config, runners, store) =
        (solobase(), Vec::new(), host_replay::native::runners(), StoreKind::Memory);
    let mut host = Rig::start(RigSetup { business, livemode: false, config, runners, store, clock: 0, live: None })
        .expect("a host");
    let mut applied = Vec::new();
    let mut deliver = |name, body: Value| {
        let decoded = host_intake::raw::read(body.to_string().into_bytes(), "solobase", 1_000).expect("an event");
        let before = host.state().expect("a state");
        let delivered = host.deliver(decoded, 1_000).expect("an outcome");
        if delivered.first.result.name() == "applied" && host.state().expect("a state") != before {
            applied.push(name);
        }
    };
    let product = |change: &str, name: &str, metadata: Value| {
        json!({"id": format!("prd_{change}"), "event": format!("product.{change}"), "timestamp": "1970-01-01T00:00:01Z",
            "actor": {"kind": "user", "id": "u1", "roles": []},
            "data": {"id": "inst_a", "product_type": "instance", "name": name, "user_id": "u1", "metadata": metadata}})
    };
    let item = json!({"id": "si_1", "price": {"id": "price_xyz789"}, "quantity": 1,
        "current_period_start": 1, "current_period_end": 2_678_401});
    deliver(
        "webhook.stripe",
        json!({"id": "evt_1", "object": "event", "type": "customer.subscription.created",
        "api_version": "2025-03-31.basil", "created": 1, "livemode": false,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_A", "status": "active",
            "metadata": {"user_id": "u1"}, "items": {"object": "list", "data": [item], "has_more": false}}}}),
    );
    deliver("product.created", product("created", "A", json!({"subdomain": "app-a", "status": "provisioning"})));
    deliver("product.updated", product("updated", "Another", json!({"subdomain": "app-a"})));
    deliver("product.deleted", product("deleted", "Another", json!({"subdomain": "app-a"})));
    applied
}

// covers: SOL-47
#[test]
fn the_hooks_of_the_manifest_are_the_events_that_change_the_state() {
    let manifest = manifest();
    let hooks =
        manifest["hooks"].as_array().expect("a list").iter().map(|hook| hook["event"].as_str().expect("a name"));
    let hooks: BTreeSet<&str> = hooks.collect();
    assert_eq!(hooks, events_that_change_something().into_iter().collect());
    assert!(declared().payment_kinds.contains(&"customer.subscription.created".to_owned()));
}

// covers: SOL-47, SOL-31
#[test]
fn the_monitor_asks_every_five_minutes() {
    let catalog = solobase().catalog;
    let watches: Vec<&Value> =
        catalog["product_types"].as_array().expect("a list").iter().filter_map(|decl| decl.get("watch")).collect();
    let [watch] = watches[..] else { panic!("one type is watched: {watches:?}") };
    assert_eq!(watch["every"], "5m");
}

/// Returns the members of the block of the contract that begins with the line `begin`.
fn members<'a>(wit: &'a str, begin: &str) -> Vec<&'a str> {
    let (_, from) = wit.split_once(begin).unwrap_or_else(|| panic!("no `{begin}`"));
    let (body, _) = from.split_once("\n    }").expect("its end");
    let lines = body.lines().filter_map(|line| line.rsplit_once("*/ ")?.1.split([',', '(', ':']).next());
    lines.map(|name| name.trim_start_matches('%')).collect()
}

// covers: SOL-47
#[test]
fn the_permissions_match_the_contract() {
    let wit = std::fs::read_to_string(root().join("wit/products.wit")).expect("the contract");
    let imports = wit.lines().filter_map(|line| line.strip_prefix("    import ")?.strip_suffix(';'));
    let of_imports = imports.filter_map(|import| match import {
        "account" | "catalog" => Some("products.read"),
        "claims" => Some("claims.take"),
        // Logging needs no permission, because it changes nothing.
        "log" => None,
        other => panic!("`{other}` has no permission"),
    });
    let rows = members(&wit, "\n    variant row-kind {");
    assert_eq!(rows.len(), 5, "{rows:?}");
    let of_rows = rows.into_iter().filter_map(|row| match row {
        "product" | "price" | "purchase" => Some("products.write"),
        "subscription" => Some("subscriptions.write"),
        // The extension's own records need no permission.
        "record" => None,
        other => panic!("rows `{other}` have no permission"),
    });
    let of_effects = members(&wit, "\n    record decision {").into_iter().filter(|member| *member == "cancel");
    let expected: BTreeSet<&str> = of_imports.chain(of_rows).chain(of_effects.map(|_| "effects.enqueue")).collect();
    let manifest = manifest();
    let permissions = manifest["permissions"].as_array().expect("a list");
    let named = permissions.iter().map(|permission| permission["name"].as_str().expect("a name"));
    assert_eq!(named.collect::<BTreeSet<&str>>(), expected);
    assert!(
        permissions.iter().all(|permission| permission["description"].as_str().is_some_and(|text| !text.is_empty()))
    );
}

// covers: SOL-45
#[test]
fn configuration_matches_the_declarations_with_variables_and_secrets() {
    let manifest = manifest();
    let config = manifest["config"].as_object().expect("a mapping");
    let declared = declared().config;
    assert_eq!(config.len(), declared.len());
    for decl in &declared {
        let entry = &config[&decl.key];
        let value_type = match decl.value_type {
            ConfigType::Text | ConfigType::Secret => "string",
            ConfigType::Integer => "integer",
            ConfigType::Boolean => "boolean",
        };
        assert_eq!(entry["type"], value_type, "{}", decl.key);
        assert_eq!(entry["required"], decl.required, "{}", decl.key);
        assert_eq!(entry["default"], json!(decl.default_value), "{}", decl.key);
        assert_eq!(entry["env"], json!(decl.env), "{}", decl.key);
        assert_eq!(entry["secret"] == json!(true), decl.value_type == ConfigType::Secret, "{}", decl.key);
    }
}

// covers: SOL-45
#[test]
fn the_hosting_configuration_is_declared_in_the_business_folder() {
    let business = solobase();
    let decl = |key: &str| business.own.config.iter().find(|decl| decl.key == key).expect("declared").clone();
    for (key, env) in
        [("b2_key_id", "B2_KEY_ID"), ("b2_app_key", "B2_APP_KEY"), ("shared_rds_endpoint", "SHARED_RDS_ENDPOINT")]
    {
        assert_eq!(decl(key).env.as_deref(), Some(env));
    }
    assert_eq!(decl("b2_app_key").value_type, ConfigType::Secret);
    assert_eq!(decl("aws_region").default_value.as_deref(), Some("us-east-1"));
}

// covers: D-15
#[test]
fn the_files_of_this_business_have_at_most_800_lines() {
    let folder = root().join("fixtures/businesses/solobase");
    let own = ["catalog.yml", "business.yml", "config.yml"]
        .map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default());
    let lines = own.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).count();
    assert!((1..=800).contains(&lines), "{lines} lines");
}
