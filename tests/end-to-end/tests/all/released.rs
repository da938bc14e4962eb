//! Released contracts never change: `wit/released/VERSION/products.wit` has the text of the contract of a release, and
//! the contract under development must have another version as soon as its text differs.

use end_to_end::world::root;
use std::fs;
use std::path::Path;

/// Name of the contract's file.
const FILE: &str = "products.wit";

/// Returns the version in the package name of a contract.
fn version_of(wit: &str) -> &str {
    let package = wit.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';')?.split_once('@'));
    package.expect("a package with a version").1
}

/// Returns what is wrong with the contracts in a folder, one line for each released version that has changed.
fn problems(wit: &Path) -> Vec<String> {
    let now = fs::read_to_string(wit.join(FILE)).expect("the contract");
    // Before the first release there is no such folder.
    let Ok(entries) = fs::read_dir(wit.join("released")) else { return Vec::new() };
    let versions = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut problems = Vec::new();
    for version in versions {
        let released = fs::read_to_string(wit.join("released").join(&version).join(FILE)).expect("a released contract");
        if version_of(&released) != version {
            problems.push(format!("the contract in released/{version} has version {}", version_of(&released)));
        }
        if version_of(&now) == version && now != released {
            problems.push(format!("{FILE} has version {version}, which is released: a change needs a new version"));
        }
    }
    problems
}

#[test]
fn the_contract_of_a_released_version_never_changes() {
    assert_eq!(problems(&root().join("wit")), [""; 0]);
}

#[test]
fn a_change_of_a_released_contract_needs_a_new_version() {
    let wit = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| fs::write(wit.path().join(file), text).expect("written");
    let first = "package a:b@0.1.0;\ninterface store {\n  load: func() -> string;\n}\n";
    let changed = first.replace("string", "u32");
    write(FILE, first);
    assert_eq!(problems(wit.path()), [""; 0], "nothing is released");
    fs::create_dir_all(wit.path().join("released/0.1.0")).expect("a folder");
    write("released/0.1.0/products.wit", first);
    assert_eq!(problems(wit.path()), [""; 0], "the released contract is the one under development");
    write(FILE, &changed);
    let expected = "products.wit has version 0.1.0, which is released: a change needs a new version";
    assert_eq!(problems(wit.path()), [expected]);
    write(FILE, &changed.replace("0.1.0", "0.2.0"));
    assert_eq!(problems(wit.path()), [""; 0], "the change has a new version");
    write("released/0.1.0/products.wit", &changed.replace("0.1.0", "0.2.0"));
    assert_eq!(problems(wit.path()), ["the contract in released/0.1.0 has version 0.2.0"]);
}
