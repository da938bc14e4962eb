//! Tests that backups and restores have the complete and unchanged content, or fail.

use super::support::{SCOPE, Stage, call, code, done, ensure, is_refused, state};
use ::postgres::{Client, NoTls};
use host_provider_api::names::letters;
use host_provider_api::{BackupExpiry, BackupSchedule, Call, CallOutcome, Provider};
use serde_json::{Value, json};
use std::time::Duration;

/// Content that could confuse a line-based parser of dumps.
const CONTENT: &str = r"
    CREATE TABLE notes (id serial PRIMARY KEY, line text NOT NULL, data jsonb, bytes bytea);
    INSERT INTO notes (line, data, bytes)
        SELECT repeat(md5(i::text), 3), jsonb_build_object('n', i), decode(md5(i::text), 'hex') FROM generate_series(1, 2000) i;
    UPDATE notes SET line = E'-- Dumped from\n\\restrict x\n\t\\.' WHERE id % 7 = 0;
    DELETE FROM notes WHERE id % 11 = 0;
    CREATE VIEW long_notes AS SELECT * FROM notes WHERE length(line) > 90;
    CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
";

/// Returns a hash of all rows in order and of the other objects.
fn hash(client: &mut Client) -> String {
    let query = "SELECT md5(string_agg(n::text, '|' ORDER BY id)) || (SELECT count(*) FROM long_notes) || twice(21) FROM notes n";
    client.query_one(query, &[]).expect("the rows").get(0)
}

fn backup(generation: u32) -> Call {
    call("database.backup", "inst_1/database", generation, json!({"name": "acme"}))
}

fn restore(generation: u32, backup: &Value) -> Call {
    call("database.restore", "inst_1/database", generation, json!({"backup": backup}))
}

// covers: ORC-42
#[test]
fn a_backup_is_restored() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let first = ensure(&provider, "inst_1/database", 1);
    let mut tenant = stage.tenant(&first);
    tenant.batch_execute(CONTENT).expect("written");
    let before = hash(&mut tenant);
    // A suspended database can be backed up.
    done(&provider, &call("database.change", "inst_1/database", 2, json!({"state": "suspended"})));
    let saved = done(&provider, &backup(3));
    assert_eq!(saved["verified"], json!(true));
    let file = stage.folder.path().join(format!("backups/{}.dump", saved["backup_id"].as_str().expect("an id")));
    assert_eq!(json!(std::fs::metadata(&file).expect("the file").len()), saved["bytes"]);
    #[cfg(unix)]
    for path in [file.clone(), file.with_extension("json")] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    assert_eq!(done(&provider, &backup(3)), saved, "a repeated call returns the same backup");
    assert_ne!(done(&provider, &backup(4))["backup_id"], saved["backup_id"]);
    done(&provider, &call("database.destroy", "inst_1/database", 5, json!({})));
    assert_eq!(done(&stage.provider(), &backup(3)), saved, "also after the database is destroyed");

    let second = ensure(&provider, "inst_1/database", 6);
    let outcome = done(&provider, &restore(7, &saved));
    assert_eq!(outcome, json!({"backup_id": saved["backup_id"], "sha256": saved["sha256"], "verified": true}));
    let mut tenant = stage.tenant(&second);
    assert_eq!(hash(&mut tenant), before, "the same bytes");
    tenant
        .batch_execute("INSERT INTO notes (line) VALUES ('after')")
        .expect("the tenant's own table with a free next id");
    let after = hash(&mut tenant);
    assert_eq!(done(&stage.provider(), &restore(7, &saved)), outcome, "a repeated call does nothing");
    assert_eq!(hash(&mut tenant), after, "a repeated call deletes nothing");
    let again = provider.call(&restore(8, &saved));
    assert!(is_refused(&again, "not-empty"), "{again:?}");
    assert!(is_refused(&provider.call(&restore(5, &saved)), "superseded"));
}

