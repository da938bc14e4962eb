//! Several servers, of which one takes writes: a store finds it, and leaves one that has become read-only.

use crate::support::{change, ids};
use counterparts::{FaultProxy, Postgres, Protocol};
use host_store::{Store, StoreError};
use host_store_postgres::{OpenError, PostgresStore, Settings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Waits until a change is applied.
fn wait_until_applied(store: &mut PostgresStore, id: &str) {
    let is_applied = (0..200).any(|_| {
        let applied = store.apply(&change(id));
        if applied.is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        applied.is_ok()
    });
    assert!(is_applied, "{id}");
}

#[test]
fn a_store_with_two_hosts_uses_the_one_that_takes_writes_before_and_after_a_failover() {
    let primary = Postgres::start();
    primary.database("shop");
    let standby = primary.standby();
    let (first, second) = (standby.socket().display(), primary.socket().display());
    let address = format!(
        "postgres:///shop?host={first},{second}&port={},{}&user=postgres&connect_timeout=2",
        standby.port(),
        primary.port()
    );
    let settings: Settings = address.parse().expect("an address");
    let mut store = PostgresStore::open(&settings).expect("the second host is the primary server");
    let mut reader = store.reader().expect("a reader");
    store.apply(&change("evt_1")).expect("applied");
    let has_followed = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        standby.sql("shop", "SELECT count(*) FROM pg_class WHERE relname = 'events'").trim() != "0"
            && standby.sql("shop", "SELECT count(*) FROM provisioner.events").trim() == "1"
    });
    assert!(has_followed, "the standby has what was committed");
    primary.crash();
    assert!(matches!(store.apply(&change("evt_2")), Err(StoreError::Unavailable(_))), "the connection is broken");
    let lost = store.apply(&change("evt_2"));
    assert!(matches!(&lost, Err(StoreError::Unavailable(text)) if text.contains("read-only")), "{lost:?}");
    standby.promote();
    wait_until_applied(&mut store, "evt_2");
    assert_eq!(ids(&store), ["evt_1", "evt_2"]);
    reader.begin().expect("the reader has found it, too");
    assert_eq!(ids(&*reader), ["evt_1", "evt_2"]);
    reader.end().expect("a snapshot");
}

#[test]
fn a_standby_is_no_place_for_a_store_unless_the_address_allows_any_server() {
    let primary = Postgres::start();
    let database = primary.database("shop");
    drop(PostgresStore::open(&database.parse().expect("an address")).expect("opened"));
    let standby = primary.standby();
    let address = format!("postgres:///shop?host={}&port={}&user=postgres", standby.socket().display(), standby.port());
    let refused = PostgresStore::open(&address.parse().expect("an address")).err();
    let told = "cannot connect to PostgreSQL: the server is read-only, as a standby is";
    assert_eq!(refused.map(|error| error.to_string()).as_deref(), Some(told));
    let any = format!("{address}&target_session_attrs=any").parse().expect("an address");
    let mut reader = PostgresStore::open_reader(&any).expect("a standby can be read");
    reader.begin().expect("a snapshot");
    assert_eq!(ids(&*reader), Vec::<String>::new());
    reader.end().expect("a snapshot");
}

