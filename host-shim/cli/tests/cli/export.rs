//! `provisioner export`: an account of a replay's store is exported as a scenario that can be replayed.

use crate::run::{Ran, copy_folder, in_business, invoice, lines, replay, run, subscription};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Makes a store by replaying two events of user `u1`.
fn kept(folder: &Path) -> PathBuf {
    let store = folder.join("x.db");
    let mut paying = invoice("evt_2");
    paying["data"]["object"]["customer_email"] = json!("anna@firm.example.org");
    let ran = replay(
        &["--business", "solobase", "--store", &store.display().to_string(), "-"],
        &lines(&[subscription("evt_1"), paying]),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    store
}

fn export(args: &[&str], store: &Path) -> Ran {
    let store = store.display().to_string();
    let mut all = vec!["export", "--native", "--store", &store];
    all.extend(args);
    run(&all, b"")
}

#[test]
fn a_log_is_stored_and_exported_as_a_scenario_that_replays() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = kept(folder.path());
    let story = folder.path().join("story.yml");
    let file = story.display().to_string();
    for plain in [true, false] {
        let mut args = vec!["user:u1", "-o", &file];
        args.extend(plain.then_some("--plain"));
        let ran = export(&args, &store);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("2 events; replays to the same state: "), "{}", ran.stderr);
        let text = std::fs::read_to_string(&story).expect("the scenario");
        assert_eq!(text.contains("anna@firm.example.org"), plain, "{text}");
        let ran = replay(&[&file], b"");
        assert_eq!(ran.code, 0, "{}\n{}\n{text}", ran.stdout, ran.stderr);
    }
}

#[test]
fn an_event_selects_its_account_and_json_has_the_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = kept(folder.path());
    let file = folder.path().join("story.yml").display().to_string();
    let ran = export(&["--event", "evt_2", "--format", "json", "-o", &file], &store);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary = ran.summary();
    assert_eq!((&summary["events"], &summary["differences"]), (&json!(2), &json!([])));
    assert_eq!(summary["state"].as_str().map(str::len), Some(64));
    let text = std::fs::read_to_string(&file).expect("the scenario");
    assert!(text.contains("account: user:u1"), "{text}");
}

#[test]
fn a_catalog_other_than_the_recorded_one_is_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = kept(folder.path());
    let business = folder.path().join("solobase");
    copy_folder(&in_business("solobase"), &business);
    let catalog = business.join("catalog.yml");
    let text = std::fs::read_to_string(&catalog).expect("the catalog");
    std::fs::write(&catalog, text.replace("Hobby", "Hobbies")).expect("written");
    let ran = export(&["user:u1", "--business", &business.display().to_string()], &store);
    assert!(ran.stderr.contains("decisions may differ"), "{}", ran.stderr);
    assert!(ran.stdout.contains("# Note: the events were decided by catalog and configuration"), "{}", ran.stdout);
}

#[test]
fn missing_accounts_and_events_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = kept(folder.path());
    for (args, message) in [
        (vec!["user:nobody"], "user:u1"),
        (vec!["nobody"], "expected `platform`, `user:ID`"),
        (vec!["--event", "evt_9"], "evt_9"),
        (vec!["user:u1", "--format", "json"], "--output FILE"),
        (vec!["user:u1", "--live"], "live mode"),
        (vec!["user:u1", "--business", "twobot"], "solobase"),
        (vec!["user:u1", "--config", "x"], "KEY=VALUE"),
    ] {
        let ran = export(&args, &store);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
    }
    let ran = export(&["user:u1"], &folder.path().join("none.db"));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!folder.path().join("none.db").exists());
}
