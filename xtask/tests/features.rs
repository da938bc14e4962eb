//! Tests that `cargo xtask`, `cargo xtask replay`, `cargo xtask test` and its longer groups share the builds of their dependencies. Cargo
//! compiles a dependency again for each other set of features.

use component_builder::workspace_root as root;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use xtask::test::Extent;

/// Feature sets by package and version.
type Builds = BTreeMap<String, BTreeSet<String>>;

/// Beginnings of the packages that the tests need with more features than the program `replay`. Only crates of the workspace depend on
/// them, and they compile in seconds.
const OTHERWISE_IN_TESTS: [&str; 5] = ["regex v", "regex-automata v", "regex-syntax v", "syn v2.", "wit-component v"];

/// Returns the feature sets of the dependencies of a build.
fn builds(selection: &[&str]) -> Builds {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let format = ["--prefix", "none", "--format", "{p} [{f}]", "--locked"];
    let output = Command::new(cargo).arg("tree").args(selection).args(format).current_dir(root()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = Builds::new();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // An empty line stands between two members of the workspace.
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.trim_end_matches(" (*)").rsplit_once(" [").expect("a package and features");
        // Crates of the workspace have a path.
        let is_own = package.contains(&root().display().to_string());
        if !is_own {
            let package = package.trim_end_matches(" (proc-macro)").to_owned();
            found.entry(package).or_default().insert(features.trim_end_matches(']').to_owned());
        }
    }
    found
}

/// Returns the packages that both builds need, with other features.
fn different(first: &Builds, second: &Builds) -> Vec<String> {
    let shared = first.iter().filter_map(|(package, features)| Some((package, features, second.get(package)?)));
    shared.filter(|(_, one, other)| one != other).map(|(package, ..)| package.clone()).collect()
}

#[test]
fn the_commands_share_the_builds_of_dependencies() {
    let built = ["--edges", "normal,build"];
    let xtask = builds(&[["--package", "xtask"].as_slice(), &built].concat());
    let replay = builds(&[["--package", "host-replay", "--package", "component-builder"].as_slice(), &built].concat());
    let tests = builds(&["--edges", "normal,build,dev", "--features", xtask::test::FEATURES]);
    assert!(xtask.len() > 20 && replay.len() > 100 && tests.len() > 200, "cargo lists too few packages");

    let is_known = |package: &String| OTHERWISE_IN_TESTS.iter().any(|begin| package.starts_with(begin));
    let of_tests: Vec<String> = different(&replay, &tests).into_iter().filter(|package| !is_known(package)).collect();
    let advice = "request the same features in xtask/shared-features/Cargo.toml";
    assert_eq!(different(&xtask, &replay), [""; 0], "compiled again for `cargo xtask replay`: {advice}");
    assert_eq!(of_tests, [""; 0], "compiled again for `cargo xtask test`: {advice}");

    let selection = Extent::Whole.selection().expect("cargo lists the packages");
    let selection: Vec<&str> = selection.iter().map(String::as_str).collect();
    let whole = builds(&[["--edges", "normal,build,dev"].as_slice(), &selection].concat());
    assert!(whole.len() > tests.len(), "the longer groups need the SDKs of clouds");
    assert_eq!(different(&tests, &whole), [""; 0], "compiled again for `cargo xtask test --all`: {advice}");
}
