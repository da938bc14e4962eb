//! A server with the stores of stories, and callers with roles.

use crate::tables::copy::copy;
use crate::tables::story::{Filled, partition, sorted, tables};
use counterparts::Postgres;
use host_store_postgres::{OpenError, PostgresStore, Settings, run_script};
use host_tables::postgres::{Roles, down, up};
use host_tables::space;
use serde_json::{Value, json};

const DATABASE: &str = "stores";

/// The roles, as a platform such as Supabase creates them: what is created in the schema of the store is granted to them.
const ROLES: &str =
    "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE host_admin; CREATE ROLE service_role BYPASSRLS;
CREATE SCHEMA provisioner;
GRANT USAGE ON SCHEMA provisioner TO anon, authenticated, host_admin, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA provisioner GRANT ALL ON TABLES TO anon, authenticated, host_admin, service_role;";

/// A server, and a store with the rows of some stories.
pub struct Server {
    postgres: Postgres,
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

impl Server {
    /// Starts a server with an empty store.
    pub fn empty(roles: bool) -> Server {
        let postgres = Postgres::start();
        let url = postgres.database(DATABASE);
        let settings: Settings = url.parse().expect("an address");
        if roles {
            postgres.sql(DATABASE, ROLES);
        }
        drop(PostgresStore::open(&settings).expect("a store"));
        Server { postgres, settings, url }
    }

    /// Starts a server with the stories of these businesses and their views.
    pub fn with(businesses: &[&str]) -> Server {
        let server = Server::empty(true);
        for business in businesses {
            server.fill(business);
            server.up(business).expect("views");
        }
        server
    }

    pub fn fill(&self, business: &str) {
        copy(&Filled::of(business), &mut PostgresStore::open(&self.settings).expect("a store"));
    }

    pub fn up(&self, business: &str) -> Result<(), OpenError> {
        self.script(&up(tables(business), &partition(business), &Roles::default()).expect("names"))
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
            .sql(DATABASE, &format!("SET search_path = provisioner; SET timezone = 'UTC'; {statement}"))
            .lines()
            .filter(|line| *line != "SET")
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Runs a query as a caller; returns its rows as JSON in an order of their own, or PostgreSQL's message that it may not.
    pub fn ask(&self, caller: Caller, query: &str) -> Result<Vec<Value>, String> {
        let all = format!("SELECT coalesce(jsonb_agg(to_jsonb(q)), '[]') FROM ({query}) AS q");
        match self.tried(caller, &format!("EXECUTE {} INTO found", quoted(&all))) {
            Value::Array(rows) => Ok(sorted(rows)),
            Value::String(message) => Err(message),
            other => panic!("{other}"),
        }
    }

    /// Runs a statement as a caller; returns PostgreSQL's message that it may not.
    pub fn change(&self, caller: Caller, statement: &str) -> Option<String> {
        self.tried(caller, &format!("EXECUTE {}", quoted(statement))).as_str().map(str::to_owned)
    }

    /// Runs a line of PL/pgSQL that may set `found`; returns it, or PostgreSQL's message that the caller may not.
    fn tried(&self, caller: Caller, line: &str) -> Value {
        let (role, subject) = match caller {
            Caller::Anonymous => ("anon", None),
            Caller::User(id) => ("authenticated", Some(id)),
            Caller::Admin => ("host_admin", Some("admin")),
            Caller::Service => ("service_role", None),
        };
        let claims = subject.map(|id| json!({"sub": id, "organizations": [format!("of-{id}")]}));
        let claims = quoted(&claims.map_or_else(String::new, |claims| claims.to_string()));
        // A statement that fails by itself would end psql.
        let text = self.sql(&format!(
            "CREATE FUNCTION pg_temp.tried() RETURNS jsonb LANGUAGE plpgsql AS $f$ DECLARE found jsonb; BEGIN {line}; RETURN found; \
             EXCEPTION WHEN insufficient_privilege THEN RETURN to_jsonb(SQLERRM); END $f$; \
             SET ROLE {role}; SET request.jwt.claims = {claims}; SELECT coalesce(pg_temp.tried(), 'null')"
        ));
        serde_json::from_str(text.lines().last().expect("an answer")).expect("JSON")
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
