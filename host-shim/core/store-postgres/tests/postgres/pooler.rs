//! A pooler before the database: one that gives each connection a session of its own works, and any other one is refused before
//! anything is written.

use crate::support::change;
use counterparts::{PgBouncer, Postgres};
use host_store::Store;
use host_store_postgres::{OpenError, PostgresStore, Presence, Settings};

/// Tables that a server has made, in whatever schema.
const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";

#[test]
fn a_pooler_of_sessions_works_like_the_database_itself() {
    let server = Postgres::start();
    server.database("shop");
    let pooler = PgBouncer::start(&server, &["pool_mode = session", "server_reset_query = DISCARD ALL"]);
    let settings: Settings = pooler.url("shop").parse().expect("an address");
    let mut store = PostgresStore::open(&settings).expect("opened");
    let mut other = PostgresStore::open(&settings).expect("opened");
    let presence = Presence::take(&settings, "a").expect("locks of a session");
    store.begin().expect("no group");
    store.mark().expect("a group");
    store.apply(&change("evt_1")).expect("applied");
    store.commit().expect("committed");
    other.apply(&change("evt_2")).expect("applied");
    let mut reader = store.reader().expect("a reader");
    reader.begin().expect("a snapshot");
    let ids: Vec<String> =
        reader.inbox_after(None, 0, 100).expect("read").into_iter().map(|row| row.event.id).collect();
    assert_eq!(ids, ["evt_1", "evt_2"]);
    reader.end().expect("a snapshot");
    drop((store, other, reader, presence));
    // The sessions of before are used again, without what they were set to.
    drop(PostgresStore::open(&settings).expect("opened again"));
    drop(Presence::take(&settings, "a").expect("the lock of before is free"));
    assert_eq!(server.sql("shop", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").trim(), "0");
}

#[test]
fn a_pooler_that_shares_sessions_is_refused_by_name_before_anything_is_written() {
    let server = Postgres::start();
    for (number, lines) in [
        &["pool_mode = transaction"][..],
        &["pool_mode = transaction", "ignore_startup_parameters = options"],
        &["pool_mode = statement"],
        &["pool_mode = session", "server_reset_query ="],
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("shop_{number}");
        server.database(&name);
        let pooler = PgBouncer::start(&server, lines);
        let settings: Settings = pooler.url(&name).parse().expect("an address");
        let mut refused = PostgresStore::open(&settings).err();
        if refused.is_none() {
            // Without other connections a session that is not reset is first shared by the next program.
            refused = PostgresStore::open(&settings).err();
            assert_eq!(lines[0], "pool_mode = session", "{lines:?}");
        } else {
            assert_eq!(server.sql(&name, TABLES).trim(), "0", "{lines:?}");
        }
        assert!(matches!(refused, Some(OpenError::SharedSession)), "{lines:?}: {refused:?}");
        let told = refused.expect("as asserted").to_string();
        assert!(told.contains("pool_mode = session"), "{told}");
    }
}
