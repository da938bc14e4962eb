//! A database that does not answer: each call ends in time, and the next one that gets an answer goes on.

use crate::support::{address, change, ids, over_tcp, sql};
use counterparts::{FaultProxy, Postgres, Protocol};
use host_store::testing::samples;
use host_store::{Read, Store, StoreError};
use host_store_postgres::{OpenError, PostgresStore, Settings, Wire};
use std::time::Duration;

/// Parameters of an address with small limits, in which a busy machine still opens a store.
const SOON: &str = "statement_timeout=2s&connect_timeout=1";

/// Returns a store behind a proxy, with small limits.
fn behind_proxy() -> (FaultProxy, PostgresStore) {
    let settings = address();
    drop(PostgresStore::open(&settings).expect("the tables are made"));
    let proxy = FaultProxy::start(([127, 0, 0, 1], Postgres::shared().port()).into(), Protocol::Plain);
    let (port, password, schema) = (proxy.address().port(), Postgres::shared().password(), settings.schema());
    let address =
        format!("postgres://postgres:{password}@127.0.0.1:{port}/stores?sslmode=disable&schema={schema}&{SOON}");
    let store = PostgresStore::open(&address.parse::<Settings>().expect("an address")).expect("opened");
    (proxy, store)
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

#[test]
fn no_call_waits_for_a_frozen_database_without_limit_and_the_store_goes_on_after_it() {
    let (proxy, mut store) = behind_proxy();
    store.apply(&change("evt_1")).expect("applied");
    let mut reader = store.reader().expect("a reader");
    proxy.freeze();
    is_unavailable(store.account(&samples::scope("user:A")).map(|it| it.revision));
    is_unavailable(store.apply(&change("evt_2")));
    is_unavailable(store.try_write());
    is_unavailable(reader.begin());
    is_unavailable(store.reader().map(drop));
    proxy.go_on();
    // Right after a late failure, the next attempt waits for a moment.
    let goes_on = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        store.try_write().is_ok() && reader.begin().is_ok()
    });
    assert!(goes_on, "over a new connection");
    assert_eq!(ids(&*reader), ["evt_1"], "what was not answered was not stored");
    reader.end().expect("a snapshot");
    store.apply(&change("evt_2")).expect("applied");
    assert_eq!(ids(&store), ["evt_1", "evt_2"]);
}

#[test]
fn a_group_in_a_database_that_freezes_is_lost_as_after_a_broken_connection() {
    let (proxy, mut store) = behind_proxy();
    store.begin().expect("no group");
    store.apply(&change("evt_1")).expect("applied");
    proxy.freeze();
    is_unavailable(store.commit());
    store.rollback().expect("a group is open");
    proxy.go_on();
    let is_stored = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        store.apply(&change("evt_2")).is_ok()
    });
    assert!(is_stored, "over a new connection");
    // The held COMMIT may have reached the server when the bytes passed again: then sending the event again finds it.
    let _ = store.apply(&change("evt_1"));
    let mut stored = ids(&store);
    stored.sort();
    assert_eq!(stored, ["evt_1", "evt_2"]);
}

#[test]
fn postgresql_itself_ends_a_statement_a_wait_for_a_lock_and_an_idle_transaction() {
    let shown = |settings: &Settings| {
        let wire = Wire::connect(settings.clone()).expect("connected");
        ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"].map(|name| {
            let rows = wire.query("SELECT current_setting($1::text)", &[&name]).expect("read");
            rows[0].get::<_, String>(0)
        })
    };
    let settings = address();
    assert_eq!(shown(&settings), ["15s", "10s", "1min"]);
    assert_eq!(shown(&settings.quick()), ["5s", "10s", "1min"]);
    assert_eq!(shown(&settings.patient()), ["1h", "10min", "1h"]);
    assert_eq!(shown(&settings.patient().quick()), ["1h", "10min", "1h"], "a copy of small tables may take long, too");
    let database = Postgres::shared().shared_database("stores");
    let own = "statement_timeout=2s&lock_timeout=1500ms&idle_in_transaction_session_timeout=2min";
    assert_eq!(shown(&format!("{database}&{own}").parse().expect("an address")), ["2s", "1500ms", "2min"]);
    let given = "options=-c%20statement_timeout%3D7s";
    assert_eq!(shown(&format!("{database}&{given}").parse().expect("an address"))[0], "7s", "of the address");

    let wire = Wire::connect(format!("{database}&statement_timeout=200ms").parse().expect("an address"));
    let wire = wire.expect("connected");
    let slow = wire.query("SELECT pg_sleep(60)", &[]).expect_err("it takes too long").to_string();
    assert!(slow.contains("57014"), "{slow}");
    assert!(wire.is_connected(), "the server has ended the statement, not the connection");
    drop(over_tcp(&settings, 1));
}

#[test]
fn a_wrong_time_is_refused_by_its_name() {
    for wrong in ["15", "s", "0s", "-1s", "1.5s", "15 s", "1000000h"] {
        let text = format!("postgres://u@h/d?lock_timeout={wrong}");
        let refused = text.parse::<Settings>().expect_err(wrong).to_string();
        assert!(refused.contains("lock_timeout") && refused.contains("such as `15s`"), "{wrong}: {refused}");
    }
}

#[test]
fn the_end_of_a_connection_by_the_server_is_noticed_by_its_error() {
    let settings = address();
    let mut store = PostgresStore::open(&settings).expect("opened");
    store.apply(&change("evt_1")).expect("applied");
    store.begin().expect("no group");
    store.apply(&change("evt_2")).expect("applied");
    // The server sends the reason, and then ends the connection.
    sql(
        &settings,
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'provisioner {}'",
            settings.schema()
        ),
    );
    is_unavailable(store.commit());
    store.rollback().expect("a group is open");
    store.apply(&change("evt_3")).expect("over a new connection");
    assert_eq!(ids(&store), ["evt_1", "evt_3"]);
}

#[test]
fn a_host_that_accepts_and_says_nothing_does_not_hide_the_next_one() {
    let settings = address();
    let proxy = FaultProxy::start(([127, 0, 0, 1], Postgres::shared().port()).into(), Protocol::Plain);
    proxy.freeze();
    let (password, port) = (Postgres::shared().password(), Postgres::shared().port());
    let hosts = format!("127.0.0.1:{},127.0.0.1:{port}", proxy.address().port());
    let tail = format!("sslmode=disable&connect_timeout=1&schema={}", settings.schema());
    let both: Settings = format!("postgres://postgres:{password}@{hosts}/stores?{tail}").parse().expect("an address");
    drop(PostgresStore::open(&both).expect("the second host"));
    let silent = format!("postgres://postgres:{password}@127.0.0.1:{}/stores?{tail}", proxy.address().port());
    let refused = PostgresStore::open(&silent.parse().expect("an address")).err();
    assert!(matches!(&refused, Some(OpenError::Unreachable(text)) if text == "no answer within 1 s"), "{refused:?}");
}
