//! `provisioner drift`: orphans are reported, and destroyed only on request.

use crate::run::{Ran, SECRETS_KEY, lines, run_with, subscription};
use counterparts::Postgres;
use std::path::Path;

fn drift(folder: &Path, store: &str, more: &[&str]) -> Ran {
    let path = |name: &str| folder.join(name).display().to_string();
    let (store, world) = (path(store), path("world"));
    let args = [&["drift", "--providers", "local", "--world", &world, "--store", &store], more].concat();
    run_with(&args, b"", &[SECRETS_KEY])
}

/// Replays events into a store, with or without a world folder.
fn play(folder: &Path, store: &str, events: &[serde_json::Value], has_world: bool) {
    play_of("solobase", folder, store, events, has_world);
}

fn play_of(business: &str, folder: &Path, store: &str, events: &[serde_json::Value], has_world: bool) {
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(folder.join("events.jsonl"), lines(events)).expect("written");
    let (store, world, events) = (path(store), path("world"), path("events.jsonl"));
    let mut args = vec!["replay", "--native", "--business", business, "--store", &store];
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
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
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
    let shown = drift(folder.path(), "other.db", &["--destroy", "bucket:inst_acme/bucket"]);
    assert!(shown.stderr.contains("would destroy bucket:inst_acme/bucket"), "{}", shown.stderr);
    assert!(shown.stdout.ends_with("0 recorded, 3 there, 3 differences\n"), "{}", shown.stdout);
    let one = drift(folder.path(), "other.db", &["--destroy", "bucket:inst_acme/bucket", "--yes"]);
    assert!(one.stderr.contains("destroyed bucket:inst_acme/bucket"), "{}", one.stderr);
    assert!(one.stdout.ends_with("0 recorded, 2 there, 2 differences\n"), "{}", one.stdout);
    // A recorded resource can't be destroyed.
    let recorded = drift(folder.path(), "store.db", &["--destroy", "database:inst_acme/database", "--yes"]);
    assert_eq!(recorded.code, 2, "{recorded:?}");
    assert!(
        recorded.stderr.contains("is in use, by inst_acme/database/ensure, generation 1, finished"),
        "{recorded:?}"
    );
    let lost = drift(folder.path(), "store.db", &["--format", "json"]);
    let kinds: Vec<String> = lost.lines().iter().filter_map(|line| line["drift"].as_str().map(str::to_owned)).collect();
    assert_eq!((lost.code, kinds), (1, vec!["lost".to_owned()]));
}

#[test]
fn compute_that_has_replaced_another_under_its_name_is_recorded_and_cannot_be_destroyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut upgrade = subscription("evt_2");
    upgrade["type"] = "customer.subscription.updated".into();
    upgrade["created"] = (upgrade["created"].as_i64().expect("a time") + 3_600).into();
    for price in ["price", "plan"] {
        upgrade["data"]["object"]["items"]["data"][0][price]["id"] = "price_professional_monthly".into();
    }
    play(folder.path(), "store.db", &[subscription("evt_1"), create(), upgrade], true);
    let agrees = drift(folder.path(), "store.db", &[]);
    assert_eq!((agrees.code, agrees.stdout.as_str()), (0, "3 recorded, 3 there, 0 differences\n"), "{agrees:?}");
    let refused = drift(folder.path(), "store.db", &["--destroy", "function:inst_acme/compute@ecs", "--yes"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("is in use, by inst_acme/compute@ecs/ensure, generation 1, finished"),
        "{refused:?}"
    );
    let after = drift(folder.path(), "store.db", &[]);
    assert_eq!(after.stdout, agrees.stdout, "nothing was destroyed");
}

