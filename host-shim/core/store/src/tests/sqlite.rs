//! Tests of guarantees that only the store on disk has.

use crate::changes::Applied;
use crate::error::StoreError;
use crate::not_state::NotState;
use crate::rows::InboxState;
use crate::scope::Scope;
use crate::sqlite::{OpenError, SqliteStore, Synchronous};
use crate::state::state_hash;
use crate::store::{Read, Store};
use crate::testing::samples;
use extension_contract::{CatalogKey, CatalogRow, Reference, Row, RowKind, Selection};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Environment variable with the path of the file that the child process of the crash test writes.
const CRASH_FILE: &str = "HOST_STORE_CRASH_FILE";

fn sold(scope: &Scope, n: u64) -> crate::Changes {
    let mut changes = samples::changes(scope, &format!("evt_{n}"));
    let id = format!("pur_{n:06}");
    changes.rows.push(samples::write(Row::Purchase(samples::purchase(&id, Some(&format!("cs_{n}"))))));
    changes.facts.insert(format!("paid:{n}"));
    let key = format!("mail:{n}");
    changes.effects.push(samples::insert(samples::queued(scope, samples::effect("mail.send", &key), 1000)));
    let mut new = samples::new_event(&format!("evt_{n}"));
    new.progress = samples::progress(InboxState::Done);
    changes.inbox = samples::accepted(new).inbox;
    changes
}

/// Applies the events `from..to` in one group.
fn write_group(store: &mut dyn Store, scope: &Scope, from: u64, to: u64) {
    store.begin().expect("begun");
    for n in from..to {
        assert_eq!(store.apply(&sold(scope, n)), Ok(Applied::Done { seq: Some(n) }));
    }
    store.commit().expect("committed");
}

#[test]
fn a_reopened_file_has_everything_that_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let scope = samples::scope("user:A");
    let mut store = SqliteStore::open(&path).expect("opened");
    write_group(&mut store, &scope, 1, 20);
    let mut parked = samples::progress(InboxState::Parked { since: 5 });
    parked.waits_for = vec!["claim:k".into()];
    let inbox = Some(samples::moved(1, parked));
    store.apply(&crate::Changes { inbox, ..crate::Changes::default() }).expect("applied");
    let everything = |store: &SqliteStore| {
        let open = store.effects_open_after(&samples::partition(), 0, usize::MAX);
        (state_hash(&[store], &NotState::default()), store.inbox_after(None, 0, 100), open, store.account(&scope))
    };
    let before = everything(&store);
    store.begin().expect("begun");
    let mut again = sold(&scope, 2);
    again.inbox = None;
    store.apply(&again).expect_err("noted already");
    store.apply(&samples::accepted(samples::new_event("evt_lost"))).expect("applied");
    drop(store);

    let store = SqliteStore::open(&path).expect("opened again");
    assert_eq!(everything(&store), before);
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(vec![1]));
    assert_eq!(store.parked_count(&samples::partition()), Ok(1));
}

#[test]
fn a_second_process_sees_the_committed_changes_of_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (a, b) = (samples::scope("user:A"), samples::scope("user:B"));
    let mut first = SqliteStore::open(&path).expect("opened");
    let mut second = SqliteStore::open(&path).expect("opened");
    // Each store looks for an account that only the other store creates later. A store may cache that the account does
    // not exist, but only until the end of the group.
    for (store, scope) in [(&mut first, &b), (&mut second, &a)] {
        store.begin().expect("begun");
        assert_eq!(store.account(scope).map(|it| it.revision), Ok(0));
        store.commit().expect("committed");
    }
    for (store, scope, id) in [(&mut first, &a, "a"), (&mut second, &b, "b")] {
        let mut changes = samples::changes(scope, "evt_1");
        changes.rows.push(samples::write(Row::Subscription(samples::subscription(id))));
        store.begin().expect("begun");
        store.apply(&changes).expect("applied");
        store.commit().expect("committed");
    }
    for store in [&mut first, &mut second] {
        store.begin().expect("begun");
        for scope in [&a, &b] {
            assert_eq!(store.account(scope).map(|it| it.revision), Ok(1));
        }
        store.commit().expect("committed");
    }
    assert_eq!(state_hash(&[&first], &NotState::default()), state_hash(&[&second], &NotState::default()));
}

