//! Files of earlier schemas are migrated and keep their data.

use crate::rows::{DueQuery, InboxState};
use crate::sqlite::{SqliteStore, VIEW_MARK};
use crate::store::{Read, Store};
use crate::testing::samples;
use extension_contract::{Account, CatalogKey, IgnoreReason, Outcome, RetryPolicy, Row, RowKey, RowKind, StoredRow};
use rusqlite::Connection;
use std::path::Path;

/// The first schema.
const FIRST: &str = include_str!("../sqlite/migrations/0001_rows.sql");

/// Rows of every table in the first schema.
const ROWS: &str = r#"
INSERT INTO scopes VALUES (1, 'shop', 0, 'user:A', 4), (2, 'shop', 0, 'platform', NULL), (3, 'shop', 1, 'user:A', 4);
INSERT INTO products VALUES
    (1, 'prod', 'instance', 'A product', '', 1, NULL, NULL, NULL, NULL, '[]', '{}', 1, 0),
    (1, 'gone', 'instance', 'A product', '', 1, NULL, NULL, NULL, NULL, '[]', '{}', 1, 1),
    (2, 'plan', 'plan', 'A product', '', 1, NULL, NULL, NULL, NULL, '[]', '{}', 1, 0);
INSERT INTO prices VALUES (2, 'price', 'plan', 'plan', NULL, 100, 'usd', NULL, NULL, 1, '[]', '{}');
INSERT INTO purchases VALUES (1, 'pur', 'stripe', 'cs_1', NULL, NULL, 'pending', '[]', 1000, 'usd', 0, 'usd', 1000,
    'usd', 0, 'usd', '{}', 1);
INSERT INTO subscriptions VALUES (1, 'sub', 'cus_A', 'active', '[]', 0, NULL, NULL, NULL, 1000, 'created', 'evt_1',
    '{}', 1);
INSERT INTO records VALUES (1, 'things', 'r', '{}', 1), (2, 'meta', 'c', '{}', 1);
INSERT INTO facts VALUES (1, 'paid:in_1', 'evt_1');
INSERT INTO claims VALUES ('shop/test//subdomain:a', 'user:A', NULL, NULL);
INSERT INTO effects VALUES
    (1, 1, 'mail', 1, 'mail.send', NULL, '{"n":1}', NULL, 'mails', NULL, NULL, 7, 100, 1000, 0, 0, 1000, 0, 'evt_1'),
    (2, 1, 'runs', 1, 'mail.send', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 1, 1000, 0, 'evt_1'),
    (3, 3, 'timer', 1, 'timer.at', NULL, '{}', NULL, NULL, 2000, NULL, NULL, NULL, NULL, 0, 0, 2000, 0, 'evt_1');
INSERT INTO events VALUES
    (1, 'shop', 0, 'stripe', 'evt_1', 'invoice.paid', 1000, '{"attempt":1,"actor":{"kind":"system"}}', 0, x'7b7d', x''),
    (2, 'shop', 0, 'stripe', 'evt_2', 'invoice.paid', 2000, '{"attempt":1,"actor":{"kind":"system"}}', 0, x'7b7d', x''),
    (3, 'shop', 0, 'stripe', 'evt_3', 'invoice.paid', 3000, '{"attempt":1,"actor":{"kind":"system"}}', 0, x'7b7d', x''),
    (4, 'shop', 0, 'stripe', 'evt_4', 'invoice.paid', 4000, '{"attempt":1,"actor":{"kind":"system"}}', 0, x'7b7d', x''),
    (5, 'bakery', 1, 'stripe', 'evt_1', 'invoice.paid', 5000, '{"attempt":1,"actor":{"kind":"system"}}', 0, x'7b7d', x'');
