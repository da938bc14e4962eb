//! Broken connections: what was committed counts, also if the answer is lost, and the next call connects again.

use crate::support::{address, change, forgetful, ids, over_tcp, with_password};
use counterparts::{Fault, FaultProxy, Postgres, Protocol};
use host_store::testing::samples;
use host_store::{Applied, Read, Store, StoreError};
use host_store_postgres::{OpenError, PostgresStore, Settings};

#[test]
fn a_commit_whose_answer_is_lost_counts_if_it_was_carried_out() {
    let direct = address();
    let proxy = FaultProxy::start(([127, 0, 0, 1], Postgres::shared().port()).into(), Protocol::Plain);
    let mut store = PostgresStore::open(&over_tcp(&direct, proxy.address().port())).expect("opened");
    // The server commits, and the connection breaks before the answer.
    proxy.fail_with("COMMIT", Fault::ResetAfter);
    assert_eq!(store.apply(&change("evt_1")), Ok(Applied::Done { seq: Some(1) }));
    assert_eq!(ids(&store), ["evt_1"], "the store has connected again");
    // The same in a group of steps, each of which could be undone.
    proxy.fail_with("COMMIT", Fault::ResetAfter);
    store.begin().expect("no group");
    store.mark().expect("a group");
    store.apply(&change("evt_of_step")).expect("applied");
    assert_eq!(store.commit(), Ok(()));
    assert_eq!(ids(&store), ["evt_1", "evt_of_step"]);
    // The connection breaks before the server gets the commit.
    proxy.fail_with("COMMIT", Fault::ResetBefore);
    let lost = store.apply(&change("evt_2"));
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(ids(&store), ["evt_1", "evt_of_step"]);
    assert!(store.apply(&change("evt_2")).is_ok(), "sending it again is safe");
    let stored = ["evt_1", "evt_of_step", "evt_2"].map(str::to_owned).to_vec();
    assert_eq!((proxy.struck(), ids(&store)), (3, stored));
}

#[test]
fn a_commit_that_a_crash_has_lost_is_not_taken_for_another_transaction_with_its_number() {
    let (mut server, address) = forgetful();
    let mut other = PostgresStore::open(&address).expect("opened");
    let mut store = PostgresStore::open(&address).expect("opened");
    let mut is_reused = false;
    for round in 0..5 {
        let (lost, kept) = (format!("evt_lost_{round}"), format!("evt_kept_{round}"));
        store.begin().expect("no group");
        store.apply(&change(&lost)).expect("applied");
        let number = server.sql("crash", "SELECT pg_snapshot_xmin(pg_current_snapshot())");
        // The server ends before anything of the transaction has reached a file.
        server.restart();
        while let Err(error) = other.apply(&change(&kept)) {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        }
        let next = server.sql("crash", &format!("SELECT xmin FROM crash.events WHERE id = '{kept}'"));
        is_reused |= next == number;
        assert!(matches!(store.commit(), Err(StoreError::Unavailable(_))), "{round}");
        store.rollback().expect("a group is open");
        let stored = ids(&store);
        assert!(!stored.contains(&lost) && stored.contains(&kept), "{stored:?}");
    }
    assert!(is_reused, "the server gives the number of the lost transaction to the next one");
}

#[test]
fn a_group_whose_connection_breaks_is_gone_and_the_next_group_works() {
    let settings = address();
    let mut store = PostgresStore::open(&settings).expect("opened");
    store.apply(&change("evt_1")).expect("applied");
    store.begin().expect("no group");
    store.apply(&change("evt_2")).expect("applied");
    crate::support::end_connections(&settings);
    let broken = store.apply(&change("evt_3"));
    assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    assert!(matches!(store.commit(), Err(StoreError::Unavailable(_))));
    store.rollback().expect("a group is open");
    assert_eq!(ids(&store), ["evt_1"]);
    // Outside of a group, the next call connects again.
    crate::support::end_connections(&settings);
    assert_eq!(store.account(&samples::scope("user:A")).map(|it| it.revision), Ok(1));
    store.apply(&change("evt_4")).expect("applied");
    let mut reader = store.reader().expect("a reader");
    reader.begin().expect("a snapshot");
    crate::support::end_connections(&settings);
    assert!(reader.inbox(1).is_err());
    reader.end().expect("a snapshot is open");
    reader.begin().expect("the reader connects again");
    assert_eq!(ids(&*reader), ["evt_1", "evt_4"]);
    reader.end().expect("a snapshot");
    crate::support::end_connections(&settings);
    reader.begin().expect("an idle reader connects again");
}

#[test]
fn a_wrong_address_names_the_fault_and_no_password() {
    let refused = |text: &str| text.parse::<Settings>().expect_err(text).to_string();
    assert!(refused("mysql://u:pa55@h/d").contains("expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`"));
    assert!(refused("postgres://u:pa55@h/d?schema=A;b").contains("schema `A;b`"));
    assert!(refused("postgres://u:pa55@h/d?sslmode=allow").contains("sslmode `allow`"));
    let settings: Settings = "postgres://u:pa55@db.example.com/shop?schema=s".parse().expect("an address");
    assert_eq!(format!("{settings} {settings:?}").matches("pa55").count(), 0);
    assert_eq!(settings.to_string(), "postgres shop at db.example.com, schema s");
    let none: Settings = "postgres://u:pa55@127.0.0.1:1/d?sslmode=disable".parse().expect("an address");
    let error = PostgresStore::open(&none).err().expect("nothing listens").to_string();
    assert!(error.starts_with("cannot connect to PostgreSQL") && !error.contains("pa55"), "{error}");
    let wrong = with_password(&address(), Postgres::shared().port(), "wrong");
    let error = PostgresStore::open(&wrong).err();
    assert!(matches!(&error, Some(OpenError::Unreachable(text)) if text.contains("password")), "{error:?}");
}