fn price(amount: i64) -> crate::Changes {
    let mut changes = samples::changes(&samples::scope("platform"), "evt_1");
    let mut price = samples::price("price");
    price.amount = samples::usd(amount);
    changes.rows.push(samples::write(Row::Price(price)));
    changes
}

/// Returns the amount of the price, read by `open` and by `catalog_read`.
fn costs(store: &SqliteStore) -> [i64; 2] {
    let key = CatalogKey::Price("price".into());
    let named = [Reference::Catalog(key.clone())];
    let opened = store.open(&samples::scope("user:A"), &named, &[]).expect("read").catalog;
    let read = store.catalog_read(&samples::partition(), &[key]).expect("read");
    let amount = |row: &CatalogRow| match row {
        CatalogRow::Price(price) => price.amount.amount_minor,
        other => panic!("{other:?}"),
    };
    [amount(&opened[0]), amount(read[0].as_ref().expect("there"))]
}

#[test]
fn a_cached_price_is_read_again_after_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut first = SqliteStore::open(&path).expect("opened");
    let mut second = SqliteStore::open(&path).expect("opened");
    first.apply(&price(1)).expect("applied");
    assert_eq!((costs(&first), costs(&second)), ([1; 2], [1; 2]));
    second.apply(&price(2)).expect("applied");
    assert_eq!((costs(&first), costs(&second)), ([2; 2], [2; 2]));
    first.begin().expect("begun");
    first.apply(&price(3)).expect("applied");
    assert_eq!(costs(&first), [3; 2]);
    first.rollback().expect("rolled back");
    // The next change gets the revision of the change that was rolled back.
    second.apply(&price(4)).expect("applied");
    assert_eq!((costs(&first), costs(&second)), ([4; 2], [4; 2]));
}

