//! The packages that the project is built on are dependencies of the crates that need them, as cargo reports it.

use xtask::packages;

/// A package, and the crate that uses it.
const USED: [(&str, &str); 9] = [
    ("wit-bindgen", "extension-component"),
    ("wasmtime", "host-wasm-runner"),
    ("serde", "instance-provisioner"),
    ("serde_json", "instance-provisioner"),
    ("aws-sdk-lambda", "host-providers"),
    ("aws-sdk-s3", "host-providers"),
    ("async-stripe-client-core", "host-providers"),
    ("anyhow", "provisioner"),
    ("rusqlite", "host-store"),
];

#[test]
fn each_package_is_a_dependency_of_the_crate_that_needs_it() {
    let all = packages::all().expect("cargo lists the crates");
    let uses =
        |(package, user): &(&str, &str)| all.iter().any(|found| found.name == *user && found.depends_on(package));
    let unused: Vec<_> = USED.iter().filter(|pair| !uses(pair)).collect();
    assert!(unused.is_empty(), "not used: {unused:?}");
}

#[test]
fn the_manifest_of_the_fuzz_targets_can_be_read() {
    let manifest = component_builder::workspace_root().join("fuzz/Cargo.toml");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
