//! `provisioner compare` from outside: its exit codes and JSON lines.

use crate::run::{component, in_business, replay, run};
use std::fs;

fn scenario() -> String {
    in_business("full-podcasts/scenarios/plan.yml").display().to_string()
}

#[test]
fn comparing_the_library_with_itself_returns_exit_code_0() {
    let ran = run(&["compare", "native", "native", &scenario()], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.starts_with("OLD native\nNEW native\n") && ran.stdout.contains("no difference in "),
        "{}",
        ran.stdout
    );
    let ran = run(&["compare", "native", "native", "--format", "json", &scenario()], b"");
    let summary = ran.summary();
    assert_eq!(
        (&summary["differs"], &summary["differences"], &summary["record"]),
        (&false.into(), &0.into(), &().into())
    );
    assert_eq!(ran.lines().len(), 1);
}

#[test]
fn a_component_does_not_use_more_fuel_than_itself() {
    // A component compared with itself has no difference in fuel.
    let (_folder, file) = component();
    let within = run(&["compare", &file, &file, "--fuel-within", "0", "--format", "json", &scenario()], b"");
    assert_eq!(within.code, 0, "{}", within.stderr);
    let fuel = within.lines().into_iter().find(|line| line["fuel"]["kind"] == "customer.subscription.created");
    let fuel = fuel.expect("a line for its fuel")["fuel"].clone();
    assert_eq!((&fuel["old"], &fuel["too_much"]), (&fuel["new"], &false.into()));
    assert!(fuel["old"].as_u64().is_some_and(|fuel| fuel > 10_000), "{fuel}");
}

#[test]
fn the_old_component_reads_the_businesses_of_its_own_folder() {
    let before = tempfile::tempdir().expect("a folder");
    let of_old = before.path().join("shops/full-podcasts");
    fs::create_dir_all(&of_old).expect("a folder");
    let catalog = fs::read_to_string(in_business("full-podcasts/catalog.yml")).expect("a catalog");
    let compare = |folder: &str| run(&["compare", "native", "native", &scenario(), "--old-businesses", folder], b"");
    let with = |text: &str| {
        fs::write(of_old.join("catalog.yml"), text).expect("written");
        compare(&before.path().display().to_string())
    };
    let same = with(&catalog);
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    let refused = with(&catalog.replace("\nentitlements:", "\nentitlement:"));
    assert!(refused.code == 2 && refused.stderr.contains("unknown field `entitlement`"), "{}", refused.stderr);
    let elsewhere = compare("nowhere");
    assert!(elsewhere.code == 2 && elsewhere.stderr.starts_with("error: nowhere: "), "{}", elsewhere.stderr);
    let without = compare(&of_old.display().to_string());
    assert!(
        without.code == 2 && without.stderr.contains("shops/full-podcasts/full-podcasts/catalog.yml"),
        "{}",
        without.stderr
    );
}

#[test]
fn the_log_of_a_replay_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let podcasts = in_business("full-podcasts").display().to_string();
    let command = r#"{"id":"c1","command":"instance.create","account":"user:ana","timestamp":"2026-01-01T00:00:00Z","actor":{"kind":"user","id":"ana"},"payload":{"name":"A","metadata":{"label":"first-show"}}}"#;
    std::fs::write(at("log.jsonl"), command).expect("written");
    let kept = replay(&["--business", &podcasts, "--store", &at("log.db"), &at("log.jsonl")], b"");
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let ran = run(
        &["compare", "native", "native", "--business", &podcasts, "--store", &at("log.db"), "--format", "json"],
        b"",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let record = ran.summary()["record"].clone();
    assert_eq!(record["differing"], 0, "{record}");
    assert!(
        record["events"].as_u64().is_some_and(|events| events > 2),
        "the catalog, the command and its effects: {record}"
    );
}

#[test]
fn bad_usage_and_bad_input_are_exit_code_2() {
    let path = scenario();
    for (args, message) in [
        (vec!["native", "native"], "required"),
        (vec!["native", "native", "--store", "no-such.db"], "no-such.db: no such file; expected a store"),
        (vec!["native", "native", "--store", "x.db", path.as_str()], "cannot be used with"),
        (vec!["native", "no-such.wasm", path.as_str()], "no-such.wasm"),
        (vec!["native", "native", "--allow", "effect", path.as_str()], "expected one of outcome, reply, effects"),
        (
            vec!["native", "native", "--only", "2001-01-01", path.as_str()],
            "nothing is played in API version 2001-01-01",
        ),
        (vec!["native", "native", "no-such.yml"], "no such file or folder"),
        (vec!["native", "native", "-"], "standard input can be read once"),
    ] {
        let ran = run(&[&["compare"], args.as_slice()].concat(), b"");
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
    }
}