#[test]
fn a_changed_backup_is_refused() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage.tenant(&outputs).batch_execute(CONTENT).expect("written");
    let saved = done(&provider, &backup(2));
    let file = stage.folder.path().join(format!("backups/{}.dump", saved["backup_id"].as_str().expect("an id")));
    done(&provider, &call("database.destroy", "inst_1/database", 3, json!({})));
    let anew = ensure(&provider, "inst_1/database", 4);
    let good = std::fs::read(&file).expect("the file");
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        std::fs::write(&file, &changed).expect("changed");
        let answer = provider.call(&restore(5, &saved));
        assert!(is_refused(&answer, "backup-changed"), "byte {at}: {answer:?}");
    }
    std::fs::write(&file, &good[..good.len() / 2]).expect("cut");
    assert!(is_refused(&provider.call(&restore(5, &saved)), "backup-changed"), "half of it");
    std::fs::write(&file, &good).expect("as it was");
    let other_hash = json!({"backup_id": saved["backup_id"], "sha256": "0".repeat(64)});
    assert!(is_refused(&provider.call(&restore(5, &other_hash)), "backup-changed"), "another hash is requested");
    let elsewhere = json!({"backup_id": "../../../../etc/passwd", "sha256": saved["sha256"]});
    assert!(is_refused(&provider.call(&restore(5, &elsewhere)), "bad-payload"));
    let unknown = json!({"backup_id": "a".repeat(24), "sha256": saved["sha256"]});
    assert!(is_refused(&provider.call(&restore(5, &unknown)), "backup-unknown"));
    let others = Call { scope: "shop/test/user:u2".to_owned(), ..restore(5, &saved) };
    assert!(is_refused(&provider.call(&others), "backup-unknown"), "another account's backup");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace";
    assert_eq!(
        stage.tenant(&anew).query_one(tables, &[]).expect("counted").get::<_, i64>(0),
        0,
        "nothing was restored"
    );
    done(&provider, &restore(5, &saved));
}

#[test]
fn an_interrupted_restore_restarts_and_nobody_can_log_in_meanwhile() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    let mut tenant = stage.tenant(&outputs);
    tenant.batch_execute(CONTENT).expect("written");
    let before = hash(&mut tenant);
    let saved = done(&provider, &backup(2));
    done(&provider, &call("database.destroy", "inst_1/database", 3, json!({})));
    let outputs = ensure(&provider, "inst_1/database", 4);
    let name = outputs["name"].as_str().expect("a name");
    // The state after a crash during a restore: the record says that a restore has begun, and the database has a part
    // of the backup.
    stage.tenant(&outputs).batch_execute("CREATE TABLE half (n int)").expect("a part of the restore");
    stage
        .admin()
        .batch_execute("UPDATE provisioner.databases SET is_restoring = true, generation = 5")
        .expect("stored");
    let there = ensure(&provider, "inst_1/database", 5);
    assert_eq!(there, outputs);
    assert_eq!(state(stage.tenant_config(&outputs).connect(NoTls)), "28000", "nobody can log in");
    assert_eq!(code(&provider.call(&backup(6))), "database-busy", "a half-restored database is not backed up");
    done(&provider, &restore(5, &saved));
    assert_eq!(hash(&mut stage.tenant(&outputs)), before);
    let half = "SELECT to_regclass('app.half') IS NULL";
    assert!(
        stage.admin_of(0, name).query_one(half, &[]).expect("a row").get::<_, bool>(0),
        "the half-restored table is gone"
    );
}

#[test]
fn a_tenants_code_runs_with_its_own_rights_during_a_restore() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    let role = outputs["user"].as_str().expect("a user");
    let evil = format!(
        "CREATE FUNCTION app.evil() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
           BEGIN
             EXECUTE 'SET ROLE postgres'; EXECUTE 'ALTER ROLE {role} SUPERUSER'; EXECUTE 'SET ROLE {role}';
           EXCEPTION WHEN OTHERS THEN NULL; END;
           RETURN true;
         END $$;
         CREATE TABLE app.t (n int CHECK (app.evil())); INSERT INTO app.t VALUES (1);"
    );
    stage.tenant(&outputs).batch_execute(&evil).expect("written");
    let saved = done(&provider, &backup(2));
    done(&provider, &call("database.destroy", "inst_1/database", 3, json!({})));
    ensure(&provider, "inst_1/database", 4);
    done(&provider, &restore(5, &saved));
    let query = "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = $1), (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'w\\_%')";
    let row = stage.admin().query_one(query, &[&role]).expect("a row");
    assert_eq!(
        (row.get::<_, bool>(0), row.get::<_, i64>(1)),
        (false, 0),
        "no superuser, and the worker role is dropped"
    );
    assert_eq!(stage.vault.list().expect("the secrets").len(), 1, "its password is forgotten");
}

