//! The views in PostgreSQL.

use super::copy::copy;
use super::story::{BUSINESSES, Filled, partition, sorted, tables};
use counterparts::Postgres;
use host_store_postgres::{PostgresStore, Settings, run_script};
use host_tables::{Type, View, postgres, space};
use serde_json::Value;

const DATABASE: &str = "stores";

/// A server with the roles, and a store with the rows of some stories.
struct Server {
    postgres: Postgres,
    settings: Settings,
}

impl Server {
    fn start(businesses: &[&str]) -> Server {
        let postgres = Postgres::start();
        let settings: Settings = postgres.database(DATABASE).parse().expect("an address");
        postgres.sql(
            DATABASE,
            "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE host_admin; CREATE ROLE service_role",
        );
        let mut store = PostgresStore::open(&settings).expect("a store");
        for business in businesses {
            copy(&Filled::of(business), &mut store);
        }
        Server { postgres, settings }
    }

    fn up(&self, business: &str) {
        let script = postgres::up(tables(business), &partition(business), &postgres::Roles::default()).expect("names");
        std::fs::write(format!("/tmp/up-{business}.sql"), &script).unwrap();
        run_script(&self.settings, &script).unwrap_or_else(|error| panic!("{business}: {error}"));
    }

    fn rows(&self, business: &str, view: &View) -> Vec<Value> {
        let name = format!("\"{}\".\"{}\"", space(&partition(business)), view.name);
        let text = self.postgres.sql(DATABASE, &format!("SET timezone = 'UTC'; SELECT to_jsonb(v) FROM {name} AS v"));
        let rows =
            text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect("JSON"));
        let mut rows: Vec<Value> = rows.collect();
        let times = view.columns.iter().filter(|column| column.column_type == Type::Timestamp);
        for column in times {
            for row in &mut rows {
                if let Some(text) = row[&column.name].as_str() {
                    row[&column.name] = Value::from(text.replace("+00:00", ".000Z"));
                }
            }
        }
        sorted(rows)
    }
}

#[test]
fn both_stores_show_the_same_rows() {
    let server = Server::start(&BUSINESSES);
    for business in BUSINESSES {
        server.up(business);
        let filled = Filled::with_views(business);
        for view in &tables(business).views {
            let mut expected = filled.rows(view);
            let mut found = server.rows(business, view);
            for row in expected.iter_mut().chain(&mut found) {
                for time in ["created_at", "createdAt", "deployed_at"] {
                    row.as_object_mut().expect("a row").remove(time);
                }
            }
            assert_eq!(found, sorted(expected), "{business} {}", view.name);
        }
    }
    server.postgres.sql(DATABASE, "SELECT 1");
}