#[test]
fn a_change_that_fails_half_way_invalidates_its_group() {
    let mut store = SqliteStore::open_in_memory().expect("opened");
    let scope = samples::scope("user:A");
    write_group(&mut store, &scope, 1, 3);
    let before = state_hash(&[&store], &NotState::default()).expect("hashed");
    // Purchase and event are written before the facts.
    let broken = "CREATE TEMP TRIGGER broken BEFORE INSERT ON facts BEGIN SELECT RAISE(FAIL, 'no room'); END";
    let unavailable = |answer: Result<Applied, StoreError>| match answer {
        Err(StoreError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    };

    store.begin().expect("begun");
    let mut first = sold(&scope, 3);
    first.facts.clear();
    assert_eq!(store.apply(&first), Ok(Applied::Done { seq: Some(3) }));
    store.connection().execute_batch(broken).expect("broken");
    assert!(unavailable(store.apply(&sold(&scope, 4))).contains("no room"));
    store.connection().execute_batch("DROP TRIGGER broken").expect("mended");
    unavailable(store.apply(&sold(&scope, 5)));
    store.commit().expect_err("the group is incomplete");
    store.rollback().expect("rolled back");
    assert_eq!(state_hash(&[&store], &NotState::default()).expect("hashed"), before);

    store.connection().execute_batch(broken).expect("broken");
    assert!(unavailable(store.apply(&sold(&scope, 4))).contains("no room"), "outside of a group too");
    store.connection().execute_batch("DROP TRIGGER broken").expect("mended");
    assert_eq!(state_hash(&[&store], &NotState::default()).expect("hashed"), before);
    write_group(&mut store, &scope, 3, 4);
}

#[test]
fn rewriting_a_row_does_not_rewrite_unchanged_references() {
    let mut store = SqliteStore::open_in_memory().expect("opened");
    let scope = samples::scope("user:A");
    let mut purchase = samples::purchase("pur", Some("cs"));
    let name = |name: &str| Reference::Name(name.into());
    // Counts the changed rows of a write, references included.
    let mut write = |purchase: &extension_contract::Purchase, references: &[Reference]| -> u64 {
        let mut changes = samples::changes(&scope, "evt_1");
        let row = samples::write(Row::Purchase(purchase.clone()));
        changes.rows = vec![crate::RowWrite { references: references.to_vec(), ..row }];
        let before = store.connection().total_changes();
        store.apply(&changes).expect("applied");
        store.connection().total_changes() - before
    };
    // Changed rows: the row and the revision of its account, the new account and its partition, and the two references.
    assert_eq!(write(&purchase, &[name("a"), name("b")]), 2 + 2 + 2);
    purchase.version = 2;
    assert_eq!(write(&purchase, &[name("a"), name("b")]), 2);
    assert_eq!(write(&purchase, &[name("a"), name("c")]), 2 + 1 + 1);
    assert_eq!(write(&purchase, &[]), 2 + 2);
}

/// Returns a store with `count` records of one fingerprint. The first `fresh` records were rewritten with another
/// fingerprint.
fn things(count: usize, fresh: usize) -> SqliteStore {
    let mut store = SqliteStore::open_in_memory().expect("opened");
    for (things, fingerprint) in [(0..count, "old"), (0..fresh, "new")] {
        let mut changes = samples::changes(&samples::scope("user:A"), "evt_1");
        for thing in things {
            let row = samples::write(Row::Record(samples::record("things", &format!("{thing:06}"), "{}")));
            changes.rows.push(crate::RowWrite { live: false, fingerprint: Some(fingerprint.into()), ..row });
            // Rows of another kind cost nothing.
            let other = samples::write(Row::Record(samples::record("others", &format!("{thing:06}"), "{}")));
            changes.rows.push(crate::RowWrite { live: false, fingerprint: Some(fingerprint.into()), ..other });
        }
        store.apply(&changes).expect("applied");
    }
    store
}

#[test]
fn the_cost_of_a_page_of_outdated_rows_does_not_depend_on_the_number_of_rows() {
    let kind = RowKind::Record("things".into());
    let steps = |store: &SqliteStore, fingerprint: &str| {
        store.steps();
        let outdated = Selection::Outdated(kind.clone(), fingerprint.into());
        let rows = store.more(&samples::scope("user:A"), &outdated, 100).expect("read");
        assert_eq!(rows.len(), 100);
        store.steps()
    };
    let (few, many) = (things(200, 100), things(5000, 100));
    for fingerprint in ["old", "new", "newest"] {
        let (few, many) = (steps(&few, fingerprint), steps(&many, fingerprint));
        assert!(many <= few * 3 / 2, "{fingerprint}: {many} steps of 5000 rows, {few} of 200");
    }
}

#[cfg(unix)]
#[test]
fn a_new_file_is_readable_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    write_group(&mut store, &samples::scope("user:A"), 1, 2);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let mode = folder.path().join(file).metadata().expect("there while open").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_thread_of_its_own_copies_the_log_into_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    store.checkpoint_beside().expect("a thread");
    write_group(&mut store, &samples::scope("user:A"), 1, 30);
    // An immutable file is read without its log.
    let in_the_file = || -> u64 {
        let uri = format!("file:{}?immutable=1", path.display());
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
        let file = rusqlite::Connection::open_with_flags(uri, flags).expect("opened");
        file.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap_or_default()
    };
    while in_the_file() < 29 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    write_group(&mut store, &samples::scope("user:A"), 30, 40);
    drop(store);
    assert_eq!(in_the_file(), 39, "the closed file has everything");
    assert!(!folder.path().join("state.db-wal").exists(), "the last connection deletes the log");
}

#[test]
fn a_commit_waits_for_the_disk_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = |store: &SqliteStore| -> i64 {
        store.connection().pragma_query_value(None, "synchronous", |row| row.get(0)).expect("read")
    };
    assert_eq!(setting(&SqliteStore::open(folder.path().join("a.db")).expect("opened")), 2);
    let normal = SqliteStore::open_with(folder.path().join("b.db"), Synchronous::Normal).expect("opened");
    assert_eq!(setting(&normal), 1);
}

#[test]
fn a_row_has_the_times_of_its_first_and_last_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let mut store = SqliteStore::open(&path).expect("opened");
    for (at, id) in [(5, "a"), (9, "a"), (9, "b")] {
        let mut changes = samples::changes(&samples::scope("user:A"), &format!("evt_{at}_{id}"));
        changes.at = at;
        changes.rows = vec![samples::write(Row::Record(samples::record("things", id, "{}")))];
        store.apply(&changes).expect("applied");
    }
    drop(store);
    let connection = rusqlite::Connection::open(&path).expect("opened");
    let mut all = connection.prepare("SELECT key, created_at, updated_at FROM rows ORDER BY key").expect("a query");
    let times: Vec<(String, i64, i64)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("times");
    assert_eq!(times, [("record:things:a".into(), 5, 9), ("record:things:b".into(), 9, 9)]);
}