/// Creates a folder with `pg_dump` and `pg_restore`. The program `name` runs the shell commands `instead` first.
#[cfg(unix)]
fn programs(stage: &Stage, name: &str, instead: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = stage.folder.path().join(format!("programs-{name}"));
    std::fs::create_dir(&folder).expect("made");
    let real = stage.servers[0].programs();
    for program in ["pg_dump", "pg_restore"] {
        let then = if program == name { instead } else { "" };
        let script = format!("#!/bin/sh\n{then}\nexec {} \"$@\"\n", real.join(program).display());
        std::fs::write(folder.join(program), script).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.join(program), mode).expect("to be run");
    }
    folder
}

#[cfg(unix)]
#[test]
fn an_incomplete_backup_or_restore_fails() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage.tenant(&outputs).batch_execute(CONTENT).expect("written");
    let forgetful = r#"case "$*" in *--format=custom*) set -- --exclude-table-data=app.notes "$@";; esac"#;
    let folder = programs(&stage, "pg_dump", forgetful);
    let answer = stage.provider_with(|config| config.programs = folder).call(&backup(2));
    assert_eq!(code(&answer), "backup-differs", "{answer:?}");
    let kept = std::fs::read_dir(stage.folder.path().join("backups")).expect("the folder").count();
    assert_eq!(kept, 0, "nothing of it is kept");
    let saved = done(&provider, &backup(2));
    done(&provider, &call("database.destroy", "inst_1/database", 3, json!({})));
    let outputs = ensure(&provider, "inst_1/database", 4);
    let folder = programs(&stage, "pg_restore", r#"case "$*" in *--single-transaction*) exit 0;; esac"#);
    let answer = stage.provider_with(|config| config.programs = folder).call(&restore(5, &saved));
    assert_eq!(code(&answer), "restore-differs", "{answer:?}");
    assert_eq!(state(stage.tenant_config(&outputs).connect(NoTls)), "28000", "nobody can log in until it is complete");
    done(&provider, &restore(5, &saved));
    hash(&mut stage.tenant(&outputs));
}

#[test]
fn long_work_is_in_progress_with_growing_poll_delays() {
    let stage = Stage::with(1);
    let provider = stage.provider_with(|config| config.work_wait = Duration::from_millis(1));
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage.tenant(&outputs).batch_execute(CONTENT).expect("written");
    let first = provider.call(&backup(2));
    let CallOutcome::InProgress { after_ms: 1_000, token } = &first else { panic!("{first:?}") };
    let second = provider.call(&Call { token: Some(token.clone()), ..backup(2) });
    let CallOutcome::InProgress { after_ms: 2_000, .. } = &second else { panic!("{second:?}") };
    assert_eq!(done(&provider, &backup(2))["verified"], json!(true));
    let dumps = std::fs::read_dir(stage.folder.path().join("backups")).expect("the folder");
    let names: Vec<String> =
        dumps.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".dump")).count(), 1, "{names:?}");
    assert_eq!(names.len(), 2, "no draft is left: {names:?}");
}

