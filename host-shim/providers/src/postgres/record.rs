//! Records of databases: rows in the administrators' database, which tenants can't access. Each database also has a
//! comment that marks it as ours. Everybody can read comments, so they contain nothing about the tenant.

use crate::postgres::failed::Failed;
use crate::postgres::names::Names;
use host_provider_api::ResourceId;
use postgres_protocol::escape::{escape_identifier, escape_literal};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

/// Creates the table. If concurrent calls conflict, the calls are retried.
pub(crate) const SCHEMA: &str = "
CREATE SCHEMA IF NOT EXISTS provisioner;
CREATE TABLE IF NOT EXISTS provisioner.databases (
    name text PRIMARY KEY,
    scope text NOT NULL,
    resource text NOT NULL,
    id text NOT NULL,
    generation bigint NOT NULL,
    state text NOT NULL,
    is_restoring boolean NOT NULL,
    restored text,
    writes_refused boolean NOT NULL,
    quota_bytes bigint,
    connections integer NOT NULL,
    secret_ref text NOT NULL
);";

const COLUMNS: &str = "name, scope, resource, id, generation, state, is_restoring, restored, writes_refused, quota_bytes, \
                       connections, secret_ref";

/// State of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Creation has begun.
    Making,
    Running,
    Suspended,
    /// Destroyed. Its generation is kept, so that older calls don't create it again.
    Ended,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Making => "making",
            State::Running => "running",
            State::Suspended => "suspended",
            State::Ended => "ended",
        }
    }

    fn of(name: &str) -> State {
        match name {
            "running" => State::Running,
            "suspended" => State::Suspended,
            "ended" => State::Ended,
            _ => State::Making,
        }
    }
}

/// The record of a database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub names: Names,
    pub id: ResourceId,
    pub generation: i64,
    pub state: State,
    /// Whether a restore has begun but not ended. In the meantime, the tenant can't log in.
    pub is_restoring: bool,
    /// SHA-256 of the last restored backup.
    pub restored: Option<String>,
    pub writes_refused: bool,
    pub quota: Option<i64>,
    pub connections: i32,
    pub secret_ref: String,
}

impl Record {
    fn of(row: &Row) -> Result<Record, Failed> {
        let id = ResourceId { scope: row.try_get(1)?, resource: row.try_get(2)?, id: row.try_get(3)? };
        Ok(Record {
            names: Names::of(&id)?,
            id,
            generation: row.try_get(4)?,
            state: State::of(row.try_get(5)?),
            is_restoring: row.try_get(6)?,
            restored: row.try_get(7)?,
            writes_refused: row.try_get(8)?,
            quota: row.try_get(9)?,
            connections: row.try_get(10)?,
            secret_ref: row.try_get(11)?,
        })
    }

    /// Returns the statement that stores the record.
    pub fn store(&self) -> String {
        let text = |text: &str| escape_literal(text);
        let number = |number: Option<i64>| number.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
        let values = [
            text(&self.names.database),
            text(&self.id.scope),
            text(&self.id.resource),
            text(&self.id.id),
            self.generation.to_string(),
            text(self.state.name()),
            self.is_restoring.to_string(),
            self.restored.as_deref().map_or_else(|| "NULL".to_owned(), text),
            self.writes_refused.to_string(),
            number(self.quota),
            self.connections.to_string(),
            text(&self.secret_ref),
        ];
        let renewed: Vec<String> =
            COLUMNS.split(", ").skip(1).map(|name| format!("{name} = excluded.{name}")).collect();
        format!(
            "INSERT INTO provisioner.databases ({COLUMNS}) VALUES ({}) ON CONFLICT (name) DO UPDATE SET {};",
            values.join(", "),
            renewed.join(", ")
        )
    }

    /// Returns the statement that marks the database as ours, without information about the tenant.
    pub fn mark(&self) -> String {
        let mark = json!({"by": "provisioner", "generation": self.generation}).to_string();
        format!("COMMENT ON DATABASE {} IS {};", escape_identifier(&self.names.database), escape_literal(&mark))
    }

    /// Returns the statement that allows or forbids the tenant's role to log in, and limits its connections.
    pub fn login(&self) -> String {
        let may = self.state == State::Running && !self.is_restoring;
        format!(
            "ALTER ROLE {} {} CONNECTION LIMIT {};",
            escape_identifier(&self.names.role),
            if may { "LOGIN" } else { "NOLOGIN" },
            self.connections
        )
    }

    /// Returns the outputs of `ensure`.
    pub fn outputs(&self, endpoint: &str) -> Value {
        json!({
            "id": self.names.database,
            "endpoint": endpoint,
            "name": self.names.database,
            "user": self.names.role,
            "secret_ref": self.secret_ref,
        })
    }
}

/// Returns the record of the database with this name. None if there is no such record or the table does not exist.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<Record>, Failed> {
    let query = format!("SELECT {COLUMNS} FROM provisioner.databases WHERE name = $1");
    select(client, &query, &[name]).await.map(|mut found| found.pop())
}

/// Returns the record of the account's database whose password has this reference.
pub(crate) async fn find_by_secret(client: &Client, scope: &str, secret: &str) -> Result<Option<Record>, Failed> {
    let query = format!(
        "SELECT {COLUMNS} FROM provisioner.databases WHERE scope = $1 AND secret_ref = $2 AND state <> 'ended'"
    );
    select(client, &query, &[scope, secret]).await.map(|mut found| found.pop())
}

/// Returns the records of all databases, complete or not.
pub(crate) async fn all(client: &Client) -> Result<Vec<Record>, Failed> {
    let query = format!("SELECT {COLUMNS} FROM provisioner.databases WHERE state <> 'ended' ORDER BY name");
    select(client, &query, &[]).await
}

/// Returns the records of [`all`] whose databases exist or are not complete yet. A complete record
/// without a database is left out.
pub(crate) async fn present(client: &Client) -> Result<Vec<Record>, Failed> {
    let query = format!(
        "SELECT {COLUMNS} FROM provisioner.databases WHERE state = 'making' OR (state <> 'ended' \
         AND EXISTS (SELECT FROM pg_database WHERE datname = name)) ORDER BY name"
    );
    select(client, &query, &[]).await
}

/// Returns the names of databases that carry our mark but have no record.
pub(crate) async fn unrecorded(client: &Client) -> Result<Vec<String>, Failed> {
    const MARKED: &str = "SELECT datname::text FROM pg_database \
                          WHERE shobj_description(oid, 'pg_database') LIKE '{%\"provisioner\"%}'";
    let marked = client.query_typed(MARKED, &[]).await?;
    let marked = marked.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<String>, Failed>>()?;
    let recorded = all(client).await?;
    Ok(marked.into_iter().filter(|name| recorded.iter().all(|record| record.names.database != *name)).collect())
}

async fn select(client: &Client, query: &str, texts: &[&str]) -> Result<Vec<Record>, Failed> {
    let texts: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
        texts.iter().map(|text| (text as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT)).collect();
    match client.query_typed(query, &texts).await {
        Ok(rows) => rows.iter().map(Record::of).collect(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
