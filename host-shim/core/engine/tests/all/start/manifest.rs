//! Tests of the manifest at a start: a component that the manifest does not permit is refused before any write.

use super::events::T0;
use super::toy::ToyRunner;
use host_business::folder::{BUSINESS_FILE, BusinessFolder, CATALOG_FILE};
use host_business::manifest::Manifest;
use host_business::{Setup, StartError};
use host_engine::Host;
use host_engine::clock::Clock;
use host_provider_api::Registry;
use host_store::MemoryStore;
use host_wasm_runner::runner::Runner;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use std::path::Path;

/// Starts a host with this manifest; returns the error.
fn start(manifest: &str, runner: Box<dyn Runner>) -> Result<Host, StartError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CATALOG_FILE), "{}\n").unwrap();
    std::fs::write(folder.path().join(BUSINESS_FILE), "resources: {lamp: [ensure]}\n").unwrap();
    let manifest = Manifest::parse(Path::new("manifest.yml"), manifest).unwrap();
    let setup = Setup::new(BusinessFolder::load(folder.path()).unwrap(), false, &[], Some(manifest));
    setup.start(Box::new(MemoryStore::new()), runner, Registry::new(), Clock::manual(T0)).map(|(host, _)| host)
}

fn problems(manifest: &str, runner: Box<dyn Runner>) -> Vec<String> {
    match start(manifest, runner).err().unwrap() {
        StartError::NotPermitted(error) => error.problems,
        other => panic!("{other}"),
    }
}

#[test]
fn a_library_is_checked_by_its_declarations() {
    let toy = || Box::new(ToyRunner::new(1));
    let found = problems("name: shop\neffects: [mail.send, stripe.retrieve]\n", toy());
    let expected = [
        "its name is `toy`; expected `shop`, the manifest's `name`",
        "it declares the effect `database.ensure`, which the manifest does not permit",
        "it declares the effect `database.change`, which the manifest does not permit",
        "it declares the effect `database.destroy`, which the manifest does not permit",
    ];
    assert_eq!(found, expected);
    // The toy reads only the catalog, and refuses the clauses of the business.
    let error = start("name: toy\n", toy()).err().unwrap();
    assert!(matches!(error, StartError::Catalog(_)), "{error}");
}

#[test]
fn a_component_is_checked_by_its_imports() {
    let bytes = component_builder::build("hostile-guest").unwrap();
    let loaded = LoadedComponent::load_quickly(&bytes, CallLimits::default(), None).unwrap();
    let runner = || Box::new(loaded.runner(Mode::Reused));
    let found = problems("name: hostile\npermissions: [{name: products.read}, {name: effects.enqueue}]\n", runner());
    assert_eq!(found, ["it imports `solobase:products/claims@0.2.0-dev`, which needs the permission `claims.take`"]);
    let all = "name: hostile\npermissions: [{name: products.read}, {name: claims.take}, {name: effects.enqueue}]\n";
    // The effect `lamp.ensure` of the business is not in the manifest.
    assert!(start(&format!("{all}effects: [mail.send]\n"), runner()).is_ok());
}
