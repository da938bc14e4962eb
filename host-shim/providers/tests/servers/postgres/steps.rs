//! Migrations and seeds.

use super::support::{SCOPE, Stage, call, done, ensure, is_refused};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

struct Files {
    migrations: PathBuf,
    seeds: PathBuf,
}

fn files(stage: &Stage) -> Files {
    let files = Files { migrations: stage.folder.path().join("migrations"), seeds: stage.folder.path().join("seeds") };
    for folder in [&files.migrations, &files.seeds] {
        std::fs::create_dir(folder).expect("made");
    }
    files
}

fn write(folder: &Path, name: &str, sql: &str) {
    std::fs::write(folder.join(name), sql).expect("written");
}

fn step(kind: &str, outputs: &Value) -> Call {
    let payload = json!({
        "database": outputs["endpoint"], "secret": outputs["secret_ref"],
        "orchestra": "o'ne; DROP TABLE members", "admin": "ana@example.com",
    });
    Call { key: "inst_1/migrate/run".to_owned(), ..call(kind, "inst_1/migrate", 1, payload) }
}

// covers: ORC-16, ORC-17
#[test]
fn files_run_once_in_order_with_the_tenants_rights() {
    let stage = Stage::with(1);
    let files = files(&stage);
    let (migrations, seeds) = (files.migrations.clone(), files.seeds.clone());
    let provider = stage.provider_with(move |config| {
        (config.migrations, config.seeds) = (Some(migrations), Some(seeds));
    });
    write(&files.migrations, "002_members.sql", "CREATE TABLE members (band int REFERENCES bands, mail text);");
    write(&files.migrations, "001_bands.sql", "CREATE TABLE bands (id serial PRIMARY KEY, name text UNIQUE);");
    write(&files.migrations, "notes.txt", "not SQL");
    let seed = "INSERT INTO bands (name) VALUES (current_setting('seed.orchestra'));
                INSERT INTO members SELECT id, current_setting('seed.admin') FROM bands;";
    write(&files.seeds, "first.sql", seed);
    let outputs = ensure(&provider, "inst_1/database", 1);
    let outcome = done(&provider, &step("database.migrate", &outputs));
    assert_eq!(outcome, json!({"version": "002_members", "migrations": 2}));
    assert_eq!(done(&provider, &step("database.migrate", &outputs)), outcome);
    assert_eq!(done(&provider, &step("database.seed", &outputs)), json!({"seeds": 1}));
    assert_eq!(done(&provider, &step("database.seed", &outputs)), json!({"seeds": 1}));
    let mut tenant = stage.tenant(&outputs);
    let rows = tenant.query("SELECT name, mail FROM bands JOIN members ON band = id", &[]).expect("the seeds");
    let [row] = rows.as_slice() else { panic!("{} rows: a seed was run twice", rows.len()) };
    assert_eq!((row.get(0), row.get(1)), ("o'ne; DROP TABLE members", "ana@example.com"));
    tenant.batch_execute("ALTER TABLE bands ADD COLUMN since date").expect("a migration's tables belong to the tenant");

    write(&files.migrations, "003_rooms.sql", "CREATE TABLE rooms (id int);");
    let outcome = done(&provider, &step("database.migrate", &outputs));
    assert_eq!(outcome, json!({"version": "003_rooms", "migrations": 3}));
    write(&files.seeds, "first.sql", "INSERT INTO bands (name) VALUES ('two');");
    done(&provider, &step("database.seed", &outputs));
    let count = "SELECT count(*) FROM bands";
    assert_eq!(tenant.query_one(count, &[]).expect("counted").get::<_, i64>(0), 2, "a changed seed runs again");
    write(&files.migrations, "001_bands.sql", "CREATE TABLE bands (id bigserial);");
    let changed = provider.call(&step("database.migrate", &outputs));
    assert!(is_refused(&changed, "migration-changed"), "{changed:?}");
}

