//! The life of a database from creation to destruction.

use super::support::{SCOPE, Stage, call, code, done, ensure, is_refused, state};
use ::postgres::NoTls;
use host_provider_api::{CallOutcome, Provider, Secrets, conformance};
use host_providers::postgres::{Config, Password, Postgres};
use serde_json::json;

#[test]
fn postgres_conforms() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    assert_eq!(conformance::check(&provider, "database", &json!({"quota_gb": 1, "name": "acme"})), Ok(()));
    assert_eq!(provider.held(), Ok(Some(Vec::new())), "nothing is left");
    let left = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'r\\_%'";
    assert_eq!(stage.admin().query_one(left, &[]).expect("counted").get::<_, i64>(0), 0);
    assert!(stage.vault.list().expect("the secrets").is_empty(), "no secret is left");
}

#[test]
fn a_tenant_gets_a_usable_database() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    assert_eq!(outputs["endpoint"], json!(format!("127.0.0.1:{}", stage.servers[0].port())));
    let mut tenant = stage.tenant(&outputs);
    tenant
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1); UPDATE t SET n = 2")
        .expect("its own schema");
    let row =
        tenant.query_one("SELECT n, current_schema()::text, current_setting('statement_timeout') FROM app.t", &[]);
    let row = row.expect("its own table");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (2, "app", "30s"));
    let held = provider.held().expect("an answer").expect("a list");
    let [held] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!(
        (held.id.scope.as_str(), held.id.id.as_str(), held.state.as_str()),
        (SCOPE, "inst_1/database", "running")
    );
    let seen = done(&provider, &call("database.observe", "inst_1/database", 1, json!({})));
    assert_eq!((&seen["outputs"], &seen["is_over_quota"]), (&outputs, &json!(false)));
    assert!(seen["bytes"].as_i64().is_some_and(|bytes| bytes > 1_000_000), "{seen}");
}

#[test]
fn a_database_over_its_quota_is_reported() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    done(&provider, &call("database.ensure", "inst_1/database", 1, json!({"quota_mb": 1})));
    let seen = done(&provider, &call("database.observe", "inst_1/database", 1, json!({})));
    assert_eq!((&seen["quota_bytes"], &seen["is_over_quota"]), (&json!(1 << 20), &json!(true)));
    done(&provider, &call("database.change", "inst_1/database", 2, json!({"quota_mb": "2000", "state": "running"})));
    let seen = done(&provider, &call("database.observe", "inst_1/database", 2, json!({})));
    assert_eq!((&seen["quota_bytes"], &seen["is_over_quota"]), (&json!(2_000 << 20), &json!(false)));
}

#[test]
fn a_suspended_tenant_is_disconnected_and_can_not_log_in() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    let mut tenant = stage.tenant(&outputs);
    tenant.batch_execute("CREATE TABLE t (n int)").expect("the tenant writes");
    let suspend = call("database.change", "inst_1/database", 2, json!({"state": "suspended"}));
    assert_eq!(done(&provider, &suspend)["state"], json!("suspended"));
    assert!(tenant.batch_execute("SELECT 1").is_err(), "its session has ended");
    assert_eq!(state(stage.tenant_config(&outputs).connect(NoTls)), "28000", "the login is refused");
    assert_eq!(ensure(&provider, "inst_1/database", 2), outputs, "the database is found and still suspended");
    assert_eq!(state(stage.tenant_config(&outputs).connect(NoTls)), "28000");
    assert_eq!(provider.held().expect("an answer").expect("a list")[0].state, "suspended");
    done(&provider, &call("database.change", "inst_1/database", 3, json!({"state": "running"})));
    stage.tenant(&outputs).batch_execute("SELECT * FROM app.t").expect("the data is still there");
}

