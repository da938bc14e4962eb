//! The views of `tables.yml`: a server makes them when it starts, and `provisioner tables` makes, prints and removes them.

use super::{Running, args, environment};
use crate::run::{Ran, in_business, run_with};
use counterparts::Postgres;
use host_store::SqliteStore;
use rusqlite::Connection;
use std::path::Path;

/// Returns the names of the views in a file.
fn views(store: &Path) -> Vec<String> {
    let connection = Connection::open(store).expect("opened");
    let mut all =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name").expect("a query");
    all.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
}

fn tables(business: &str, store: &str, more: &[&str]) -> Ran {
    let folder = in_business(business).display().to_string();
    run_with(&[&["tables", &folder, "--store", store], more].concat(), b"", &[])
}

/// The views of Solobase in test mode.
const MADE: [&str; 3] = ["solobase_test_instances", "solobase_test_purchases", "solobase_test_subscriptions"];

#[test]
fn a_server_makes_the_views_unless_it_shall_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    Running::start(&data).stop();
    let store = data.join("store.db");
    assert_eq!(views(&store), MADE);
    let ran = tables("solobase", &format!("sqlite:{}", store.display()), &["--down"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "removed 3 views: solobase_test_…\n"), "{ran:?}");
    Running::start_with(&data, &["--no-tables"]).stop();
    assert_eq!(views(&store), [""; 0]);
    Running::start(&data).stop();
    assert_eq!(views(&store), MADE);
}

#[test]
fn views_are_made_printed_and_removed_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let store = format!("sqlite:{}", path.display());
    let missing = tables("twobot", &store, &[]);
    assert_eq!((missing.code, missing.stderr.contains("no such file")), (2, true), "{missing:?}");
    drop(SqliteStore::open(&path).expect("a store"));
    for (more, told) in [
        (&[][..], "made 2 views: twobot_test_…\n"),
        (&["--live"], "made 2 views: twobot_live_…\n"),
        (&["--down"], "removed 2 views: twobot_test_…\n"),
        (&["--down"], "removed 0 views: twobot_test_…\n"),
    ] {
        let ran = tables("twobot", &store, more);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, told), "{ran:?}");
    }
    assert_eq!(views(&path), ["twobot_live_OrgPoolBooster", "twobot_live_UserWorkspaceAddon"]);
    let script = tables("twobot", &store, &["--sql"]).stdout;
    Connection::open(&path).expect("opened").execute_batch(&script).expect("the printed script");
    assert_eq!(views(&path).len(), 4);
    let none = tables("full-podcasts", &store, &[]);
    assert_eq!((none.code, none.stderr.contains("no views")), (2, true), "{none:?}");
    let elsewhere = tables("twobot", &path.display().to_string(), &[]);
    assert_eq!((elsewhere.code, elsewhere.stderr.contains("expected sqlite:FILE")), (2, true), "{elsewhere:?}");
}

#[test]
fn views_are_made_printed_and_removed_in_a_database() {
    let postgres = Postgres::start();
    let url = postgres.database("shop");
    postgres.sql("shop", "CREATE ROLE reader");
    let folder = tempfile::tempdir().expect("a folder");
    let database = [environment().as_slice(), &[("DATABASE_URL", url.as_str())]].concat();
    let data = folder.path().join("data");
    let start = |more: &[&str]| {
        let more = [&["--providers", "local", "--simulate", "--postgres"], more].concat();
        Running::start_args(&args("solobase", &data, &more), &database, &folder.path().join("log")).stop();
    };
    let schemas = || postgres.sql("shop", "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'solobase%'");
    start(&["--no-tables"]);
    assert_eq!(schemas(), "");
    start(&[]);
    assert_eq!(schemas().trim(), "solobase_test");
    let made = postgres.sql("shop", "SELECT oid FROM pg_namespace WHERE nspname = 'solobase_test'");
    start(&[]);
    let again = postgres.sql("shop", "SELECT oid FROM pg_namespace WHERE nspname = 'solobase_test'");
    assert_eq!(again, made, "the same views are not made again");
    let ran = tables("solobase", &url, &["--down"]);
    assert_eq!((ran.code, schemas().as_str()), (0, ""), "{ran:?}");
    let ran = tables("solobase", &url, &["--user-role", "reader"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "made 3 views: schema solobase_test\n"), "{ran:?}");
    let may = "SELECT has_table_privilege('reader', 'solobase_test.purchases', 'SELECT')";
    assert_eq!(postgres.sql("shop", may).trim(), "t");
    let script = tables("solobase", &url, &["--down", "--sql"]).stdout;
    postgres.sql("shop", &script);
    assert_eq!(schemas(), "");
}