#[test]
fn a_database_on_another_server_is_backed_up_and_restored() {
    let (elsewhere, ours) = (Stage::with(1), Stage::with(1));
    let provider = ours.provider();
    let mut admin = elsewhere.admin();
    let endpoint = format!("127.0.0.1:{}", elsewhere.servers[0].port());
    let project = |name: &str, admin: &mut Client| {
        admin.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
        let password = elsewhere.servers[0].password();
        let address = format!("postgres://postgres:{password}@{endpoint}/{name}");
        let secret = ours.vault.put(SCOPE, name, &address).expect("kept").reference;
        json!({"endpoint": endpoint, "secret_ref": secret})
    };
    let (first, second) = (project("first", &mut admin), project("second", &mut admin));
    let mut inside = elsewhere.admin_of(0, "first");
    inside.batch_execute(&format!("CREATE SCHEMA app; SET search_path = app; {CONTENT}")).expect("written");
    let before = hash(&mut inside);
    let backup = call("database.backup", "inst_1/database", 1, json!({"outputs": first}));
    let saved = done(&provider, &backup);
    assert_eq!((&saved["verified"], done(&provider, &backup)), (&json!(true), saved.clone()));
    let restore =
        |outputs: &Value| call("database.restore", "inst_1/database", 2, json!({"outputs": outputs, "backup": saved}));
    let outcome = done(&provider, &restore(&second));
    assert_eq!(outcome["verified"], json!(true));
    let mut inside = elsewhere.admin_of(0, "second");
    inside.batch_execute("SET search_path = app").expect("a schema");
    assert_eq!(hash(&mut inside), before, "the same bytes");
    assert_eq!(done(&provider, &restore(&second)), outcome, "a repeated call does nothing");
    inside.batch_execute("INSERT INTO notes (line) VALUES ('after')").expect("written");
    let again = provider.call(&restore(&second));
    assert!(is_refused(&again, "not-empty"), "{again:?}");
    let nowhere = json!({"endpoint": "127.0.0.1:1", "secret_ref": first["secret_ref"]});
    assert!(is_refused(
        &provider.call(&call("database.backup", "inst_1/database", 3, json!({"outputs": nowhere}))),
        "bad-secret"
    ));
}

#[test]
fn a_lost_database_is_not_made_again_empty_and_can_be_restored() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage
        .tenant(&outputs)
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
        .expect("the tenant writes");
    let saved = done(&provider, &call("database.backup", "inst_1/database", 2, json!({})));
    let name = outputs["name"].as_str().expect("a name").to_owned();
    stage.admin().batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).expect("it is lost");
    assert_eq!(provider.held(), Ok(Some(Vec::new())), "drift looks at the server's databases");
    for kind in ["database.ensure", "database.change"] {
        let answer = provider.call(&call(kind, "inst_1/database", 3, json!({"state": "running"})));
        assert!(is_refused(&answer, "database-lost"), "{kind}: {answer:?}");
    }
    let backup = provider.call(&call("database.backup", "inst_1/database", 3, json!({})));
    assert!(is_refused(&backup, "database-lost"), "{backup:?}");
    let seen = done(&provider, &call("database.observe", "inst_1/database", 3, json!({})));
    assert_eq!(seen, json!({"exists": false}));
    assert_eq!(provider.held(), Ok(Some(Vec::new())), "no call has made an empty one");
    done(&provider, &call("database.restore", "inst_1/database", 4, json!({"backup": saved})));
    let found: i32 = stage.tenant(&outputs).query_one("SELECT n FROM t", &[]).expect("its rows").get(0);
    assert_eq!((found, provider.held().expect("an answer").expect("a list").len()), (7, 1));
    assert_eq!(ensure(&provider, "inst_1/database", 5), outputs, "it is as before");
}

#[test]
fn a_lost_database_can_be_destroyed_and_made_anew() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    let name = outputs["name"].as_str().expect("a name").to_owned();
    stage.admin().batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).expect("it is lost");
    done(&provider, &call("database.destroy", "inst_1/database", 2, json!({})));
    let anew = ensure(&provider, "inst_1/database", 3);
    stage.tenant(&anew).batch_execute("CREATE TABLE t (n int)").expect("the tenant writes");
}