#[test]
fn refused_writes_can_not_be_circumvented() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    let role = outputs["user"].as_str().expect("a user");
    let mut tenant = stage.tenant(&outputs);
    let begun = "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 100); CREATE TABLE u (n int)";
    tenant.batch_execute(begun).expect("the tenant writes");
    done(&provider, &call("database.change", "inst_1/database", 2, json!({"writes": "refused"})));
    let mut later = stage.tenant(&outputs);
    assert_eq!(state(later.batch_execute("INSERT INTO t VALUES (1)")), "25006", "a new session is read-only");
    for client in [&mut tenant, &mut later] {
        client.batch_execute("SET default_transaction_read_only = off").expect("a session may change this setting");
        for write in [
            "INSERT INTO t VALUES (1)".to_owned(),
            "UPDATE t SET n = 0".to_owned(),
            "COPY t FROM STDIN".to_owned(),
            "CREATE TABLE v (n int)".to_owned(),
            "CREATE TABLE v AS SELECT * FROM t".to_owned(),
            format!("GRANT INSERT ON t TO {role}"),
            "ALTER TABLE t DISABLE TRIGGER ALL".to_owned(),
            "ALTER EVENT TRIGGER writes_refused DISABLE".to_owned(),
            "DROP EVENT TRIGGER writes_refused".to_owned(),
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(),
        ] {
            assert_eq!(state(client.batch_execute(&write)), "42501", "{write}");
        }
    }
    later.batch_execute("DELETE FROM t WHERE n > 50; DROP TABLE u").expect("freeing space is allowed");
    assert_eq!(ensure(&provider, "inst_1/database", 2), outputs, "writes are still refused");
    assert_eq!(state(stage.tenant(&outputs).batch_execute("INSERT INTO t VALUES (1)")), "25006");
    done(&provider, &call("database.change", "inst_1/database", 3, json!({"writes": "allowed"})));
    let again = "INSERT INTO t VALUES (1); UPDATE t SET n = 2; CREATE TABLE v (n int)";
    stage.tenant(&outputs).batch_execute(again).expect("the tenant writes again");
}

#[test]
fn a_late_older_call_does_not_recreate_a_destroyed_database() {
    let stage = Stage::with(1);
    let provider = stage.provider();
    let first = ensure(&provider, "inst_1/database", 1);
    done(&provider, &call("database.destroy", "inst_1/database", 2, json!({})));
    let late = provider.call(&call("database.ensure", "inst_1/database", 1, json!({})));
    assert!(is_refused(&late, "superseded"), "{late:?}");
    assert_eq!(provider.held(), Ok(Some(Vec::new())));
    done(&provider, &call("database.destroy", "inst_2/database", 5, json!({})));
    let late = provider.call(&call("database.ensure", "inst_2/database", 4, json!({})));
    assert!(is_refused(&late, "superseded"), "destroyed before it was created: {late:?}");
    let anew = ensure(&provider, "inst_1/database", 3);
    assert_eq!(anew["name"], first["name"]);
    stage.tenant(&anew).batch_execute("CREATE TABLE t (n int)").expect("an empty database with its own password");
    let nothing = provider.call(&call("database.change", "inst_3/database", 1, json!({"state": "suspended"})));
    assert!(is_refused(&nothing, "not-found"), "{nothing:?}");
}

#[test]
fn the_server_with_fewest_databases_is_chosen_and_found_again() {
    let stage = Stage::with(2);
    let provider = stage.provider_with(|config| config.servers[0].max_databases = 2);
    let port = |server: usize| json!(format!("127.0.0.1:{}", stage.servers[server].port()));
    let at = |id: &str| ensure(&provider, id, 1)["endpoint"].clone();
    assert_eq!((at("a/database"), at("b/database"), at("c/database")), (port(0), port(1), port(0)));
    // The first server is full now, so the second server gets all new databases.
    assert_eq!((at("d/database"), at("e/database")), (port(1), port(1)));
    assert_eq!((at("a/database"), at("b/database"), at("c/database")), (port(0), port(1), port(0)), "each is found");
    done(&provider, &call("database.destroy", "a/database", 2, json!({})));
    assert_eq!(at("f/database"), port(0), "a destroyed database frees its place");
    let wanted =
        |endpoint: &str| provider.call(&call("database.ensure", "g/database", 1, json!({"endpoint": endpoint})));
    let nowhere = wanted("db.example.com");
    assert!(is_refused(&nowhere, "unknown-server"), "{nowhere:?}");
    assert_eq!(code(&wanted(port(0).as_str().expect("an endpoint"))), "no-room", "the server is full");
    assert_eq!(provider.held().expect("an answer").expect("a list").len(), 5);
    // The call fails, since the unreachable server might have the database.
    let deaf = stage.provider_with(|config| config.servers[1].port = 1);
    assert_eq!(code(&deaf.call(&call("database.ensure", "h/database", 1, json!({})))), "database-unreachable");
}