INSERT INTO inbox VALUES
    (1, 'user:A', 3, 0, 1, NULL, '{"ignored":"not-ours"}', x'00ff', 'native', 'k=mine', 7, x'01'),
    (2, NULL, 1, 2000, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 'user:A', 2, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'user:A', 4, 0, 5, 'trap', NULL, NULL, NULL, NULL, NULL, NULL),
    (5, NULL, 0, 5000, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO waits VALUES ('claim:k', 2);
PRAGMA user_version = 1;
"#;

fn first_schema(path: &Path) {
    let connection = Connection::open(path).expect("opened");
    connection.execute_batch(FIRST).expect("made");
    connection.execute_batch(ROWS).expect("filled");
}

fn ids(rows: &[StoredRow]) -> Vec<String> {
    rows.iter()
        .map(|stored| match &stored.row {
            Row::Product(row) => row.id.clone(),
            Row::Price(row) => row.id.clone(),
            Row::Purchase(row) => row.id.clone(),
            Row::Subscription(row) => row.id.clone(),
            Row::Record(row) => row.id.clone(),
        })
        .collect()
}

#[test]
fn a_file_of_the_first_schema_is_migrated() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    first_schema(&path);
    let mut store = SqliteStore::open(&path).expect("migrated");
    let (scope, platform) = (samples::scope("user:A"), samples::scope("platform"));
    let shop = samples::partition();
    let live = crate::Partition { livemode: true, ..shop.clone() };
    let bakery = crate::Partition { business: "bakery".into(), livemode: true };

    let opened = store.open(&scope, &[], &["paid:in_1".into()]).expect("read");
    assert_eq!(ids(&opened.rows), ["prod", "pur", "sub", "r"], "rows without a live flag are live");
    assert!(opened.rows.iter().all(|stored| stored.data_version == 4));
    assert_eq!((opened.facts, opened.account_revision), (vec![true], 0));
    assert_eq!(store.newest_data_version(&scope), Ok(Some(4)));
    assert_eq!(store.open(&platform, &[], &[]).expect("read").rows, [], "the catalog is never live");
    let keys = [CatalogKey::Product("plan".into()), CatalogKey::Price("price".into())];
    assert!(store.catalog_read(&shop, &keys).expect("read").iter().all(Option::is_some));
    assert_eq!(ids(&store.rows_all(&scope, &RowKind::Product, None, 9).expect("read")), ["gone", "prod"]);
    assert!(store.claims(&["shop/test//subdomain:a".into()]).expect("read")[0].is_some());

    let due = store.effects_due(&DueQuery::of(&shop, 9000, 9)).expect("read");
    assert_eq!(due[0].effect.payload, "{\"n\":1}");
    assert_eq!((due.len(), &due[0].effect.context, due[0].lease.number), (1, &"{}".to_owned(), 0));
    assert_eq!(due[0].effect.retry, Some(RetryPolicy { delays_ms: vec![100, 200, 400, 800, 1000, 1000] }));
    let running = store.effects_running(&shop).expect("read");
    assert_eq!((running.len(), &running[0].effect.retry), (1, &None));
    assert_eq!(store.effects_due(&DueQuery::of(&live, 9000, 9)).expect("read")[0].effect.key, "timer");

    let done = store.inbox(1).expect("read").expect("there");
    let outcome = Some(Outcome::Ignored(IgnoreReason::NotOurs));
    assert_eq!((&done.outcome, done.event.account), (&outcome, Some(Account::User("A".into()))));
    assert_eq!(done.provenance.as_ref().map(|provenance| provenance.catalog_hash.as_str()), Some("00ff"));
    let runs = store.runs(1).expect("read");
    assert_eq!((runs.len(), &runs[0].outcome, &runs[0].provenance), (1, &outcome, &done.provenance));
    assert_eq!(store.runs(2), Ok(Vec::new()));
    assert_eq!(store.inbox(3).expect("read").expect("there").state, InboxState::Deferred { since: 3000 });
    assert_eq!(store.parked_before(&shop, 2001, 9), Ok(vec![2]));
    assert_eq!((store.parked_count(&shop), store.parked_count(&bakery)), (Ok(1), Ok(0)));
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(vec![2]));
    let dead = store.dead(&shop, 0, 9).expect("read");
    assert_eq!((dead.len(), dead[0].seq, store.runs(4).expect("read").len()), (1, 4, 1));
    assert_eq!(store.inbox_due(&bakery, 5000, 9), Ok(vec![5]));

    // The file is usable: a reference, an update of a parked row, and the same results after reopening.
    let mut changes = samples::changes(&scope, "evt_9");
    let mut record = samples::write(Row::Record(samples::record("things", "r", "{}")));
    record.live = false;
    record.references = vec![extension_contract::Reference::Row(RowKey::Subscription("sub".into()))];
    changes.rows = vec![record];
    changes.inbox = Some(samples::moved(2, samples::progress(InboxState::Done)));
    store.apply(&changes).expect("applied");
    drop(store);
    let store = SqliteStore::open(&path).expect("opened again");
    let named = [extension_contract::Reference::Row(RowKey::Subscription("sub".into()))];
    assert_eq!(ids(&store.open(&scope, &[], &[]).expect("read").rows), ["prod", "pur", "sub"]);
    assert_eq!(ids(&store.open(&scope, &named, &[]).expect("read").rows), ["prod", "pur", "sub", "r"]);
    assert_eq!((store.parked_count(&shop), store.revision(&scope)), (Ok(0), Ok(1)));
}

#[test]
fn a_migration_drops_the_views_of_tables_and_leaves_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    first_schema(&path);
    let connection = Connection::open(&path).expect("opened");
    let views = format!(
        "CREATE VIEW \"a \"\" b\" AS {VIEW_MARK} SELECT seq, payload FROM effects; CREATE VIEW own AS SELECT id FROM records"
    );
    connection.execute_batch(&views).expect("made");
    drop(SqliteStore::open(&path).expect("a migration that removes a column of a view"));
    let names = |connection: &Connection| -> Vec<String> {
        let mut all = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'view'").expect("a query");
        all.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
    };
    assert_eq!(names(&connection), ["own"]);
    connection.execute_batch(&format!("CREATE VIEW new AS {VIEW_MARK} SELECT id FROM records")).expect("made");
    drop(SqliteStore::open(&path).expect("opened again, without a migration"));
    assert_eq!(names(&connection), ["own", "new"]);
}

#[test]
fn a_row_has_the_times_of_its_first_and_last_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    first_schema(&path);
    let mut store = SqliteStore::open(&path).expect("migrated");
    for (at, id) in [(5, "new"), (9, "new"), (9, "r")] {
        let mut changes = samples::changes(&samples::scope("user:A"), &format!("evt_{at}_{id}"));
        changes.at = at;
        changes.rows = vec![samples::write(Row::Record(samples::record("things", id, "{}")))];
        store.apply(&changes).expect("applied");
    }
    drop(store);
    let connection = Connection::open(&path).expect("opened");
    let mut all = connection
        .prepare("SELECT id, created_at, updated_at FROM records WHERE collection = 'things' ORDER BY id")
        .expect("a query");
    let times: Vec<(String, Option<i64>, Option<i64>)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("times");
    // Nobody knows when a row of an earlier schema was created.
    assert_eq!(times, [("new".into(), Some(5), Some(9)), ("r".into(), None, Some(9))]);
}
