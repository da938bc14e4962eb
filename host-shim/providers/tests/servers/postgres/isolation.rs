//! Attempts of a tenant to get rights beyond its own database. All must fail.

use super::support::{Stage, ensure, state};
use ::postgres::NoTls;

/// SQLSTATE of insufficient privilege.
const NO_RIGHT: &str = "42501";

// covers: ORC-46, SOL-28
#[test]
fn all_escape_attempts_are_refused() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let (mine, theirs) = (ensure(&provider, "inst_a/database", 1), ensure(&provider, "inst_b/database", 1));
    let text = |outputs: &serde_json::Value, member: &str| outputs[member].as_str().expect("a text").to_owned();
    let (my_role, role) = (text(&mine, "user"), text(&theirs, "user"));
    let (my_database, database) = (text(&mine, "name"), text(&theirs, "name"));
    let mut other = stage.tenant(&theirs);
    other
        .batch_execute("CREATE TABLE secrets (s text); INSERT INTO secrets VALUES ('of another one')")
        .expect("theirs");
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).expect("a session").get(0);
    let mut tenant = stage.tenant(&mine);
    tenant.batch_execute("CREATE TABLE t (line text)").expect("its own");
    let attempts = [
        ("read a file", "SELECT pg_read_file('/etc/passwd')".to_owned(), NO_RIGHT),
        ("list a folder", "SELECT pg_ls_dir('/')".to_owned(), NO_RIGHT),
        ("read a file into a table", "COPY t FROM '/etc/passwd'".to_owned(), NO_RIGHT),
        ("write a file", "COPY t TO '/tmp/escaped'".to_owned(), NO_RIGHT),
        ("run a program", "COPY t FROM PROGRAM 'id'".to_owned(), NO_RIGHT),
        ("make a database", "CREATE DATABASE mine".to_owned(), NO_RIGHT),
        ("make a role", "CREATE ROLE mine LOGIN".to_owned(), NO_RIGHT),
        ("become the administrator", "SET ROLE postgres".to_owned(), NO_RIGHT),
        ("become the other one", format!("SET ROLE {role}"), NO_RIGHT),
        ("log in as the administrator", "SET SESSION AUTHORIZATION postgres".to_owned(), NO_RIGHT),
        ("be a superuser", format!("ALTER ROLE {my_role} SUPERUSER"), NO_RIGHT),
        ("have more connections", format!("ALTER ROLE {my_role} CONNECTION LIMIT 100"), NO_RIGHT),
        ("change the other one's password", format!("ALTER ROLE {role} PASSWORD 'x'"), NO_RIGHT),
        ("be a member of the other one", format!("GRANT {role} TO {my_role}"), NO_RIGHT),
        ("be let into the other database", format!("GRANT CONNECT ON DATABASE {database} TO {my_role}"), NO_RIGHT),
        ("read the other one's table", format!("SELECT * FROM {database}.app.secrets"), "0A000"),
        ("make a table for everybody", "CREATE TABLE public.t (n int)".to_owned(), NO_RIGHT),
        ("make a schema", "CREATE SCHEMA mine".to_owned(), NO_RIGHT),
        ("make a temporary table", "CREATE TEMPORARY TABLE mine (n int)".to_owned(), NO_RIGHT),
        ("make a large object", "SELECT lo_create(0)".to_owned(), NO_RIGHT),
        ("read a file as a large object", "SELECT lo_import('/etc/passwd')".to_owned(), NO_RIGHT),
        ("connect elsewhere from inside", "CREATE EXTENSION dblink".to_owned(), NO_RIGHT),
        ("have an extension", "CREATE EXTENSION pgcrypto".to_owned(), NO_RIGHT),
        ("make a foreign server", "CREATE FOREIGN DATA WRAPPER mine".to_owned(), NO_RIGHT),
        ("run machine code", "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'".to_owned(), NO_RIGHT),
        ("drop the other database", format!("DROP DATABASE {database}"), NO_RIGHT),
        ("drop its own database", format!("DROP DATABASE {my_database}"), NO_RIGHT),
        ("drop the other role", format!("DROP ROLE {role}"), NO_RIGHT),
        ("end the other one's session", format!("SELECT pg_terminate_backend({pid})"), NO_RIGHT),
        ("cancel the other one's statement", format!("SELECT pg_cancel_backend({pid})"), NO_RIGHT),
        ("read passwords", "SELECT rolpassword FROM pg_authid".to_owned(), NO_RIGHT),
        ("set the server", "ALTER SYSTEM SET log_statement = 'none'".to_owned(), NO_RIGHT),
        ("reload the server", "SELECT pg_reload_conf()".to_owned(), NO_RIGHT),
        (
            "watch definitions",
            "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION guard.refuse_writes()".to_owned(),
            NO_RIGHT,
        ),
        (
            "change the guard",
            "CREATE OR REPLACE FUNCTION guard.refuse_writes() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
                .to_owned(),
            NO_RIGHT,
        ),
    ];
    assert!(attempts.len() >= 20);
    for (what, sql, expected) in &attempts {
        assert_eq!(state(tenant.batch_execute(sql)), *expected, "{what}: {sql}");
    }
    for elsewhere in [database.as_str(), "postgres", "template1", "template0"] {
        let answer = state(stage.tenant_config(&mine).dbname(elsewhere).connect(NoTls));
        let expected = if elsewhere == "template0" { "55000" } else { NO_RIGHT };
        assert_eq!(answer, expected, "connect to {elsewhere}");
    }
    assert_eq!(state(stage.tenant_config(&mine).user(&role).connect(NoTls)), "28P01", "log in as the other one");
    let _two_more = [stage.tenant(&mine), stage.tenant(&mine)];
    assert_eq!(state(stage.tenant_config(&mine).connect(NoTls)), "53300", "a fourth connection of three");
    other.batch_execute("SELECT s FROM secrets").expect("the other one was not disturbed");
    stage.tenant(&theirs).batch_execute("SELECT 1").expect("the other tenant can still log in");
}

#[test]
fn public_catalogs_reveal_nothing_about_other_tenants() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let (mine, theirs) = (ensure(&provider, "inst_mine/database", 1), ensure(&provider, "inst_theirs/database", 1));
    let mut other = stage.tenant(&theirs);
    other.batch_execute("SELECT 'what the other one asks'").expect("a row");
    let mut tenant = stage.tenant(&mine);
    let mut seen = String::new();
    for query in [
        "SELECT datname::text FROM pg_database",
        "SELECT rolname::text FROM pg_roles",
        "SELECT description FROM pg_shdescription",
        "SELECT concat_ws(' ', setrole::regrole, setconfig) FROM pg_db_role_setting",
        "SELECT concat_ws(' ', usename, application_name, client_addr, query) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    ] {
        for row in tenant.query(query, &[]).expect("everybody reads it") {
            seen.push_str(row.get::<_, Option<&str>>(0).unwrap_or_default());
            seen.push('\n');
        }
    }
    assert!(
        seen.contains("\"by\":\"provisioner\"") && seen.contains(theirs["name"].as_str().expect("a name")),
        "{seen}"
    );
    for word in ["inst_", "user:", "u1", "shop", "what the other one asks", "SCRAM", "127.0.0.1", "theirs"] {
        assert!(!seen.contains(word), "`{word}` is revealed: {seen}");
    }
}