// covers: ORC-47
#[test]
fn no_connection_outlives_its_step_so_that_tenants_share_none() {
    let stage = Stage::with(1);
    let files = files(&stage);
    let migrations = files.migrations.clone();
    let provider = stage.provider_with(move |config| config.migrations = Some(migrations));
    write(&files.migrations, "001_whoami.sql", "CREATE TABLE whoami AS SELECT session_user::text AS name;");
    let sessions = |name: &str| {
        let of = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        stage.admin().query_one(&of, &[]).expect("counted").get::<_, i64>(0)
    };
    for id in ["inst_1", "inst_2"] {
        let outputs = ensure(&provider, &format!("{id}/database"), 1);
        let text = |member: &str| outputs[member].as_str().expect("a text").to_owned();
        done(&provider, &step("database.migrate", &outputs));
        // PostgreSQL ends a session a moment after its client has gone.
        let mut looks = 0;
        while sessions(&text("name")) > 0 {
            looks += 1;
            assert!(looks < 100, "a session in {} is still open", text("name"));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let row = stage.tenant(&outputs).query_one("SELECT name FROM whoami", &[]).expect("one row");
        assert_eq!(row.get::<_, String>(0), text("user"), "each step has a session of its own tenant");
    }
}

#[test]
fn a_failed_migration_is_rolled_back_and_earlier_migrations_stay() {
    let stage = Stage::with(1);
    let files = files(&stage);
    let migrations = files.migrations.clone();
    let provider = stage.provider_with(move |config| config.migrations = Some(migrations));
    let outputs = ensure(&provider, "inst_1/database", 1);
    let migrate = step("database.migrate", &outputs);
    write(&files.migrations, "001_a.sql", "CREATE TABLE a (n int);");
    write(&files.migrations, "002_b.sql", "CREATE TABLE b (n int); INSERT INTO nowhere VALUES (1);");
    let failed = provider.call(&migrate);
    let CallOutcome::Refused { code, message } = &failed else { panic!("{failed:?}") };
    assert!(code == "database-refused" && message.starts_with("002_b: "), "{failed:?}");
    let mut tenant = stage.tenant(&outputs);
    let there = tenant.query_one("SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NULL", &[]).expect("a row");
    assert_eq!((there.get(0), there.get(1)), (true, true));
    write(&files.migrations, "002_b.sql", "CREATE TABLE b (n int);");
    assert_eq!(done(&provider, &migrate)["version"], json!("002_b"));
    for (name, sql, expected) in [
        ("003_c.sql", "CREATE DATABASE mine", "database-refused"),
        ("003_c.sql", "CREATE TABLE a (n int)", "database-refused"),
        ("003_c.sql", "CREATE ROLE mine", "not-allowed"),
        ("003_c.sql", "COMMIT; BEGIN", "bad-step"),
        ("c.sql", "SELECT 1", "bad-step"),
        ("002_other.sql", "SELECT 1", "bad-step"),
    ] {
        write(&files.migrations, name, sql);
        let answer = provider.call(&migrate);
        assert!(is_refused(&answer, expected), "{name} {sql}: {answer:?}");
        std::fs::remove_file(files.migrations.join(name)).expect("removed");
    }
}

#[test]
fn scripts_need_a_configured_folder_and_the_accounts_own_database() {
    let stage = Stage::with(1);
    let files = files(&stage);
    let bare = stage.provider();
    let outputs = ensure(&bare, "inst_1/database", 1);
    assert!(is_refused(&bare.call(&step("database.migrate", &outputs)), "not-configured"));
    let migrations = files.migrations.clone();
    let provider = stage.provider_with(move |config| config.migrations = Some(migrations));
    let others = Call { scope: "shop/test/user:u2".to_owned(), ..step("database.migrate", &outputs) };
    assert!(is_refused(&provider.call(&others), "secret-unknown"));
    // A secret of the account that is not the database's password does not open the database.
    let kept = stage.vault.put(SCOPE, "mine", "some password").expect("kept");
    let foreign = json!({"endpoint": outputs["endpoint"], "secret_ref": kept.reference});
    assert!(is_refused(&provider.call(&step("database.migrate", &foreign)), "bad-payload"));
    assert!(is_refused(&provider.call(&step("database.wipe", &outputs)), "unsupported"));
}
