//! What was released goes on running: each folder of `tests/released` is a version of the contract with a component that was
//! built against it, and a business that it runs.

use end_to_end::world::root;
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::fs;
use std::io;
use std::path::PathBuf;
use wasm_runner::wasm::{Limits, LoadedComponent, Mode};

/// The released versions, oldest first.
fn versions() -> Vec<String> {
    let entries = fs::read_dir(root().join("tests/released")).expect("the folder of what was released");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut versions: Vec<String> = names.collect();
    versions.sort();
    assert!(!versions.is_empty());
    versions
}

fn folder(version: &str) -> PathBuf {
    root().join("tests/released").join(version)
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The version of a contract's package.
fn version_of(wit: &str) -> &str {
    let package = wit.lines().find_map(|line| line.strip_prefix("package solobase:products@")?.strip_suffix(';'));
    package.expect("a package with a version")
}

#[test]
fn the_contract_of_a_released_version_never_changes() {
    let now = text("wit/products.wit");
    for version in versions() {
        let released = text(&format!("wit/released/{version}/products.wit"));
        assert_eq!(version_of(&released), version);
        if version_of(&now) == version {
            assert!(
                now == released,
                "wit/products.wit says {version}, which is released: a change needs another version"
            );
        }
    }
}

#[test]
fn a_component_of_a_released_version_goes_on_running() {
    for version in versions() {
        let bytes = fs::read(folder(&version).join("instance-provisioner.wasm")).expect("its component");
        let component = LoadedComponent::load(&bytes, Limits::default(), None).expect("it can be loaded");
        let make =
            move || -> Result<Box<dyn wasm_runner::runner::Runner>, _> { Ok(Box::new(component.runner(Mode::Reused))) };
        let options = ReplayOptions::new(Runners::new("released", make));
        let business = folder(&version).join("podcasts");
        let finished = replay(&[business], &mut io::empty(), &options, &mut Silent).expect("its business is right");
        let told: Vec<String> = failures(&finished.cases)
            .iter()
            .map(|told| format!("{}: {}: {}", told.failure.file.display(), told.heading(), told.failure.title))
            .collect();
        assert_eq!(told, [""; 0], "{version}");
        assert!(finished.cases.len() >= 10, "{version}: {} cases", finished.cases.len());
        let state = text(&format!("tests/released/{version}/state.txt"));
        assert_eq!(finished.summary.state, state.trim(), "{version}");
    }
}
