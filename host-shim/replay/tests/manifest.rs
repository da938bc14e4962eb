//! `manifest.yml`, from which a host knows how to load the extension, against what the extension declares itself.

use host_replay::business::BusinessFolder;
use host_replay::tree::Node;
use instance_provisioner::Provisioner;
use products_contract::{ConfigType, Declarations, Extension};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
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
fn types_effects_and_the_contract_are_those_that_the_extension_declares() {
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

/// Names of the functions of an interface.
fn functions<'a>(wit: &'a str, interface: &str) -> Vec<&'a str> {
    let (_, from) = wit.split_once(&format!("\ninterface {interface} {{")).expect("the interface");
    let (body, _) = from.split_once("\n}").expect("the end of the interface");
    body.lines().filter_map(|line| line.trim().split_once(": func(").map(|(name, _)| name)).collect()
}

// covers: SOL-47
#[test]
fn every_hook_is_handled_by_the_only_way_in() {
    let (manifest, declared) = (manifest(), declared());
    let wit = std::fs::read_to_string(root().join("wit/products.wit")).expect("the contract");
    assert_eq!(functions(&wit, "events"), ["handle"]);
    let hooks = manifest["hooks"].as_array().expect("a list");
    assert!(!hooks.is_empty());
    for hook in hooks {
        assert_eq!(hook["handler"], "events.handle", "{hook}");
    }
    for schedule in manifest["schedules"].as_array().expect("a list") {
        assert!(declared.effects.iter().any(|decl| schedule["effect"] == decl.kind.as_str()), "{schedule}");
    }
}

// covers: SOL-45
#[test]
fn configuration_is_that_which_the_extension_declares_with_its_variables_and_secrets() {
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
fn what_hosting_is_configured_with_is_declared_by_its_own_folder() {
    let business = BusinessFolder::load(&root().join("fixtures/solobase")).expect("a business");
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
fn what_is_written_for_this_business_alone_is_within_the_800_lines_of_its_plan() {
    let folder = root().join("fixtures/solobase");
    let own = ["catalog.yml", "business.yml", "config.yml"]
        .map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default());
    let lines = own.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).count();
    assert!((1..=800).contains(&lines), "{lines} lines");
}
