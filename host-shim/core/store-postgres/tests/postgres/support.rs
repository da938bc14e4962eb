//! A schema of a real server for each store.

use counterparts::Postgres;
use extension_contract::Row;
use host_store::testing::samples;
use host_store::{Changes, Partition, PlaceQuery, Read, Store};
use host_store_postgres::{PostgresStore, Settings};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns the address of a new, empty store.
pub fn address() -> Settings {
    static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
    let database = Postgres::shared().shared_database("stores");
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    format!("{database}&schema=store_{number}").parse().expect("an address")
}

/// Opens a new, empty store.
pub fn open() -> Box<dyn Store> {
    Box::new(PostgresStore::open(&address()).expect("opened"))
}

/// Returns a change of an account: an accepted event and a record, both with this id.
pub fn change(id: &str) -> Changes {
    let mut changes = samples::accepted(samples::new_event(id));
    changes.scope = Some(samples::scope("user:A"));
    changes.rows.push(samples::write(Row::Record(samples::record("things", id, "{}"))));
    changes
}

/// Returns the ids of all events.
pub fn ids(store: &dyn Read) -> Vec<String> {
    store.inbox_after(None, 0, 100).expect("read").into_iter().map(|row| row.event.id).collect()
}

/// Runs SQL in the schema of a store; returns one line per row.
pub fn sql(settings: &Settings, statement: &str) -> String {
    let told = Postgres::shared().sql("stores", &format!("SET search_path = {}; {statement}", settings.schema()));
    told.strip_prefix("SET\n").unwrap_or(&told).to_owned()
}

/// Returns the address of a store by a port of 127.0.0.1.
pub fn over_tcp(settings: &Settings, port: u16) -> Settings {
    with_password(settings, port, Postgres::shared().password())
}

/// Returns these settings with `password`.
pub fn with_password(settings: &Settings, port: u16, password: &str) -> Settings {
    let schema = settings.schema();
    let address = format!("postgres://postgres:{password}@127.0.0.1:{port}/stores?sslmode=disable&schema={schema}");
    address.parse().expect("an address")
}

/// Ends every connection of a store, as a restart of the server does.
pub fn end_connections(settings: &Settings) {
    let schema = settings.schema();
    sql(
        settings,
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'stores' AND pid <> pg_backend_pid() \
             AND application_name = 'provisioner {schema}'"
        ),
    );
}

/// Returns a server of the test's own, and the address of a store on it. What is not committed reaches no file within 10 s, so that a
/// crash loses it together with the numbers that it was given.
pub fn forgetful() -> (Postgres, Settings) {
    let server = Postgres::start();
    server.sql("postgres", "ALTER SYSTEM SET wal_writer_delay = '10s'");
    server.sql("postgres", "SELECT pg_reload_conf()");
    let address = format!("{}&schema=crash", server.database("crash")).parse().expect("an address");
    (server, address)
}

/// Returns the question for the account behind claims, and nothing else.
pub fn question<'q>(partition: &'q Partition, claims: &'q [String]) -> PlaceQuery<'q> {
    PlaceQuery { partition, claims, now: 0, otherwise: None, named: &[], facts: &[] }
}
