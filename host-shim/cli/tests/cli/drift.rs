//! `host-shim drift`: orphans are reported, and destroyed only on request.

use crate::run::{Ran, SECRETS_KEY, lines, run_with, subscription};
use std::path::Path;

fn drift(folder: &Path, store: &str, more: &[&str]) -> Ran {
    let path = |name: &str| folder.join(name).display().to_string();
    let (store, world) = (path(store), path("world"));
    let args = [&["drift", "--providers", "local", "--world", &world, "--store", &store], more].concat();
    run_with(&args, b"", &[SECRETS_KEY])
}

/// Replays events into a store, with or without a world folder.
fn play(folder: &Path, store: &str, events: &[serde_json::Value], has_world: bool) {
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(folder.join("events.jsonl"), lines(events)).expect("written");
    let (store, world, events) = (path(store), path("world"), path("events.jsonl"));
    let mut args = vec!["replay", "--native", "--business", "solobase", "--store", &store];
    if has_world {
        args.extend(["--providers", "local", "--world", &world]);
    }
    args.push(&events);
    let ran = run_with(&args, b"", &[SECRETS_KEY]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn an_orphan_is_reported_and_destroyed_only_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let create = serde_json::json!({
        "id": "cmd_1", "command": "instance.create", "account": "user:u1", "timestamp": "2026-01-01T00:00:01Z",
        "actor": {"kind": "user", "id": "u1"}, "payload": {"name": "Acme", "metadata": {"subdomain": "acme"}},
    });
    play(folder.path(), "store.db", &[subscription("evt_1"), create], true);
    let agrees = drift(folder.path(), "store.db", &[]);
    assert_eq!((agrees.code, agrees.stdout.as_str()), (0, "3 recorded, 3 there, 0 differences\n"), "{agrees:?}");
    // The other store does not record these resources.
    play(folder.path(), "other.db", &[subscription("evt_1")], false);
    let report = drift(folder.path(), "other.db", &[]);
    assert_eq!(report.code, 1, "{report:?}");
    assert_eq!(report.stdout.lines().filter(|line| line.starts_with("orphan ")).count(), 3, "{}", report.stdout);
    let wrong = drift(folder.path(), "other.db", &["--destroy", "bucket:inst_other/bucket"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("is not an orphan; expected one of bucket:inst_acme/bucket"), "{}", wrong.stderr);
    let one = drift(folder.path(), "other.db", &["--destroy", "bucket:inst_acme/bucket"]);
    assert!(one.stderr.contains("destroyed bucket:inst_acme/bucket"), "{}", one.stderr);
    assert!(one.stdout.ends_with("0 recorded, 2 there, 2 differences\n"), "{}", one.stdout);
    // A recorded resource can't be destroyed.
    let recorded = drift(folder.path(), "store.db", &["--destroy", "database:inst_acme/database"]);
    assert_eq!(recorded.code, 2, "{recorded:?}");
    let lost = drift(folder.path(), "store.db", &["--format", "json"]);
    let kinds: Vec<String> = lost.lines().iter().filter_map(|line| line["drift"].as_str().map(str::to_owned)).collect();
    assert_eq!((lost.code, kinds), (1, vec!["lost".to_owned()]));
}