#[test]
fn concurrent_calls_create_one_database_and_respect_the_servers_maximum() {
    let stage = Stage::with(2);
    let at_once = |ids: &[&str], most: u32| -> Vec<CallOutcome> {
        std::thread::scope(|scope| {
            let each = |id: &str| {
                // Each call has its own provider, like another process.
                let provider = stage.provider_with(|config| {
                    config.servers.iter_mut().for_each(|server| server.max_databases = most);
                });
                let ensure = call("database.ensure", id, 1, json!({}));
                scope.spawn(move || provider.call(&ensure))
            };
            let calls: Vec<_> = ids.iter().map(|id| each(id)).collect();
            calls.into_iter().map(|call| call.join().expect("an answer")).collect()
        })
    };
    let same = at_once(&["a/database"; 5], 10);
    assert!(same.iter().all(|answer| *answer == same[0] && code(answer) == "done"), "{same:?}");
    assert_eq!(stage.provider().held().expect("an answer").expect("a list").len(), 1);
    let many = at_once(&["b/database", "c/database", "d/database", "e/database", "f/database", "g/database"], 2);
    let made = many.iter().filter(|answer| code(answer) == "done").count();
    assert!(
        made <= 3 && many.iter().all(|answer| ["done", "no-room", "database-busy"].contains(&code(answer))),
        "{many:?}"
    );
    let held = stage.provider().held().expect("an answer").expect("a list").len();
    assert_eq!(held, made + 1);
    // Calls that met a conflict are repeated until all places are taken.
    for id in ["b/database", "c/database", "d/database", "e/database", "f/database", "g/database"] {
        at_once(&[id], 2);
    }
    assert_eq!(stage.provider().held().expect("an answer").expect("a list").len(), 4);
}

#[test]
fn a_database_of_others_with_the_derived_name_is_left_alone() {
    let (stage, elsewhere) = (Stage::with(1), Stage::with(1));
    let name = ensure(&elsewhere.provider(), "inst_1/database", 1)["name"].as_str().expect("a name").to_owned();
    stage.admin().batch_execute(&format!("CREATE DATABASE {name}")).expect("somebody else's");
    let provider = stage.provider();
    for kind in ["database.ensure", "database.change", "database.observe", "database.destroy"] {
        let answer = provider.call(&call(kind, "inst_1/database", 1, json!({})));
        assert!(is_refused(&answer, "name-taken"), "{kind}: {answer:?}");
    }
    let there = "SELECT count(*) FROM pg_database WHERE datname = $1";
    assert_eq!(stage.admin().query_one(there, &[&name]).expect("counted").get::<_, i64>(0), 1);
}

#[test]
fn no_statement_contains_a_plain_password() {
    let stage = Stage::with(1);
    stage.admin().batch_execute("ALTER SYSTEM SET log_statement = 'all'").expect("set");
    stage.admin().batch_execute("SELECT pg_reload_conf()").expect("read");
    let provider = stage.provider();
    let outputs = ensure(&provider, "inst_1/database", 1);
    stage.tenant(&outputs).batch_execute("CREATE TABLE t (n int)").expect("it logs in");
    done(&provider, &call("database.change", "inst_1/database", 2, json!({"state": "suspended"})));
    done(&provider, &call("database.backup", "inst_1/database", 3, json!({})));
    let reference = outputs["secret_ref"].as_str().expect("a reference");
    let password = stage.vault.resolve(SCOPE, reference).expect("the password");
    let log = stage.servers[0].log();
    assert!(log.contains("CREATE ROLE") && log.contains("SCRAM-SHA-256$4096:"), "statements are in the log");
    for secret in [password.expose(), stage.servers[0].password()] {
        assert!(!log.contains(secret), "a password is in the log");
    }
    assert!(!outputs.to_string().contains(password.expose()));
}

#[test]
fn invalid_settings_are_reported_with_the_expected_values() {
    let stage = Stage::with(1);
    let error = |change: fn(&mut Config)| {
        let mut config = stage.config();
        change(&mut config);
        Postgres::new(config).err().expect("refused").to_string()
    };
    assert_eq!(error(|config| config.servers.clear()), "`servers` is `empty`: expected at least one");
    assert_eq!(error(|config| config.connections = 0), "`connections` is `0`: expected 1 to 1000");
    assert!(error(|config| config.servers[0].host = "a b".to_owned()).starts_with("`host` is `a b`"));
    assert!(error(|config| config.servers.push(config.servers[0].clone())).starts_with("`servers` is `127.0.0.1:"));
    let wrong = stage.provider_with(|config| {
        config.servers[0].admin_password = Password::Reference("secret:vault/none".to_owned());
    });
    let answer = wrong.call(&call("database.ensure", "inst_1/database", 1, json!({})));
    assert!(is_refused(&answer, "secret-unknown"), "{answer:?}");
    assert!(wrong.held().is_err(), "an unavailable list is an error, not an empty list");
}
