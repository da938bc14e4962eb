//! The project's card names packages and folders. Each is there: a package is a dependency, and a folder has its crate or its files.

use component_builder::workspace_root as root;
use std::fs;
use std::path::PathBuf;
use xtask::packages::{self, Package};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn packages() -> Vec<Package> {
    packages::all().expect("the crates of the workspace")
}

/// Returns the folders of the crates that depend on a package, below the root.
fn users(name: &str) -> Vec<String> {
    let root = root().canonicalize().expect("the root");
    let of = |package: &Package| {
        let folder = package.folder().strip_prefix(&root).unwrap_or(package.folder()).to_owned();
        package.depends_on(name).then(|| folder.display().to_string())
    };
    packages().iter().filter_map(of).collect()
}

fn assert_used(name: &str, by: &str) {
    let users = users(name);
    assert!(users.iter().any(|user| user == by), "{by} uses {name}: {users:?}");
}

// covers: CARD-01
#[test]
fn the_component_has_bindings_of_wit_bindgen() {
    assert_used("wit-bindgen", "extension/component");
    assert!(read("generated/guest.rs").contains("wit_bindgen"), "bindings are committed");
}

// covers: CARD-02
#[test]
fn the_host_runs_components_in_wasmtime() {
    assert_used("wasmtime", "host-shim/core/wasm-runner");
}

// covers: CARD-03, CARD-04
#[test]
fn the_extension_reads_and_writes_json_with_serde() {
    assert_used("serde", "extension");
    assert_used("serde_json", "extension");
}

// covers: CARD-05, CARD-06
#[test]
fn functions_and_buckets_at_aws_are_made_with_its_sdk() {
    assert_used("aws-sdk-lambda", "host-shim/providers/aws");
    assert_used("aws-sdk-s3", "host-shim/providers/aws");
}

// covers: CARD-07
#[test]
fn the_command_line_reports_errors_with_anyhow() {
    assert_used("anyhow", "host-shim/cli");
}

// covers: CARD-08
#[test]
fn cargo_component_builds_the_component_as_well() {
    assert!(read("xtask/src/cargo_component.rs").contains("name: \"cargo-component\""), "the tool");
    assert!(read("xtask/src/test.rs").contains("group(\"cargo-component\""), "a group of the checks");
}

// covers: CARD-09
#[test]
fn async_stripe_calls_stripe_and_the_local_stripe() {
    assert_used("async-stripe-client-core", "host-shim/providers/stripe");
    assert!(
        read("local-stripe/clients/async-stripe/Cargo.toml").contains("\nasync-stripe = "),
        "a client of the tests"
    );
}

/// Returns the members of a folder.
fn members(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

// covers: CARD-10, CARD-11
#[test]
fn the_component_and_the_host_are_crates_of_their_own() {
    let folders: Vec<String> = packages().iter().map(|package| package.folder().display().to_string()).collect();
    for folder in ["extension/component", "host-shim/cli"] {
        assert!(folders.iter().any(|known| known.ends_with(folder)), "{folder}");
    }
    assert!(read("extension/component/Cargo.toml").contains("cdylib"), "a component is a dynamic library");
}

// covers: CARD-12
#[test]
fn five_businesses_are_fixtures_with_scenarios() {
    for business in ["solobase", "twobot", "saas-plugins", "orchestra", "tesslate"] {
        assert!(root().join("fixtures").join(business).join("catalog.yml").is_file(), "{business}");
        assert!(members(&format!("fixtures/{business}/scenarios/requirements")).len() > 20, "{business}");
    }
}

// covers: CARD-13
#[test]
fn the_dashboard_is_a_page_of_the_server() {
    let page = read("host-shim/core/business/built-in/pages/dashboard.html");
    assert!(page.contains("path: /dashboard") && page.contains("who: user"), "{page}");
}
