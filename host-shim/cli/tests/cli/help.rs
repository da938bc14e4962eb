//! The help texts, compared with golden files. `UPDATE_GOLDEN=1` rewrites the files; review the difference.

use crate::run::run;
use std::fs;
use std::path::Path;

fn golden(name: &str, args: &[&str]) {
    let ran = run(args, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &ran.stdout).expect("written");
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(ran.stdout, known, "{name} differs; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn help_of_replay() {
    golden("replay-help.txt", &["replay", "--help"]);
}

#[test]
fn help_of_serve() {
    golden("serve-help.txt", &["serve", "--help"]);
}

#[test]
fn help_of_api() {
    golden("api-help.txt", &["api", "--help"]);
}

#[test]
fn help_of_users() {
    golden("users-help.txt", &["users", "--help"]);
}

#[test]
fn help_of_keys() {
    golden("keys-help.txt", &["keys", "--help"]);
}

#[test]
fn help_of_tables() {
    golden("tables-help.txt", &["tables", "--help"]);
}

#[test]
fn help_of_verify() {
    golden("verify-help.txt", &["verify", "--help"]);
}

#[test]
fn help_of_compare() {
    golden("compare-help.txt", &["compare", "--help"]);
}

#[test]
fn help_of_inspect() {
    golden("inspect-help.txt", &["inspect", "--help"]);
}

#[test]
fn help_of_export() {
    golden("export-help.txt", &["export", "--help"]);
}

#[test]
fn help_of_check_wit() {
    golden("check-wit-help.txt", &["check-wit", "--help"]);
}

#[test]
fn help_of_secrets() {
    golden("secrets-help.txt", &["secrets", "--help"]);
}

#[test]
fn help_of_schema() {
    golden("schema-help.txt", &["schema", "--help"]);
}

#[test]
fn the_schemas_are_those_of_the_documentation() {
    for name in ["scenario", "catalog", "business"] {
        let ran = run(&["schema", name], b"");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schemas/{name}.json"));
        assert_eq!((ran.code, ran.stdout), (0, fs::read_to_string(file).expect("the schema")), "{}", ran.stderr);
    }
    assert_eq!(run(&["schema", "no-such"], b"").code, 2);
}

#[test]
fn help_of_check() {
    golden("check-help.txt", &["check", "--help"]);
}

#[test]
fn help_of_profile() {
    golden("profile-help.txt", &["profile", "--help"]);
}

#[test]
fn help_of_coverage() {
    golden("coverage-help.txt", &["coverage", "--help"]);
}

#[test]
fn help_of_explore() {
    golden("explore-help.txt", &["explore", "--help"]);
}
