//! A PostgreSQL server for the tests of this program, with a schema for each store.

use counterparts::Postgres;
use host_store::Store;
use host_store_postgres::{PostgresStore, Settings};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// The server, while any test needs it.
static SERVER: Mutex<Weak<(Postgres, String)>> = Mutex::new(Weak::new());

thread_local! {
    /// Keeps the server until the end of the test's thread.
    static KEPT: RefCell<Option<Arc<(Postgres, String)>>> = const { RefCell::new(None) };
}

fn server() -> Arc<(Postgres, String)> {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let running = server.upgrade().unwrap_or_else(|| {
        let postgres = Postgres::start();
        let address = postgres.database("stores");
        Arc::new((postgres, address))
    });
    *server = Arc::downgrade(&running);
    KEPT.set(Some(running.clone()));
    running
}

/// Returns the address of a new, empty store.
pub fn address() -> Settings {
    static SCHEMAS: OnceLock<AtomicUsize> = OnceLock::new();
    let number = SCHEMAS.get_or_init(AtomicUsize::default).fetch_add(1, Ordering::Relaxed);
    format!("{}&schema=store_{number}", server().1).parse().expect("an address")
}

/// Opens a new, empty store.
pub fn open() -> Box<dyn Store> {
    Box::new(PostgresStore::open(&address()).expect("opened"))
}

/// Runs SQL in the schema of a store; returns one line per row.
pub fn sql(settings: &Settings, statement: &str) -> String {
    server().0.sql("stores", &format!("SET search_path = {}; {statement}", settings.schema()))
}
