//! The files of `cargo xtask build` load as a platform loads them.

use crate::stand_in::{configuration, manifest};
use component_builder::block_package;
use serde_json::Value;
use solobase_host::database::Database;
use solobase_host::guest::Guest;
use solobase_host::services::Services;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn load(folder: &Path) -> Result<Guest, String> {
    let database = Database::open(None, true).expect("opened");
    let services = Arc::new(Services::new(database, configuration(), 0));
    Guest::load(folder, services, None).map_err(|error| error.to_string())
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn the_folder_of_the_block_loads_with_name_and_version_of_the_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    block_package(folder.path(), Some("https://example.com/block.wasm")).expect("made");
    let names = fs::read_dir(folder.path()).expect("read").map(|entry| entry.expect("read").file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["block.wasm", "manifest.json", "wafer.toml"]);
    let guest = load(folder.path()).expect("loaded");
    let info = guest.info().expect("told");
    assert_eq!(guest.name, extension_block::NAME);
    let text = fs::read_to_string(folder.path().join("manifest.json")).expect("read");
    let registry: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(registry["name"], info["name"]);
    assert_eq!(registry["latest"], info["version"]);
    assert_eq!(registry["summary"], info["summary"]);
    assert_eq!(guest.name.split_once('/').map(|(_, name)| name), Some(manifest().name.as_str()));
    let version = info["version"].as_str().expect("a text");
    assert_eq!(registry["versions"][version]["wasm_url"], "https://example.com/block.wasm");

    let file = folder.path().join("wafer.toml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, text.replace("name = \"instance-", "name = \"another-")).expect("written");
    let refused = load(folder.path()).err().expect("refused");
    assert!(refused.contains("extensions/another-provisioner"), "{refused}");
}
