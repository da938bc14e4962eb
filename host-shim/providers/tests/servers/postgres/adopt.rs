//! Adoption of a database that a person created on another server.

use super::support::{SCOPE, Stage, call, done, is_refused};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::{Value, json};

/// Creates a database by hand on a server; returns its endpoint and URL.
fn made_by_hand(stage: &Stage) -> (String, String) {
    let mut admin = stage.admin();
    admin.batch_execute("CREATE ROLE ana LOGIN PASSWORD 'anas-own-password'").expect("a role");
    admin.batch_execute("CREATE DATABASE project OWNER ana").expect("a database");
    let endpoint = format!("127.0.0.1:{}", stage.servers[0].port());
    (endpoint.clone(), format!("postgres://ana:anas-own-password@{endpoint}/project"))
}

fn adopt(endpoint: &str, secret: &str) -> Call {
    let outputs = json!({"endpoint": endpoint, "secret_ref": secret});
    call("database.observe", "inst_1/database", 1, json!({"adopt": true, "outputs": outputs}))
}

#[test]
fn a_reachable_empty_database_is_adopted_and_migrated() {
    let (stage, ours) = (Stage::with(1), Stage::with(1));
    let (endpoint, address) = made_by_hand(&stage);
    let migrations = ours.folder.path().join("migrations");
    std::fs::create_dir(&migrations).expect("made");
    std::fs::write(migrations.join("001_a.sql"), "CREATE TABLE a (n int)").expect("written");
    let provider = ours.provider_with(|config| config.migrations = Some(migrations));
    let secret = ours.vault.put(SCOPE, "by hand", &address).expect("kept").reference;
    let outputs = json!({"endpoint": endpoint, "secret_ref": secret});
    let seen = done(&provider, &adopt(&endpoint, &secret));
    assert_eq!(seen, json!({"exists": true, "state": "running", "outputs": outputs}));
    let run = call("database.migrate", "inst_1/migrate", 1, json!({"database": endpoint, "secret": secret}));
    assert_eq!(done(&provider, &run), json!({"version": "001_a", "migrations": 1}));
    stage.admin_of(0, "project").batch_execute("SELECT * FROM app.a").expect("migrated");
    let filled = provider.call(&adopt(&endpoint, &secret));
    assert!(is_refused(&filled, "not-empty"), "{filled:?}");
    // `destroy` does not delete an adopted database.
    assert_eq!(
        done(&provider, &call("database.destroy", "inst_1/database", 2, json!({"outputs": outputs}))),
        json!({})
    );
    stage.admin_of(0, "project").batch_execute("SELECT * FROM app.a").expect("still there");
}

#[test]
fn a_secret_that_is_a_password_needs_a_user_and_a_name() {
    let stage = Stage::with(1);
    let (endpoint, _) = made_by_hand(&stage);
    let provider = stage.provider();
    let secret = stage.vault.put(SCOPE, "by hand", "anas-own-password").expect("kept").reference;
    assert!(is_refused(&provider.call(&adopt(&endpoint, &secret)), "bad-payload"));
    // The administrator's password is not tried, whichever name of the server the endpoint has.
    let own = stage.vault.put(SCOPE, "the server's", stage.servers[0].password()).expect("kept").reference;
    for endpoint in [&endpoint, &endpoint.replace("127.0.0.1", "localhost")] {
        assert!(is_refused(&provider.call(&adopt(endpoint, &own)), "bad-payload"));
    }
    let outputs = json!({"endpoint": endpoint, "secret_ref": secret, "user": "ana", "name": "project"});
    let with_names = call("database.observe", "inst_1/database", 1, json!({"adopt": true, "outputs": outputs}));
    assert_eq!(done(&provider, &with_names)["outputs"], outputs);
}

#[test]
fn an_unreachable_database_is_refused_without_revealing_its_password() {
    let stage = Stage::with(1);
    let (endpoint, address) = made_by_hand(&stage);
    let provider = stage.provider();
    let keep = |name: &str, plain: &str| stage.vault.put(SCOPE, name, plain).expect("kept").reference;
    let outcome = |endpoint: &str, secret: &str| -> CallOutcome { provider.call(&adopt(endpoint, secret)) };
    let nobody = keep("nobody", "postgres://ana:anas-own-password@127.0.0.1:1/project");
    for (endpoint, secret, expected) in [
        (endpoint.as_str(), keep("wrong", &address.replace("anas-own", "another")), "unreachable"),
        (endpoint.as_str(), keep("gone", &address.replace("/project", "/nothing")), "database-refused"),
        (endpoint.as_str(), keep("else", &address.replace("127.0.0.1", "localhost")), "bad-secret"),
        (endpoint.as_str(), keep("none", "postgres://%%%"), "bad-secret"),
        ("127.0.0.1:1", nobody, "unreachable"),
        ("127.0.0.1/x", keep("path", &address), "bad-payload"),
        (endpoint.as_str(), "secret:vault/none".to_owned(), "secret-unknown"),
    ] {
        let answer = outcome(endpoint, &secret);
        assert!(is_refused(&answer, expected), "{endpoint} {secret}: {answer:?}");
        let shown = format!("{answer:?}");
        assert!(!shown.contains("own-password") && !shown.contains("another-password"), "{shown}");
    }
    let nothing = call("database.observe", "inst_1/database", 1, json!({"adopt": true, "outputs": Value::Null}));
    assert!(is_refused(&provider.call(&nothing), "bad-payload"));
}