#[test]
fn a_file_of_a_newer_version_or_another_program_is_refused_and_not_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("newer.db");
    drop(SqliteStore::open(&path).expect("opened"));
    let connection = rusqlite::Connection::open(&path).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::TooNew { found: 99, known: 3 })));

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).expect("opened").execute_batch("CREATE TABLE notes (text)").expect("made");
    let bytes = std::fs::read(&foreign).expect("read");
    assert!(matches!(SqliteStore::open(&foreign), Err(OpenError::Foreign { tables: 1 })));
    assert_eq!(std::fs::read(&foreign).expect("read"), bytes);

    let text = folder.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be taken for one".repeat(100)).expect("written");
    assert!(matches!(SqliteStore::open(&text), Err(OpenError::Sqlite(_))));
    assert!(matches!(SqliteStore::open(folder.path().join("no/such/folder.db")), Err(OpenError::Io { .. })));
}

/// The child process of the next test: writes groups of events until it is killed.
#[test]
fn a_reader_of_a_file_follows_its_writer_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let scope = samples::scope("user:A");
    let mut store = SqliteStore::open(&path).expect("opened");
    write_group(&mut store, &scope, 1, 3);
    let mut reader = SqliteStore::open_reader(&path).expect("a reader beside the writer");
    let newest = |reader: &mut dyn crate::Reader| {
        reader.begin().expect("begun");
        let newest = reader.inbox_newest().expect("read");
        reader.end().expect("ended");
        newest
    };
    assert_eq!(newest(&mut *reader), 2);
    write_group(&mut store, &scope, 3, 4);
    assert_eq!(newest(&mut *reader), 3);
    drop((reader, store));
    let before = std::fs::read(&path).expect("the file");
    assert_eq!(newest(&mut *SqliteStore::open_reader(&path).expect("a reader without a writer")), 3);
    assert_eq!(std::fs::read(&path).expect("the file"), before);
}

#[test]
fn a_reader_refuses_a_file_of_another_version_and_one_that_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |name: &str, version: i64| {
        let path = folder.path().join(name);
        let connection = rusqlite::Connection::open(&path).expect("a file");
        connection.pragma_update(None, "user_version", version).expect("written");
        SqliteStore::open_reader(&path).err().expect("refused")
    };
    assert!(matches!(refused("empty.db", 0), OpenError::Foreign { tables: 0 }));
    assert!(matches!(refused("new.db", 999), OpenError::TooNew { found: 999, .. }));
    let missing = folder.path().join("missing.db");
    assert!(SqliteStore::open_reader(&missing).is_err() && !missing.exists());
}

#[test]
fn write_until_killed() {
    let Some(path) = std::env::var_os(CRASH_FILE) else { return };
    let scope = samples::scope("user:A");
    let mut store = SqliteStore::open(Path::new(&path)).expect("opened");
    for group in 0.. {
        write_group(&mut store, &scope, group * 7 + 1, group * 7 + 8);
        println!("acknowledged {}", group * 7 + 7);
    }
}

#[test]
fn acknowledged_groups_survive_a_killed_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let scope = samples::scope("user:A");
    for round in 0..4_usize {
        let path = folder.path().join(format!("crash-{round}.db"));
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "tests::sqlite::write_until_killed", "--nocapture"])
            .env(CRASH_FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut acknowledged = lines.filter_map(|line| line.split_once("acknowledged ")?.1.parse::<u64>().ok());
        let mut last = acknowledged.nth(3 + round * 5).expect("the child writes");
        child.kill().expect("killed");
        // The child may have acknowledged more groups between the last read and the kill.
        last = acknowledged.last().unwrap_or(last);
        child.wait().expect("ended");

        let mut store = SqliteStore::open(&path).expect("opened after the crash");
        let purchases = store.rows_all(&scope, &RowKind::Purchase, None, usize::MAX).expect("read").len() as u64;
        assert!(purchases >= last, "{purchases} of {last} acknowledged events are stored");
        assert_eq!(purchases % 7, 0, "a group is stored completely or not at all");
        let inbox = store.inbox_after(None, 0, usize::MAX).expect("read");
        assert_eq!(inbox.len() as u64, purchases);
        assert!(inbox.iter().all(|row| row.state == InboxState::Done));
        assert_eq!(
            store.effects_open_after(&samples::partition(), 0, usize::MAX).expect("read").len() as u64,
            purchases
        );
        write_group(&mut store, &scope, purchases + 1, purchases + 3);
    }
}