#[test]
fn a_marked_database_without_a_record_is_listed_apart() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    assert_eq!(provider.unreadable(), Ok(Vec::new()));
    stage.admin().batch_execute("DELETE FROM provisioner.databases").expect("the records are gone");
    let names: Vec<String> = provider.unreadable().expect("a list").into_iter().map(|one| one.name).collect();
    assert_eq!(
        (names, provider.held()),
        (vec![outputs["name"].as_str().expect("a name").to_owned()], Ok(Some(Vec::new())))
    );
}

/// Seconds of a day.
const DAY_S: i64 = 24 * 60 * 60;

/// The call of a scheduled backup that is kept for seven days, on this day since the Unix epoch.
fn scheduled(id: &str, day: u32, outputs: &Value) -> Call {
    let schedule = BackupSchedule { at_s: i64::from(day) * DAY_S, keep_days: 7 };
    Call { key: id.to_owned(), ..call("database.backup", id, day * 24, schedule.payload(outputs)) }
}

/// Returns the names of the files in the folder of backups, in order.
fn files(stage: &Stage) -> Vec<String> {
    let entries = std::fs::read_dir(stage.folder.path().join("backups")).expect("the backups");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn scheduled_backups_are_restorable_and_deleted_after_their_time() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage.tenant(&outputs).batch_execute(CONTENT).expect("written");
    let kept = done(&provider, &backup(2));
    let first = done(&provider, &scheduled("inst_1/database", 20_000, &outputs));
    assert_eq!(first["verified"], json!(true));
    assert_eq!(done(&provider, &scheduled("inst_1/database", 20_000, &outputs)), first, "one backup for a day");
    let second = done(&provider, &scheduled("inst_1/database", 20_001, &outputs));
    done(&provider, &call("database.ensure", "inst_2/database", 1, json!({})));
    done(&provider, &scheduled("inst_2/database", 20_000, &json!({})));
    let all = files(&stage);
    assert_eq!(all.len(), 8, "four backups with their manifests: {all:?}");

    let first_database = letters(&scheduled("inst_1/database", 0, &json!({})).resource_id());
    let partition = SCOPE.rsplit_once('/').expect("an account").0;
    let expire = |now_s: i64, is_there: bool| {
        let exists = |letters: &str| is_there && letters == first_database;
        provider.expire_backups(&BackupExpiry { partition, now_s, exists: &exists })
    };
    assert_eq!(expire(20_007 * DAY_S - 1, true), Ok(0), "the seventh day is not over");
    assert_eq!(
        expire(20_007 * DAY_S, true),
        Ok(2),
        "that of the database that is gone, and the older one of the other"
    );
    assert_eq!(expire(20_999 * DAY_S, true), Ok(0), "the newest one of an existing database stays");
    let there =
        |saved: &Value| files(&stage).contains(&format!("{}.dump", saved["backup_id"].as_str().expect("an id")));
    assert_eq!([there(&kept), there(&first), there(&second)], [true, false, true]);

    done(&provider, &call("database.destroy", "inst_1/database", 3, json!({})));
    ensure(&provider, "inst_1/database", 4);
    done(&provider, &restore(5, &second));
    assert_eq!(expire(20_999 * DAY_S, false), Ok(1), "the database is gone");
    assert_eq!([there(&kept), there(&second)], [true, false], "the backup without a schedule is kept for good");
    assert_eq!(files(&stage).len(), 2);
}

#[test]
fn a_manifest_that_cannot_be_read_is_told_and_does_not_keep_other_backups() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    done(&provider, &scheduled("inst_1/database", 20_000, &outputs));
    let broken = stage.folder.path().join(format!("backups/{}.json", "a".repeat(24)));
    std::fs::write(&broken, "{").expect("written");
    let partition = SCOPE.rsplit_once('/').expect("an account").0;
    let expiry = BackupExpiry { partition, now_s: 20_007 * DAY_S, exists: &|_| false };
    let problem = provider.expire_backups(&expiry).expect_err("a broken manifest").to_string();
    assert!(problem.contains(&"a".repeat(24)), "{problem}");
    assert_eq!(files(&stage), [format!("{}.json", "a".repeat(24))]);
}
