//! The files of `cargo xtask build` load as a platform loads them.

use crate::stand_in::{configuration, manifest};
use component_builder::block_package;
use host_block::store::collections;
use host_block::{BUNDLE, NAME};
use serde_json::Value;
use solobase_host::database::{Database, Period};
use solobase_host::guest::Guest;
use solobase_host::info::{BlockInfo, InputType};
use solobase_host::services::Services;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn load(folder: &Path) -> Result<Guest, String> {
    let database = Database::open(None, Period::SinceRewrite).expect("opened");
    let services = Arc::new(Services::new(database, configuration(), 0));
    Guest::load(folder, services, None).map_err(|error| error.to_string())
}

#[test]
fn the_platform_reads_what_the_block_says_about_itself() {
    let info = BlockInfo::read(host_block::info().to_string().as_bytes(), NAME).expect("a description");
    assert_eq!(info.collections.len(), collections().len());
    for key in &info.config_keys {
        let expected = if key.key == host_block::key(BUNDLE) { InputType::Textarea } else { InputType::Password };
        // The platform would look for a required key in its environment only.
        assert_eq!((key.optional, key.input_type), (true, expected), "{}", key.key);
    }
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
    let info = &guest.info;
    assert_eq!(info.name, NAME);
    let text = fs::read_to_string(folder.path().join("manifest.json")).expect("read");
    let registry: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(registry["name"], info.name);
    assert_eq!(registry["latest"], info.version);
    assert_eq!(registry["summary"], info.summary);
    assert_eq!(info.name.split_once('/').map(|(_, name)| name), Some(manifest().name.as_str()));
    assert_eq!(registry["versions"][&info.version]["wasm_url"], "https://example.com/block.wasm");

    let file = folder.path().join("wafer.toml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, text.replace("name = \"instance-", "name = \"another-")).expect("written");
    let refused = load(folder.path()).err().expect("refused");
    assert!(refused.contains("extensions/another-provisioner"), "{refused}");
}