#[test]
fn resources_of_a_business_that_the_store_does_not_have_are_not_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    play_of("tesslate", folder.path(), "other.db", &[subscription("evt_1")], false);
    let refused = drift(folder.path(), "other.db", &["--destroy", "bucket:inst_acme/bucket", "--yes"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let report = drift(folder.path(), "other.db", &[]);
    assert_eq!((report.code, report.stdout.as_str()), (0, "0 recorded, 0 there, 0 differences\n"), "{report:?}");
    assert!(report.stderr.contains("3 more belong to a business or mode that this store does not have"), "{report:?}");
}

#[test]
fn the_store_of_a_server_may_be_a_database() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    play(&data, "store.db", &[subscription("evt_1"), create()], true);
    std::fs::rename(data.join("world"), data.join("providers")).expect("renamed");
    let from = format!("sqlite:{}", data.join("store.db").display());
    let (address, world) = (postgres.database("moved"), data.join("providers").display().to_string());
    let variables = [("DATABASE_URL", address.as_str()), SECRETS_KEY];
    let moved = run_with(&["migrate", "--from", &from, "--to", "env:DATABASE_URL"], b"", &variables);
    assert_eq!(moved.code, 0, "{moved:?}");
    let args = ["drift", "--store", "env:DATABASE_URL", "--providers", "local"];
    let agrees = run_with(&[&args[..], &["--world", &world]].concat(), b"", &variables);
    assert_eq!((agrees.code, agrees.stdout.as_str()), (0, "3 recorded, 3 there, 0 differences\n"), "{agrees:?}");
    // A new folder has none of the resources, and without --world the secrets are not looked for.
    let lost = run_with(&args, b"", &variables);
    assert_eq!(lost.stdout.lines().filter(|line| line.starts_with("lost ")).count(), 3, "{lost:?}");
    assert!(lost.stdout.ends_with("3 recorded, 0 there, 3 differences\n"), "{lost:?}");
}

#[test]
fn resources_of_which_no_provider_has_a_list_are_counted_and_not_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    let store = folder.path().join("store.db").display().to_string();
    let report =
        run_with(&["drift", "--store", &store, "--providers", "stripe"], b"", &[("STRIPE_TEST_KEY", "sk_test_1")]);
    assert_eq!((report.code, report.stdout.as_str()), (0, "3 recorded, 0 there, 0 differences\n"), "{report:?}");
    assert!(report.stderr.contains("not compared: 1 of database, of which no provider has a list"), "{report:?}");
}

fn create() -> serde_json::Value {
    serde_json::json!({
        "id": "cmd_1", "command": "instance.create", "account": "user:u1", "timestamp": "2026-01-01T00:00:01Z",
        "actor": {"kind": "user", "id": "u1"}, "payload": {"name": "Acme", "metadata": {"subdomain": "acme"}},
    })
}

/// Returns the file of the resource of this kind.
fn record_of(folder: &Path, kind: &str) -> std::path::PathBuf {
    let resources = std::fs::read_dir(folder.join("world/local/resources")).expect("the resources");
    let mut files = resources.map(|entry| entry.expect("an entry").path().join("resource.json"));
    let is_kind = |file: &std::path::PathBuf| {
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("a record")).expect("JSON");
        record["resource"] == kind
    };
    files.find(is_kind).expect("a resource of this kind")
}

#[test]
fn a_broken_record_is_one_line_and_the_others_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    std::fs::write(record_of(folder.path(), "bucket"), "{").expect("a broken record");
    let report = drift(folder.path(), "store.db", &[]);
    let lines: Vec<&str> = report.stdout.lines().collect();
    assert_eq!((report.code, lines.len()), (1, 2), "{report:?}");
    assert!(lines[0].starts_with("broken ") && lines[0].contains("bucket:inst_acme/bucket"), "{report:?}");
    assert_eq!(lines[1], "3 recorded, 2 there, 1 differences");
}

#[test]
fn drift_looks_at_a_folder_whose_port_another_program_has() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    let port = std::fs::read_to_string(folder.path().join("world/local/port.json")).expect("the port");
    let port: u16 = port.trim().parse().expect("a port");
    // As beside a running server, or with a copy of its folder.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let report = drift(folder.path(), "store.db", &[]);
    assert_eq!((report.code, report.stdout.as_str()), (0, "3 recorded, 3 there, 0 differences\n"), "{report:?}");
}

