//! The same tables in a SQLite file and in PostgreSQL behave the same.

use counterparts::{FaultProxy, PgBouncer, Postgres, Protocol};
use host_store_postgres::small::{Place, Shape, SmallError, SmallStore, Statements, Value, copy, values};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const FIRST: &str = "
    CREATE TABLE notes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        \"user\" TEXT NOT NULL,
        body BLOB,
        is_read INTEGER NOT NULL,
        UNIQUE (\"user\", is_read)
    ) STRICT;
    CREATE TABLE marks (
        note INTEGER NOT NULL REFERENCES notes (seq) ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (note, name)
    ) STRICT, WITHOUT ROWID;";
const SECOND: &str = "ALTER TABLE notes ADD COLUMN at INTEGER;";
const STEPS: [&str; 2] = [FIRST, SECOND];
const SHAPE: Shape = Shape { name: "notes", steps: &STEPS, tables: &[("notes", "seq"), ("marks", "note, name")] };
const OLD: Shape = Shape { name: "notes", steps: &[FIRST], tables: SHAPE.tables };

/// The two places, empty.
struct Places {
    folder: tempfile::TempDir,
    postgres: Postgres,
    database: String,
}

impl Places {
    fn new() -> Places {
        let postgres = Postgres::start();
        let database = postgres.database("small");
        Places { folder: tempfile::tempdir().expect("a folder"), postgres, database }
    }

    fn all(&self, owner: &str) -> [Place; 2] {
        let settings = self.database.parse().expect("an address");
        [
            Place::File(self.folder.path().join(format!("{owner}.db"))),
            Place::Postgres { settings, owner: owner.to_owned() },
        ]
    }
}

fn add(store: &impl Statements, user: &str, is_read: bool) -> Result<i64, SmallError> {
    let sql = "INSERT INTO notes (\"user\", body, is_read) VALUES (?1, ?2, ?3) RETURNING seq";
    let seq = store.query_one(sql, values![user, Vec::from(b"\0\xff"), is_read], |row| row.get(0))?;
    Ok(seq.expect("a number"))
}

fn users(store: &impl Statements) -> Vec<String> {
    store.query("SELECT \"user\" FROM notes ORDER BY \"user\"", &[], |row| row.get(0)).expect("rows")
}

#[test]
fn rows_are_written_read_and_deleted_alike() {
    let places = Places::new();
    for place in places.all("toys") {
        let store = SmallStore::open(&place, &SHAPE).expect("tables");
        let first = add(&store, "Zoë", false).expect("written");
        assert_eq!(add(&store, "ada", true).expect("written"), first + 1, "{place}");
        assert_eq!(users(&store), ["Zoë", "ada"], "{place}: in byte order");
        let read = "SELECT body, is_read, at FROM notes WHERE \"user\" = ?1";
        let row = store.rows(read, values!["ada"]).expect("a row").remove(0);
        assert_eq!(row.get::<Vec<u8>>(0).expect("bytes"), b"\0\xff", "{place}");
        assert!(row.get::<bool>(1).expect("true"), "{place}");
        assert_eq!(row.get::<Option<i64>>(2).expect("null"), None, "{place}");
        store.execute("INSERT INTO marks (note, name) VALUES (?1, ?2)", values![first, "x"]).expect("written");
        let orphan = store.execute("INSERT INTO marks (note, name) VALUES (?1, ?2)", values![99_i64, "x"]);
        orphan.expect_err("no such note");
        assert_eq!(store.execute("DELETE FROM notes WHERE seq = ?1", values![first]).expect("deleted"), 1, "{place}");
        assert_eq!(store.rows("SELECT name FROM marks", &[]).expect("rows"), [], "{place}: deleted with its note");
        let none = store.rows("SELECT 1 FROM notes WHERE \"user\" = ?1", values!["a\0"]).expect("no such row");
        assert_eq!(none, [], "{place}: a text that PostgreSQL cannot have");
        add(&store, "ada", true).expect_err("the address is taken");
        let again = "INSERT INTO notes (\"user\", is_read) VALUES ('ada', 1) ON CONFLICT DO NOTHING";
        assert_eq!(store.execute(again, &[]).expect("nothing to write"), 0, "{place}");
        assert_eq!(users(&store), ["ada"], "{place}: an error leaves the rows");
    }
}

