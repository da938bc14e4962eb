//! The database is another machine: it may be silent, served by another server with the same name, or be moved.

use super::{Running, SECRET, args, environment, exchange, log_of, now_s};
use crate::run::{run_with, subscription};
use counterparts::{FaultProxy, Postgres, Protocol};
use host_intake::testing::sign;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Attempts until a server has noticed that the database answers again.
const ATTEMPTS: usize = 200;

fn start(data: &Path, database: &str) -> Running {
    let all = args("solobase", data, &["--providers", "local", "--simulate", "--postgres"]);
    let variables = [environment().as_slice(), &[("DATABASE_URL", database)]].concat();
    Running::start_args(&all, &variables, &log_of(data))
}

/// Delivers an event of Stripe; returns the head of the answer.
fn deliver(server: &Running, id: &str) -> String {
    let body = subscription(id).to_string();
    let signature = format!("Host: x\r\nStripe-Signature: {}\r\n", sign(SECRET, now_s(), body.as_bytes()));
    exchange(&server.address, "POST /api/webhooks/stripe", &signature, &body).expect("an answer").0
}

fn status(server: &Running, line: &str, headers: &str) -> u16 {
    server.send(line, headers, "").unwrap_or_else(|| panic!("{line}: no answer")).0
}

#[test]
fn a_server_whose_database_freezes_answers_everything_goes_on_after_it_and_stops_during_it() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let direct = postgres.database("shop");
    let proxy = FaultProxy::start(([127, 0, 0, 1], postgres.port()).into(), Protocol::Plain);
    let database = format!(
        "postgres://postgres:{}@127.0.0.1:{}/shop?sslmode=disable&statement_timeout=2s&connect_timeout=1",
        postgres.password(),
        proxy.address().port()
    );
    let data = folder.path().join("data");
    let mut server = start(&data, &database);
    server.key = super::operator_key(&data, "solobase", Some(&direct));
    let authorization = format!("Authorization: Bearer {}\r\n", server.key);
    assert!(deliver(&server, "evt_1").starts_with("http/1.1 200"));
    assert_eq!(status(&server, "GET /health", ""), 200);

    proxy.freeze();
    let refused = deliver(&server, "evt_2");
    assert!(refused.starts_with("http/1.1 503") && refused.contains("\r\nretry-after: "), "{refused}");
    assert_eq!(status(&server, "GET /health", ""), 503);
    assert_eq!(status(&server, "GET /metrics", &authorization), 503, "nobody knows whether the key counts");
    assert_eq!(status(&server, "GET /api/operator/accounts", &authorization), 503);
    status(&server, "GET /login", "");

    proxy.go_on();
    let is_well = (0..ATTEMPTS).any(|_| {
        thread::sleep(Duration::from_millis(50));
        status(&server, "GET /health", "") == 200
    });
    assert!(is_well, "{}", std::fs::read_to_string(log_of(&data)).unwrap_or_default());
    let is_stored = (0..ATTEMPTS).any(|_| deliver(&server, "evt_2").starts_with("http/1.1 200"));
    assert!(is_stored, "sent again");
    // The keys have a connection of their own, which comes back by itself.
    let knows_keys = (0..ATTEMPTS).any(|_| status(&server, "GET /metrics", &authorization) == 200);
    assert!(knows_keys, "{}", std::fs::read_to_string(log_of(&data)).unwrap_or_default());

    proxy.freeze();
    server.stop_or_cut();
    let stored = "SELECT count(*) FROM provisioner.events WHERE id IN ('evt_1', 'evt_2')";
    assert_eq!(postgres.sql("shop", stored).trim(), "2");
}

#[test]
fn a_copied_data_folder_is_not_a_second_server() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let database = postgres.database("shop");
    let [first, second] = ["one", "two"].map(|name| folder.path().join(name).join("data"));
    for data in [&first, &second] {
        std::fs::create_dir_all(data).expect("a folder");
    }
    let server = start(&first, &database);
    for file in ["host", "database"] {
        std::fs::copy(first.join(file), second.join(file)).expect("copied");
    }
    let again = args("solobase", &second, &["--providers", "local", "--simulate", "--postgres"]);
    let variables = [environment().as_slice(), &[("DATABASE_URL", database.as_str())]].concat();
    let refused = run_with(&again, b"", &variables);
    let told = refused.stderr.contains("another running server of the database has the name")
        && refused.stderr.contains("remove the file `host`");
    assert!(refused.code == 1 && told, "{refused:?}");
    std::fs::remove_file(second.join("host")).expect("removed");
    start(&second, &database).stop();
    server.kill();
    start(&first, &database).stop();
}

#[test]
fn a_store_that_a_running_server_uses_is_not_copied() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let (database, other) = (postgres.database("shop"), postgres.database("other"));
    let data = folder.path().join("data");
    let store = format!("sqlite:{}", data.join("store.db").display());
    let file = format!("sqlite:{}", folder.path().join("copy.db").display());
    let migrate = |from: &str, to: &str| run_with(&["migrate", "--from", from, "--to", to], b"", &[]);
    let refused = |from: &str, to: &str, told: &str| {
        let ran = migrate(from, to);
        assert!(ran.code == 1 && ran.stderr.contains(told), "{from} {to}: {ran:?}");
    };
    let server = Running::start(&data);
    refused(&store, &database, "a server uses this folder: stop it first");
    refused(&other, &store, "a server uses this folder: stop it first");
    assert_eq!(postgres.sql("shop", "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'provisioner%'").trim(), "0");
    server.stop();
    let moved = migrate(&store, &database);
    assert_eq!(moved.code, 0, "{moved:?}");
    std::fs::remove_file(data.join("store.db")).expect("removed");
    let server = start(&data, &database);
    refused(&database, &file, "a server uses the database: stop it first");
    refused(&database, &other, "a server uses the database: stop it first");
    server.stop();
    refused(&database, &database, "uses the database");
    let copied = migrate(&database, &other);
    assert_eq!(copied.code, 0, "{copied:?}");
    refused(&database, &other, "drop the database and create it again");
    let copied = migrate(&database, &file);
    assert_eq!(copied.code, 0, "{copied:?}");
    let ran = migrate(&database, &file);
    assert!(ran.code == 1 && ran.stderr.contains("remove the file first"), "{ran:?}");
    assert!(!ran.stderr.contains("misuse"), "{ran:?}");
}

#[test]
fn a_server_does_not_start_without_the_secrets_to_which_its_records_refer() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::start(&data);
    super::buy(&server);
    super::make_instance(&server);
    super::wait_until_quiet(&server);
    server.stop();
    let world = data.join("providers");
    for file in ["secrets.db", "secrets.id"] {
        std::fs::remove_file(world.join(file)).expect("the secrets were kept");
    }
    let again = args("solobase", &data, &["--providers", "local", "--simulate"]);
    let refused = run_with(&again, b"", &environment());
    let told = refused.stderr.contains("the records refer to") && refused.stderr.contains("provisioner secrets begin");
    assert!(refused.code == 1 && told, "{refused:?}");
    let begun = run_with(&["secrets", "begin", "--world", &world.display().to_string()], b"", &environment());
    assert_eq!(begun.code, 0, "{begun:?}");
    Running::start(&data).stop();
}