#[test]
fn drift_reports_a_secret_that_the_vault_does_not_have() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    let world = folder.path().join("world").display().to_string();
    let secrets = |args: &[&str]| run_with(&[&["secrets"], args, &["--world", &world]].concat(), b"", &[SECRETS_KEY]);
    let listed = secrets(&["list", "--format", "json"]);
    let reference = listed.lines()[0]["reference"].as_str().expect("a reference").to_owned();
    assert_eq!(secrets(&["remove", "solobase/test/user:u1", &reference]).code, 0);
    let report = drift(folder.path(), "store.db", &[]);
    assert_eq!(report.code, 1, "{report:?}");
    let told = format!("secret     database:inst_acme/database  solobase/test/user:u1  {reference}  no secret under");
    assert!(report.stdout.contains(&told), "{report:?}");
}

#[test]
fn a_vault_with_another_key_or_without_its_file_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    play(folder.path(), "store.db", &[subscription("evt_1"), create()], true);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, world, events) = (path("store.db"), path("world"), path("events.jsonl"));
    let start = |key: &str, world: &str| {
        let args =
            ["replay", "--native", "--business", "solobase", "--store", &store, "--providers", "local", "--world"];
        run_with(&[&args[..], &[world, &events]].concat(), b"", &[(SECRETS_KEY.0, key)])
    };
    let refused = |ran: Ran, message: &str| {
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.stderr.contains(message), "{ran:?}");
    };
    let other_key = "22".repeat(32);
    refused(start(&other_key, &world), "secrets.db: this vault is encrypted with key");
    refused(
        run_with(
            &["drift", "--store", &store, "--providers", "local", "--world", &world],
            b"",
            &[(SECRETS_KEY.0, &other_key)],
        ),
        "secrets.db: this vault",
    );
    // The store knows of the vault even if the whole folder is another one.
    refused(start(SECRETS_KEY.1, &path("another-world")), "expected the vault that was used with this store");
    assert!(
        !Path::new(&path("another-world"))
            .join("local/resources")
            .read_dir()
            .is_ok_and(|mut made| made.next().is_some())
    );
    for end in ["", "-wal", "-shm"] {
        // The journal exists only while a connection is open.
        let _ = std::fs::remove_file(format!("{world}/secrets.db{end}"));
    }
    refused(start(SECRETS_KEY.1, &world), "secrets.db: this file is missing or empty");
    refused(drift(folder.path(), "store.db", &[]), "secrets begin");
    let begun = run_with(&["secrets", "begin", "--world", &world], b"", &[SECRETS_KEY]);
    assert_eq!(begun.code, 0, "{begun:?}");
    assert_eq!(start(SECRETS_KEY.1, &world).code, 0);
    let report = drift(folder.path(), "store.db", &[]);
    assert!(report.stdout.starts_with("secret ") && report.stdout.contains(" 2 differences"), "{report:?}");
}

#[test]
fn processes_that_start_one_new_world_together_all_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..3)
            .map(|number| {
                let path = |name: String| folder.path().join(name).display().to_string();
                let (world, store, events) =
                    (path("world".to_owned()), path(format!("{number}.db")), path(format!("{number}.jsonl")));
                std::fs::write(&events, lines(&[subscription("evt_1"), create()])).expect("written");
                scope.spawn(move || {
                    let args = ["replay", "--native", "--business", "solobase", "--providers", "local"];
                    let all = [&args[..], &["--world", &world, "--store", &store, &events]].concat();
                    let ran = run_with(&all, b"", &[SECRETS_KEY]);
                    assert_eq!(ran.code, 0, "{ran:?}");
                    ran.code
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().expect("it ends")).collect()
    });
    assert_eq!(codes, [0, 0, 0]);
    for number in 0..3 {
        let report = drift(folder.path(), &format!("{number}.db"), &[]);
        assert_eq!((report.code, report.stdout.as_str()), (0, "3 recorded, 3 there, 0 differences\n"), "{report:?}");
    }
}
