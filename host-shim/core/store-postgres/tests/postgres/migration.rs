//! A database of the first schema, with rows in it, is brought up to date.

use crate::support::{address, sql};
use extension_contract::Row;
use host_store::testing::random::query_results;
use host_store::testing::samples;
use host_store::{MemoryStore, Read, Store};
use host_store_postgres::PostgresStore;

/// The first schema.
const FIRST: &str = include_str!("../../src/migrations/0001_tables.sql");

#[test]
fn a_database_of_the_first_schema_keeps_its_rows() {
    let (settings, newest) = (address(), address());
    let schema = settings.schema();
    sql(&settings, &format!("CREATE SCHEMA {schema}"));
    sql(&settings, FIRST);
    sql(&settings, "CREATE TABLE schema_version (version integer NOT NULL); INSERT INTO schema_version VALUES (1)");

    let (mut memory, mut filled) = (MemoryStore::new(), PostgresStore::open(&newest).expect("opened"));
    for number in 0..20 {
        let mut changes = samples::changes(&samples::scope(&format!("user:{}", number % 3)), &format!("evt_{number}"));
        changes.rows.push(samples::write(Row::Record(samples::record("things", &format!("rec_{number}"), "{}"))));
        changes.rows.push(samples::write(Row::Subscription(samples::subscription("sub_1"))));
        changes.facts.insert(format!("fact_{number}"));
        changes.inbox = samples::accepted(samples::new_event(&format!("evt_{number}"))).inbox;
        memory.apply(&changes).expect("applied");
        filled.apply(&changes).expect("applied");
    }
    for table in ["partitions", "scopes", "rows", "refs", "facts", "events"] {
        let columns = format!(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns \
             WHERE table_schema = '{schema}' AND table_name = '{table}'"
        );
        let (columns, from) = (sql(&settings, &columns), newest.schema());
        let insert =
            format!("INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {from}.{table}");
        sql(&settings, &insert);
    }
    for (sequence, value) in [("event_numbers", 20), ("scopes_id_seq", 3), ("partitions_id_seq", 1)] {
        sql(&settings, &format!("SELECT setval('{sequence}', {value})"));
    }

    let mut store = PostgresStore::open(&settings).expect("brought up to date");
    assert_eq!(query_results(&store), query_results(&memory));
    let mut changes = samples::changes(&samples::scope("user:0"), "evt_20");
    changes.rows.push(samples::write(Row::Record(samples::record("things", "rec_0", "[]"))));
    assert_eq!(store.apply(&changes), memory.apply(&changes));
    assert_eq!(store.revision(&samples::scope("user:0")), memory.revision(&samples::scope("user:0")));
    assert_eq!(sql(&settings, "SELECT version FROM schema_version").trim(), "6");
}
