//! Tests backups: a restored database has the same bytes, and changed or foreign backups are refused.

use crate::local::Machine;
use host_provider_api::{BackupExpiry, BackupSchedule, CallOutcome, Provider, ResourceId, names};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;

const KEY: &str = "inst_acme/database";

fn verb(machine: &Machine, verb: &str, generation: u32, payload: Value) -> CallOutcome {
    machine.call("u1", &format!("{KEY}/{verb}"), &format!("database.{verb}"), generation, payload)
}

fn done(answer: CallOutcome) -> Value {
    match answer {
        CallOutcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

fn files(machine: &Machine, end: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(machine.folder().join("backups")).expect("the backups");
    folder.map(|entry| entry.expect("a file").path()).filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

fn hash(path: &PathBuf) -> String {
    hex::encode(Sha256::digest(fs::read(path).expect("a file")))
}

#[test]
fn a_backup_restores_the_same_bytes() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    for number in 0..200 {
        machine.http("PUT", &acme, &format!("/notes/note-{number}"), &"row ".repeat(number));
    }
    let backup = done(verb(&machine, "backup", 1, json!({})));
    assert_eq!(backup["verified"], true);
    assert_eq!(done(verb(&machine, "backup", 1, json!({}))), backup, "a repeated call returns the same backup");
    let kept = files(&machine, ".sqlite");
    assert_eq!((kept.len(), json!(hash(&kept[0]))), (1, backup["sha256"].clone()));
    done(verb(&machine, "destroy", 2, json!({})));
    assert_eq!(machine.http("GET", &acme, "/", "").0, 200, "a function without its database still responds");

    let machine = machine.restarted();
    done(verb(&machine, "ensure", 3, json!({"name": "acme"})));
    assert_eq!(machine.http("GET", &acme, "/notes/note-199", "").0, 404);
    // SQLite's side files, which a killed process leaves, belong to the replaced database and must be removed.
    let places = fs::read_dir(machine.folder().join("resources")).expect("the resources");
    let database = places.map(|it| it.expect("a place").path().join("database.sqlite")).find(|path| path.exists());
    let rests =
        ["wal", "shm", "journal"].map(|end| database.as_ref().expect("one").with_extension(format!("sqlite-{end}")));
    rests.iter().for_each(|rest| fs::write(rest, "a rest").expect("written"));
    let restored = done(verb(&machine, "restore", 4, json!({"backup": backup})));
    assert!(rests.iter().all(|rest| !rest.exists()));
    assert_eq!(restored["sha256"], backup["sha256"]);
    assert_eq!(machine.http("GET", &acme, "/notes/note-199", ""), (200, "row ".repeat(199)));
    assert_eq!(json!(hash(&database.expect("the database"))), backup["sha256"], "byte for byte");
}

#[test]
fn a_backup_with_one_changed_byte_is_refused_and_the_database_is_unchanged() {
    let machine = Machine::new();
    let acme = machine.instance("u1", "acme");
    machine.http("PUT", &acme, "/notes/note", "of the backup");
    let backup = done(verb(&machine, "backup", 1, json!({})));
    machine.http("PUT", &acme, "/notes/note", "of now");
    let path = &files(&machine, ".sqlite")[0];
    let mut bytes = fs::read(path).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("written");
    let refused = verb(&machine, "restore", 2, json!({"backup": backup}));
    assert!(matches!(&refused, CallOutcome::Refused { code, .. } if code == "backup-changed"), "{refused:?}");
    assert_eq!(machine.http("GET", &acme, "/notes/note", ""), (200, "of now".to_owned()));
}

#[test]
fn another_accounts_backup_can_not_be_restored() {
    let machine = Machine::new();
    machine.instance("u1", "acme");
    let backup = done(verb(&machine, "backup", 1, json!({})));
    machine.instance("u2", "other");
    for payload in [json!({"backup": backup}), json!({"backup": {"backup_id": "../x"}}), json!({})] {
        let refused = machine.call("u2", "inst_other/database/restore", "database.restore", 2, payload);
        assert!(matches!(&refused, CallOutcome::Refused { code, .. } if code == "no-backup"), "{refused:?}");
    }
}

#[test]
fn a_lost_database_is_not_made_again_empty_and_can_be_restored() {
    let machine = Machine::new();
    let host = machine.instance("u1", "acme");
    assert_eq!(machine.http("PUT", &host, "/notes/a", "kept").0, 200);
    let database =
        machine.local.held().expect("an answer").expect("a list").into_iter().find(|it| it.id.resource == "database");
    let database = database.expect("a database").id;
    let saved = machine.done("u1", "inst_acme/database/backup", "database.backup", 2, json!({}));
    let file = machine.folder().join("resources").join(names::letters(&database)).join("database.sqlite");
    fs::remove_file(&file).expect("the file of the database");
    let call = |kind: &str, generation, payload| {
        let verb = kind.rsplit_once('.').expect("a verb").1;
        machine.call("u1", &format!("inst_acme/database/{verb}"), kind, generation, payload)
    };
    for kind in ["database.ensure", "database.change", "database.backup"] {
        let answer = call(kind, 3, json!({}));
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "database-lost"), "{kind}: {answer:?}");
    }
    assert_eq!(call("database.observe", 3, json!({})), CallOutcome::Done(json!({"exists": false})));
    assert!(
        machine.local.held().expect("an answer").expect("a list").iter().all(|it| it.id != database),
        "drift says that it is lost"
    );
    assert!(!file.exists());
    let restored = call("database.restore", 4, json!({"backup": saved}));
    assert!(matches!(restored, CallOutcome::Done(_)), "{restored:?}");
    assert_eq!(machine.http("GET", &host, "/notes/a", ""), (200, "kept".to_owned()));
}

#[test]
fn scheduled_backups_are_deleted_after_their_time() {
    const DAY_S: i64 = 24 * 60 * 60;
    let machine = Machine::new();
    machine.instance("u1", "acme");
    let scheduled = |day: u32| {
        let payload = BackupSchedule { at_s: i64::from(day) * DAY_S, keep_days: 7 }.payload(&json!({}));
        done(machine.call("u1", KEY, "database.backup", day * 24, payload))
    };
    done(verb(&machine, "backup", 1, json!({})));
    let first = scheduled(20_000);
    assert_eq!(scheduled(20_000), first, "one backup for a day");
    let second = scheduled(20_001);
    let id = ResourceId { scope: "solobase/test/user:u1".into(), resource: "database".into(), id: KEY.into() };
    let own = names::letters(&id);
    let expire = |now_s: i64, is_there: bool| {
        let exists = |letters: &str| is_there && letters == own;
        machine.registry.expire_backups(&BackupExpiry { partition: "solobase/test", now_s, exists: &exists })
    };
    assert_eq!(expire(20_007 * DAY_S - 1, true), (0, None), "the seventh day is not over");
    assert_eq!(expire(20_007 * DAY_S, true), (1, None));
    assert_eq!(expire(20_999 * DAY_S, true), (0, None), "the newest one of an existing database stays");
    assert_eq!(done(verb(&machine, "restore", 2, json!({"backup": second})))["restored"], second["backup_id"]);
    assert_eq!(expire(20_999 * DAY_S, false), (1, None), "the database is gone");
    assert_eq!(files(&machine, ".sqlite").len(), 1, "the backup without a schedule is kept for good");
    fs::write(machine.folder().join("backups/odd.json"), "{").expect("written");
    let (_, problem) = expire(20_999 * DAY_S, false);
    assert!(problem.is_some_and(|problem| problem.to_string().contains("odd.json")));
}
