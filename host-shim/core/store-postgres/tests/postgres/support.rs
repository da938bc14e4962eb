//! A schema of a real server for each store.

use counterparts::Postgres;
use host_store::Store;
use host_store_postgres::{PostgresStore, Settings};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns the address of a new, empty store.
pub fn address() -> Settings {
    static DATABASE: OnceLock<String> = OnceLock::new();
    static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
    let server = Postgres::shared();
    let database = DATABASE.get_or_init(|| server.database("stores"));
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    format!("{database}&schema=store_{number}").parse().expect("an address")
}

/// Opens a new, empty store.
pub fn open() -> Box<dyn Store> {
    Box::new(PostgresStore::open(&address()).expect("opened"))
}

/// Runs SQL in the schema of a store; returns one line per row.
pub fn sql(settings: &Settings, statement: &str) -> String {
    Postgres::shared().sql("stores", &format!("SET search_path = {}; {statement}", settings.schema()))
}
