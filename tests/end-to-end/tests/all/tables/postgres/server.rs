//! Databases with the stores of stories on one server, and callers with roles.

use crate::tables::story::{Filled, partition, sorted, tables};
use counterparts::Postgres;
use host_business::tables::postgres::{Roles, down, up};
use host_business::tables::space;
use host_store::SqliteStore;
use host_store::copy::copy;
use host_store_postgres::{OpenError, PostgresStore, Settings, run_script};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The roles, as a platform such as Supabase has them.
const ROLES: &str =
    "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE host_admin; CREATE ROLE service_role BYPASSRLS";
/// What such a platform does with a schema: what is created in it is granted to the roles.
const GRANTS: &str = "CREATE SCHEMA provisioner;
GRANT USAGE ON SCHEMA provisioner TO anon, authenticated, host_admin, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA provisioner GRANT ALL ON TABLES TO anon, authenticated, host_admin, service_role;";

/// The server with the roles, while any test needs it.
static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

/// A database with a store.
pub struct Server {
    postgres: Arc<Postgres>,
    database: String,
    settings: Settings,
    pub url: String,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Anonymous,
    User(&'static str),
    Admin,
    Service,
}

fn shared() -> Arc<Postgres> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let postgres = shared.upgrade().unwrap_or_else(|| {
        let postgres = Arc::new(Postgres::start());
        postgres.sql("postgres", ROLES);
        postgres
    });
    *shared = Arc::downgrade(&postgres);
    postgres
}

impl Server {
    /// Makes an empty store on the server with the roles.
    pub fn empty() -> Server {
        Server::on(shared(), GRANTS)
    }

    /// Makes an empty store on a server without the roles.
    pub fn without_roles() -> Server {
        Server::on(Arc::new(Postgres::start()), "SELECT 1")
    }

    fn on(postgres: Arc<Postgres>, first: &str) -> Server {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let database = format!("store_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let url = postgres.database(&database);
        let settings: Settings = url.parse().expect("an address");
        postgres.sql(&database, first);
        drop(PostgresStore::open(&settings).expect("a store"));
        Server { postgres, database, settings, url }
    }

    /// Makes a store with the stories, and with the views of these businesses.
    pub fn with(businesses: &[&str]) -> Server {
        let server = Server::empty();
        server.fill();
        for business in businesses {
            server.up(business).expect("views");
        }
        server
    }

    /// Copies the stories into the empty store.
    pub fn fill(&self) {
        let filled = Filled::of("twobot");
        let from = SqliteStore::open(filled.path()).expect("the stories");
        let mut to = PostgresStore::open(&self.settings).expect("a store");
        copy(&from, &mut to, &mut |_| ()).expect("copied");
    }

    pub fn up(&self, business: &str) -> Result<(), OpenError> {
        self.script(&up(tables(business), &partition(business), &Roles::default()).expect("names").script)
    }

    pub fn down(&self, business: &str) -> Result<(), OpenError> {
        self.script(&down(&partition(business), &Roles::default()).expect("names"))
    }

    pub fn script(&self, script: &str) -> Result<(), OpenError> {
        run_script(&self.settings, script)
    }

    /// Runs SQL as the owner of the store; returns one line a row.
    pub fn sql(&self, statement: &str) -> String {
        self.postgres
            .sql(&self.database, &format!("SET search_path = provisioner; SET timezone = 'UTC'; {statement}"))
            .lines()
            .filter(|line| *line != "SET")
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Runs a query as a caller; returns its rows as JSON in an order of their own, or PostgreSQL's message that it may not.
    pub fn ask(&self, caller: Caller, query: &str) -> Result<Vec<Value>, String> {
        self.ask_all(caller, &[query.to_owned()]).remove(0)
    }

    /// Runs several queries as a caller.
    pub fn ask_all(&self, caller: Caller, queries: &[String]) -> Vec<Result<Vec<Value>, String>> {
        let all = |query: &String| format!("SELECT coalesce(jsonb_agg(to_jsonb(q)), '[]') FROM ({query}) AS q");
        let lines: Vec<String> =
            queries.iter().map(|query| format!("EXECUTE {} INTO found", quoted(&all(query)))).collect();
        let answers = self.tried(caller, &lines).into_iter().map(|answer| match answer {
            Value::Array(rows) => Ok(sorted(rows)),
            Value::String(message) => Err(message),
            other => panic!("{other}"),
        });
        answers.collect()
    }

    /// Runs a statement as a caller; returns PostgreSQL's message that it may not.
    pub fn change(&self, caller: Caller, statement: &str) -> Option<String> {
        self.tried(caller, &[format!("EXECUTE {}", quoted(statement))]).remove(0).as_str().map(str::to_owned)
    }

    /// Runs lines of PL/pgSQL that may set `found`; returns it for each, or PostgreSQL's message that the caller may not.
    fn tried(&self, caller: Caller, lines: &[String]) -> Vec<Value> {
        let (role, subject) = match caller {
            Caller::Anonymous => ("anon", None),
            Caller::User(id) => ("authenticated", Some(id)),
            Caller::Admin => ("host_admin", Some("admin")),
            Caller::Service => ("service_role", None),
        };
        let claims = subject.map(|id| json!({"sub": id, "organizations": [format!("of-{id}")]}));
        let claims = quoted(&claims.map_or_else(String::new, |claims| claims.to_string()));
        // A statement that fails by itself would end psql.
        let tried = |line: &String| {
            format!(
                "found := NULL; BEGIN {line}; EXCEPTION WHEN insufficient_privilege THEN found := to_jsonb(SQLERRM); END; \
                 RETURN NEXT coalesce(found, 'null');"
            )
        };
        let text = self.sql(&format!(
            "CREATE FUNCTION pg_temp.tried() RETURNS SETOF jsonb LANGUAGE plpgsql AS $f$ DECLARE found jsonb; BEGIN {} END $f$; \
             SET ROLE {role}; SET request.jwt.claims = {claims}; SELECT 'is: ' || f::text FROM pg_temp.tried() AS f",
            lines.iter().map(tried).collect::<String>()
        ));
        let answers = text.lines().filter_map(|line| line.strip_prefix("is: "));
        answers.map(|answer| serde_json::from_str(answer).expect("JSON")).collect()
    }
}

/// Quotes a text for SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns the name of a view with its schema.
pub fn named(business: &str, view: &str) -> String {
    format!("\"{}\".\"{view}\"", space(&partition(business)))
}