#[test]
fn a_test_of_writes_fails_if_nothing_more_fits_on_the_disk() {
    let server = Postgres::start();
    let settings: Settings = server.database("shop").parse().expect("an address");
    let mut store = PostgresStore::open(&settings).expect("opened");
    store.try_write().expect("it takes writes");
    let place = "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = 'shop'";
    let files = PathBuf::from(server.sql("shop", place).trim());
    // Pages of existing files may be written, and there is no room for other files.
    let allow = |mode| fs::set_permissions(&files, fs::Permissions::from_mode(mode)).expect("set");
    allow(0o500);
    let refused = store.try_write();
    allow(0o700);
    assert!(matches!(&refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    store.try_write().expect("it takes writes again");
    let left = "SELECT count(*) FROM pg_class WHERE relname = 'write_test'";
    assert_eq!(server.sql("shop", left).trim(), "0", "nothing stays");
}

#[test]
fn a_server_that_becomes_read_only_is_left_and_used_again_when_it_takes_writes() {
    let server = Postgres::start();
    let settings: Settings = server.database("shop").parse().expect("an address");
    let mut store = PostgresStore::open(&settings).expect("opened");
    store.apply(&change("evt_1")).expect("applied");
    let set_read_only = |is: &str| {
        server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {is}"));
        server.sql("postgres", "SELECT pg_reload_conf()");
        let is_set = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(20));
            server.sql("postgres", "SHOW default_transaction_read_only").trim() == is
        });
        assert!(is_set, "{is}");
    };
    set_read_only("on");
    let refused = store.apply(&change("evt_2"));
    assert!(matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("25006")), "{refused:?}");
    for refused in [store.apply(&change("evt_2")).map(drop), store.try_write()] {
        let is_left = matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("as a standby is"));
        assert!(is_left, "it looks for a server that takes writes: {refused:?}");
    }
    server.sql("postgres", "ALTER SYSTEM RESET default_transaction_read_only");
    server.sql("postgres", "SELECT pg_reload_conf()");
    wait_until_applied(&mut store, "evt_2");
    store.try_write().expect("it takes writes");
    assert_eq!(ids(&store), ["evt_1", "evt_2"]);
}

#[test]
fn a_name_that_led_to_the_standby_for_a_while_leads_to_the_primary_server_again() {
    let primary = Postgres::start();
    primary.database("shop");
    let standby = primary.standby();
    let at = |server: &Postgres| ([127, 0, 0, 1], server.port()).into();
    let proxy = FaultProxy::start(at(&primary), Protocol::Plain);
    let (password, port) = (primary.password(), proxy.address().port());
    let address = format!("postgres://postgres:{password}@127.0.0.1:{port}/shop?sslmode=disable&connect_timeout=2");
    let mut store = PostgresStore::open(&address.parse::<Settings>().expect("an address")).expect("opened");
    store.apply(&change("evt_1")).expect("applied");
    proxy.lead_to(at(&standby));
    primary.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'");
    assert!(matches!(store.apply(&change("evt_2")), Err(StoreError::Unavailable(_))));
    assert!(matches!(store.apply(&change("evt_2")), Err(StoreError::Unavailable(_))), "it does not stay there");
    proxy.lead_to(at(&primary));
    wait_until_applied(&mut store, "evt_2");
}

#[test]
fn hosts_and_ports_of_an_address_belong_together() {
    let refused = |text: &str| match text.parse::<Settings>() {
        Err(OpenError::Address(problem)) => problem,
        other => panic!("{text}: {other:?}"),
    };
    let odd = refused("postgres:///shop?host=a,b,c&port=1,2");
    assert_eq!(odd, "2 ports for 3 hosts: expected one port, or one for each host");
    assert!(refused("postgres:///shop?host=a,,b").contains("a host has no name"));
    assert!(refused("postgres:///shop").contains("a host has no name"));
    assert!(refused("postgres:///shop?host=a,b&hostaddr=192.0.2.1").contains("as many"));
    for (text, shown) in [
        ("postgres:///shop?host=a,b&port=1,2", "postgres shop at a,b"),
        ("postgres:///shop?host=a,b&port=1", "postgres shop at a,b"),
        ("postgres://u:pa55@a:1,b:2/shop", "postgres shop at a,b"),
        ("postgres:///shop?host=%2Frun%2Fa,/run/b&port=1,2", "postgres shop at /run/a,/run/b"),
        ("postgres://u@[::1]:5433/shop", "postgres shop at ::1"),
    ] {
        assert_eq!(text.parse::<Settings>().expect(text).to_string(), shown, "{text}");
    }
}
