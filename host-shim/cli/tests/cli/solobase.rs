//! The commands for a block on a Solobase platform, as far as they need none: the prepared business, all data as lines, and what they
//! refuse. The crate `solobase-host` tests them with a block.

use crate::run::{in_business, invoice, lines, replay, run, run_with, subscription};
use counterparts::Postgres;
use serde_json::Value;
use std::fs;

#[test]
fn a_business_is_bundled_after_all_checks_of_its_folder() {
    let ran = run(
        &["bundle", "--native", &in_business("solobase").display().to_string(), "--config", "aws_region=eu-west-1"],
        b"",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let bundle: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&bundle["name"], &bundle["livemode"]), (&Value::from("solobase"), &Value::from(false)));
    assert_eq!(bundle["config"]["aws_region"], "eu-west-1");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("catalog.yml"), "product_typos: []\n").expect("written");
    let ran = run(&["bundle", "--native", &folder.path().display().to_string()], b"");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("catalog.yml:1: ") && ran.stderr.contains("product_typos"), "{}", ran.stderr);
}

#[test]
fn a_plain_secret_gets_into_no_bundle() {
    let folder = in_business("solobase").display().to_string();
    let ran = run(&["bundle", "--native", &folder, "--config", "b2_app_key=K005-plain"], b"");
    assert!(ran.code == 2 && ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.contains("`b2_app_key` is a secret") && !ran.stderr.contains("K005-plain"), "{}", ran.stderr);
    let ran = run(&["bundle", "--native", &folder, "--config", "b2_app_key=secret:config/b2_app_key"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let bundle: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(bundle["config"]["b2_app_key"], "secret:config/b2_app_key");
}

#[test]
fn all_data_moves_between_stores_with_the_same_state() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let events = lines(&[subscription("evt_1"), invoice("evt_2")]);
    let ran = replay(&["--business", "solobase", "--store", &path("a.db"), "-"], &events);
    assert_eq!(ran.code, 0, "{ran:?}");
    let database = postgres.database("moved");
    let variables = [("DATABASE_URL", database.as_str())];
    let export = |store: &str, to: &str| {
        let ran = run_with(&["export", "--all", "--store", store, "-o", &path(to)], b"", &variables);
        assert_eq!(ran.code, 0, "{ran:?}");
        let lines = fs::read_to_string(path(to)).expect("written").lines().count();
        let (parts, state) = ran.stderr.trim().split_once(", state ").expect("the state");
        assert_eq!(parts, format!("exported {lines} parts"));
        state.to_owned()
    };
    let import = |from: &str, store: &str| run_with(&["import", &path(from), "--store", store], b"", &variables);
    let state = export(&path("a.db"), "a.jsonl");
    let (sqlite, told) = (format!("sqlite:{}", path("b.db")), format!("parts, state {state}\n"));
    for (store, to) in [("env:DATABASE_URL", "b.jsonl"), (&sqlite, "c.jsonl")] {
        let ran = import("a.jsonl", store);
        assert!(ran.code == 0 && ran.stdout.ends_with(&told), "{store}: {ran:?}");
        assert_eq!(export(store, to), state);
        assert_eq!(fs::read(path(to)).expect("read"), fs::read(path("a.jsonl")).expect("read"), "{store}");
        let again = import("a.jsonl", store);
        assert!(again.code == 1 && again.stderr.contains("is not empty"), "{store}: {again:?}");
    }
    let all = fs::read_to_string(path("a.jsonl")).expect("read");
    fs::write(path("d.jsonl"), format!("{all}{{}}\n")).expect("written");
    let ran = import("d.jsonl", &format!("sqlite:{}", path("d.db")));
    assert!(ran.code == 1 && ran.stderr.contains(&format!("line {}: ", all.lines().count() + 1)), "{ran:?}");
}

#[test]
fn a_migration_between_any_two_stores_keeps_the_state() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let events = lines(&[subscription("evt_1"), invoice("evt_2")]);
    let ran =
        replay(&["--business", "solobase", "--store", &folder.path().join("a.db").display().to_string(), "-"], &events);
    assert_eq!(ran.code, 0, "{ran:?}");
    let databases = ["one", "other"].map(|name| postgres.database(name));
    let variables = [("ONE_URL", databases[0].as_str()), ("OTHER_URL", databases[1].as_str())];
    let export = |store: &str| {
        let ran = run_with(&["export", "--all", "--store", store], b"", &variables);
        assert_eq!(ran.code, 0, "{store}: {ran:?}");
        let (_, state) = ran.stderr.trim().split_once(", state ").expect("the state");
        (state.to_owned(), ran.stdout)
    };
    let stores = [file("a.db"), file("b.db"), "env:ONE_URL".to_owned(), "env:OTHER_URL".to_owned(), file("c.db")];
    let first = export(&stores[0]);
    for (from, to) in stores.iter().zip(&stores[1..]) {
        let ran = run_with(&["migrate", "--from", from, "--to", to], b"", &variables);
        assert!(ran.code == 0 && ran.stdout.contains(&first.0), "{from} {to}: {ran:?}");
        assert_eq!(export(to), first, "{from} {to}");
    }
}

#[test]
fn what_a_command_for_a_block_misses_is_told() {
    let url = "https://example.com/b/provisioner";
    let key = [("SOLOBASE_SERVICE_KEY", "key-of-the-service")];
    for (words, variables, told) in [
        (&["outbox"][..], &key[..], "expected --solobase URL"),
        (&["outbox", "--solobase", url], &[], "the variable `SOLOBASE_SERVICE_KEY` is missing"),
        (&["outbox", "--solobase", url], &key, "expected --providers"),
        (&["outbox", "--solobase", "http://example.com/b/x"], &key, "--solobase: `http://example.com/b/x` is not"),
        (&["import", "missing.jsonl", "--solobase", url], &key, "missing.jsonl"),
        (&["import", "missing.jsonl"], &[], "--store"),
        (&["export", "--all"], &[], "--store"),
        (&["export", "--all", "--store", "sqlite:missing.db"], &[], "missing.db"),
        (&["export", "user:a", "--solobase", url], &key, "only --all reads from a block"),
    ] {
        let ran = run_with(words, b"", variables);
        assert!(ran.code == 2 && ran.stderr.contains(told), "{words:?}: {ran:?}");
        assert!(!ran.stderr.contains("key-of-the-service"), "{words:?}");
    }
    // Nobody listens there: the worker ends with `--once`.
    let words = ["outbox", "--solobase", "http://127.0.0.1:9/b/x", "--providers", "local", "--once"];
    let ran = run_with(&words, b"", &key);
    assert!(ran.code == 1 && ran.stderr.contains("/outbox/lease: no answer"), "{ran:?}");
}
