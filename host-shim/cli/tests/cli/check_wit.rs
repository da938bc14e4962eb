//! `provisioner check-wit`: its exit codes and messages.

use crate::run::{Ran, run};
use serde_json::json;
use std::path::Path;

const OLD: &str = "package a:b@0.2.0;\ninterface store {\n  load: func() -> string;\n  more: func();\n}\nworld extension { import store; }\n";

fn check(new: &str, args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [("old.wit", OLD), ("new.wit", new)].map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.display().to_string()
    });
    let mut all = vec!["check-wit", &files[0], &files[1]];
    all.extend(args);
    run(&all, b"")
}

#[test]
fn a_compatible_contract_returns_0_and_a_breaking_change_returns_1_with_advice() {
    let same = check(OLD, &[]);
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert!(same.stdout.contains("nothing differs"), "{}", same.stdout);
    let added = check(&OLD.replace("  more", "  all: func();\n  more"), &[]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert!(added.stdout.contains("fits    a:b/store.all: the function was added"), "{}", added.stdout);
    assert!(added.stdout.contains("version: 0.2.0 after 0.2.0 is too low, it needs 0.2.1"), "{}", added.stdout);
    let removed = check(&OLD.replace("  more: func();\n", "").replace("0.2.0", "0.3.0"), &[]);
    assert_eq!(removed.code, 1, "{}", removed.stderr);
    assert!(removed.stdout.contains("breaks  a:b/store.more: the function was removed"), "{}", removed.stdout);
    assert!(removed.stdout.contains("build them again\nversion: 0.3.0 after 0.2.0\n"), "{}", removed.stdout);
}

#[test]
fn json_has_a_line_per_difference_and_a_summary() {
    let ran = check(&OLD.replace("-> string", "-> u32"), &["--format", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let lines = ran.lines();
    assert_eq!(lines[0]["change"]["what"], "the function was `() -> string`, is `() -> u32`");
    assert_eq!(lines[0]["change"]["breaks"], true);
    let summary = ran.summary();
    assert_eq!((&summary["fits"], &summary["needs"], &summary["changes"]), (&json!(false), &json!("0.3.0"), &json!(1)));
}

#[test]
fn an_unreadable_contract_returns_exit_code_2() {
    let ran = check("package a:b;\ninterface {", &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("new.wit") && ran.stderr.contains("expected a .wit file"), "{}", ran.stderr);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let [file, folder] = ["wit/products.wit", "wit"].map(|path| root.join(path).display().to_string());
    assert_eq!(run(&["check-wit", &file, &folder], b"").code, 0);
}