#[test]
fn a_transaction_is_whole_also_after_an_error_or_a_panic() {
    let places = Places::new();
    for place in places.all("toys") {
        let store = SmallStore::open(&place, &SHAPE).expect("tables");
        let failed: Result<(), SmallError> = store.write(|rows| {
            add(rows, "ada", false)?;
            Err(SmallError::Postgres("no".to_owned()))
        });
        failed.expect_err("as it was asked");
        let panicked = thread::scope(|scope| {
            let writes = scope.spawn(|| {
                store.write(|rows| -> Result<(), SmallError> {
                    add(rows, "bob", false)?;
                    panic!("in the middle")
                })
            });
            writes.join().is_err()
        });
        assert!(panicked && users(&store).is_empty(), "{place}");
        store.write(|rows| add(rows, "eve", false)).expect("written");
        assert_eq!(users(&store), ["eve"], "{place}");
    }
}

#[test]
fn one_transaction_at_a_time_reads_and_writes() {
    let places = Places::new();
    for place in places.all("toys") {
        let stores: Vec<SmallStore> = (0..3).map(|_| SmallStore::open(&place, &SHAPE).expect("tables")).collect();
        add(&stores[0], "ada", false).expect("written");
        let added = AtomicUsize::new(0);
        thread::scope(|scope| {
            for store in &stores {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let read_then_written: Result<(), SmallError> = store.write(|rows| {
                            let at = "SELECT coalesce(at, 0) FROM notes WHERE \"user\" = 'ada'";
                            let at: i64 = rows.query_one(at, &[], |row| row.get(0))?.expect("a row");
                            rows.execute("UPDATE notes SET at = ?1", values![at + 1])?;
                            Ok(())
                        });
                        read_then_written.expect("written");
                        added.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let at: Option<i64> = stores[0].query_one("SELECT at FROM notes", &[], |row| row.get(0)).expect("a row");
        assert_eq!((at, added.into_inner()), (Some(60), 60), "{place}");
    }
}

#[test]
fn tables_get_the_steps_that_they_have_not_had_and_a_newer_version_is_refused() {
    let places = Places::new();
    for place in places.all("toys") {
        add(&SmallStore::open(&place, &OLD).expect("tables"), "ada", true).expect("written");
        for _ in 0..2 {
            let store = SmallStore::open(&place, &SHAPE).expect("tables");
            let at = store.query_one("SELECT at FROM notes", &[], |row| row.get::<Option<i64>>(0)).expect("a row");
            assert_eq!(at, Some(None), "{place}");
        }
        let told = SmallStore::open(&place, &OLD).expect_err("newer tables").to_string();
        assert_eq!(told, "it has version 2, and this program knows 1: use a newer program", "{place}");
    }
}

#[test]
fn each_owner_has_tables_of_its_own_and_several_hosts_make_them_at_once() {
    let places = Places::new();
    let [_, toys] = places.all("toys");
    let [_, tools] = places.all("tools");
    thread::scope(|scope| {
        for place in [&toys, &tools, &toys, &tools] {
            scope.spawn(|| SmallStore::open(place, &SHAPE).expect("tables"));
        }
    });
    add(&SmallStore::open(&toys, &SHAPE).expect("tables"), "ada", false).expect("written");
    assert_eq!(users(&SmallStore::open(&tools, &SHAPE).expect("tables")), Vec::<String>::new());
}

#[test]
fn rows_move_to_postgresql_and_back_and_numbers_go_on() {
    let places = Places::new();
    let [file, database] = places.all("toys");
    let back = Place::File(places.folder.path().join("back.db"));
    let [from, over, to] = [&file, &database, &back].map(|place| SmallStore::open(place, &SHAPE).expect("tables"));
    for number in 0..1_500 {
        add(&from, &format!("{number:04}"), number % 2 == 0).expect("written");
    }
    from.execute("INSERT INTO marks (note, name) SELECT seq, 'x' FROM notes WHERE seq < 10", &[]).expect("written");
    assert_eq!(copy(&SHAPE, &from, &over).expect("copied"), 1_509);
    assert_eq!(copy(&SHAPE, &over, &to).expect("copied"), 1_509);
    for query in ["SELECT * FROM notes ORDER BY seq", "SELECT * FROM marks ORDER BY note"] {
        assert_eq!(from.rows(query, &[]).expect("rows"), to.rows(query, &[]).expect("rows"));
    }
    assert_eq!([add(&over, "new", true), add(&to, "new", true)].map(|seq| seq.expect("written")), [1_501, 1_501]);
    assert_eq!(copy(&SHAPE, &from, &over).expect("copied before"), 1_509);
    from.execute("UPDATE notes SET at = 1 WHERE seq = 7", &[]).expect("written");
    add(&from, "newer", true).expect("written");
    let told = copy(&SHAPE, &from, &over).expect_err("another row").to_string();
    assert_eq!(told, "the table `notes` has another row with the same key: copy into empty tables");
    assert!(!users(&over).contains(&"newer".to_owned()), "nothing of it is copied");
}

#[test]
fn one_host_leads_until_its_connection_ends() {
    let places = Places::new();
    let [file, database] = places.all("toys");
    assert!(SmallStore::open(&file, &SHAPE).expect("tables").lead().expect("asked"));
    let [first, second] = [0, 1].map(|_| SmallStore::open(&database, &SHAPE).expect("tables"));
    for _ in 0..3 {
        assert_eq!([&first, &second].map(|host| host.lead().expect("asked")), [true, false]);
    }
    drop(first);
    let is_led = (0..100).any(|_| {
        thread::sleep(std::time::Duration::from_millis(20));
        second.lead().expect("asked")
    });
    assert!(is_led, "the second host leads after the first");
}

#[test]
fn a_host_that_does_not_ask_for_long_loses_the_lead_and_notices_it() {
    let places = Places::new();
    let [_, place] = places.all("toys");
    let [frozen, second] = [0, 1].map(|_| SmallStore::open(&place, &SHAPE).expect("tables"));
    assert_eq!([&frozen, &second].map(|host| host.lead().expect("asked")), [true, false]);
    // The connection of a frozen host stays open, and its time passes.
    let table = "\"provisioner_notes:toys\".lead";
    places.postgres.sql("small", &format!("UPDATE {table} SET until = until - interval '31 s'"));
    assert!(second.lead().expect("asked"), "the time of the first host has ended");
    for _ in 0..2 {
        assert_eq!([&frozen, &second].map(|host| host.lead().expect("asked")), [false, true]);
    }
    // A host that asks postpones the end.
    places.postgres.sql("small", &format!("UPDATE {table} SET until = until - interval '29 s'"));
    assert!(second.lead().expect("asked"));
    let left =
        places.postgres.sql("small", &format!("SELECT until > clock_timestamp() + interval '20 s' FROM {table}"));
    assert_eq!((left.trim(), frozen.lead().expect("asked")), ("t", false));
    drop(second);
    let is_led = (0..100).any(|_| {
        thread::sleep(std::time::Duration::from_millis(20));
        frozen.lead().expect("asked")
    });
    assert!(is_led, "the connection of the second host has ended");
}

#[test]
fn a_restart_of_the_database_is_survived() {
    let mut places = Places::new();
    let [_, place] = places.all("toys");
    let store = SmallStore::open(&place, &SHAPE).expect("tables");
    assert!(store.lead().expect("asked"));
    places.postgres.restart();
    add(&store, "ada", false).expect("written over a new connection");
    places.postgres.restart();
    assert_eq!(users(&store), ["ada"]);
    assert!(store.lead().expect("asked again"));
}

#[test]
fn those_who_wait_for_a_frozen_database_fail_together_and_the_tables_work_after_it() {
    let places = Places::new();
    let proxy = FaultProxy::start(([127, 0, 0, 1], places.postgres.port()).into(), Protocol::Plain);
    let address = format!(
        "postgres://postgres:{}@127.0.0.1:{}/small?sslmode=disable&statement_timeout=2s&connect_timeout=1",
        places.postgres.password(),
        proxy.address().port()
    );
    let place = Place::Postgres { settings: address.parse().expect("an address"), owner: "toys".to_owned() };
    let store = SmallStore::open(&place, &SHAPE).expect("tables");
    add(&store, "ada", false).expect("written");
    proxy.freeze();
    // One after the other, each for its own time, they would take minutes.
    let answered = thread::scope(|scope| {
        let waiting: Vec<_> = (0..200).map(|_| scope.spawn(|| store.rows("SELECT 1", &[]).is_ok())).collect();
        waiting.into_iter().map(|it| it.join().expect("no panic")).filter(|answered| *answered).count()
    });
    assert_eq!(answered, 0);
    proxy.go_on();
    let is_back = (0..100).any(|_| {
        thread::sleep(std::time::Duration::from_millis(50));
        store.rows("SELECT 1", &[]).is_ok()
    });
    assert!(is_back, "over a new connection");
    assert_eq!(users(&store), ["ada"]);
}

#[test]
fn a_pooler_that_shares_sessions_is_refused_before_anything_is_written() {
    let places = Places::new();
    for lines in [&["pool_mode = transaction"][..], &["pool_mode = transaction", "ignore_startup_parameters = options"]]
    {
        let pooler = PgBouncer::start(&places.postgres, lines);
        let settings = pooler.url("small").parse().expect("an address");
        let place = Place::Postgres { settings, owner: "toys".to_owned() };
        let refused = SmallStore::open(&place, &SHAPE).expect_err("shared").to_string();
        assert!(refused.contains("pool_mode = session"), "{refused}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        assert_eq!(places.postgres.sql("small", tables).trim(), "0");
    }
    let pooler = PgBouncer::start(&places.postgres, &["pool_mode = session"]);
    let settings = pooler.url("small").parse().expect("an address");
    let place = Place::Postgres { settings, owner: "toys".to_owned() };
    let [store, other] = [0, 1].map(|_| SmallStore::open(&place, &SHAPE).expect("tables"));
    add(&store, "ada", false).expect("written");
    assert_eq!(
        (users(&other), store.lead().expect("asked"), other.lead().expect("asked")),
        (vec!["ada".to_owned()], true, false)
    );
}

#[test]
fn a_thread_of_an_asynchronous_runtime_may_wait_for_the_database() {
    let places = Places::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    for place in places.all("toys") {
        let users = runtime.block_on(async {
            let task = tokio::spawn(async move {
                let store = SmallStore::open(&place, &SHAPE).expect("tables");
                store.write(|rows| add(rows, "ada", false)).expect("written");
                users(&store)
            });
            task.await.expect("no panic")
        });
        assert_eq!(users, ["ada"]);
    }
}

#[test]
fn an_error_has_no_value_of_the_statement() {
    let places = Places::new();
    for place in places.all("toys") {
        let store = SmallStore::open(&place, &SHAPE).expect("tables");
        add(&store, "secret-name", false).expect("written");
        let told = add(&store, "secret-name", false).expect_err("taken");
        assert!(!format!("{told} {told:?}").contains("secret-name"), "{place}: {told:?}");
    }
    assert_eq!(Value::from(Some("x")), Value::Text("x".to_owned()));
}

#[test]
fn the_only_thread_of_a_runtime_and_one_of_several_may_write_and_read() {
    let places = Places::new();
    let runtimes = [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()];
    for (mut builder, owner) in runtimes.into_iter().zip(["one", "several"]) {
        let runtime = builder.build().expect("a runtime");
        for place in places.all(owner) {
            runtime.block_on(async {
                let store = SmallStore::open(&place, &SHAPE).expect("a store");
                store.write(|transaction| add(transaction, "ada", false)).expect("written");
                assert_eq!(users(&store), ["ada"]);
            });
        }
    }
}
