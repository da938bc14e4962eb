//! Tables in a schema of PostgreSQL, which several hosts share.

use crate::value::{Row, Value};
use crate::words;
use crate::{Place, Shape, SmallError};
use bytes::BytesMut;
use host_store::StoreError;
use host_store_postgres::{Settings, Wire};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

impl From<StoreError> for SmallError {
    fn from(error: StoreError) -> Self {
        SmallError::Postgres(error.to_string())
    }
}

impl ToSql for Value {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(number) if *of == Type::INT4 => i32::try_from(*number)?.to_sql(of, out),
            Value::Integer(number) => number.to_sql(of, out),
            Value::Text(text) => text.as_str().to_sql(of, out),
            Value::Bytes(bytes) => bytes.as_slice().to_sql(of, out),
        }
    }

    fn accepts(of: &Type) -> bool {
        [Type::INT4, Type::INT8, Type::TEXT, Type::BYTEA].contains(of)
    }

    to_sql_checked!();
}

/// A connection to the schema.
pub(crate) struct Postgres {
    wire: Wire,
    schema: String,
    /// Key of the lock under which one transaction at a time writes.
    writes: i64,
    /// Key of the lock of the host that leads.
    leads: i64,
    /// Number of the connection that has the lock of the host that leads.
    leads_by: Cell<Option<u64>>,
}

/// An open transaction, which is rolled back after an error or a panic.
struct Open<'w> {
    wire: &'w Wire,
    is_committed: Cell<bool>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.is_committed.get() {
            // The first error says more; a closed connection rolls back as well.
            let _ = self.wire.execute("ROLLBACK");
        }
    }
}

/// Returns the key of a lock.
fn key(schema: &str, purpose: &str) -> i64 {
    let digest = Sha256::digest(format!("small-store {purpose} {schema}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

impl Postgres {
    /// Opens the schema, and creates it. Hosts that start at once take turns.
    pub(crate) fn open(settings: &Settings, owner: &str, shape: &Shape) -> Result<Postgres, SmallError> {
        let schema = Place::schema(settings, shape, owner);
        let settings = settings.in_schema(&schema);
        let it = Postgres::connect(settings.quick(), schema)?;
        if it.steps()? != Some(shape.steps.len()) {
            // Steps may take long, so they have a connection with other limits. This second connection also shows a pooler that lets
            // several connections use one session, before anything is written.
            let patient = Postgres::connect(settings.patient(), it.schema.clone())?;
            patient.write(|| patient.prepare(shape))?;
        }
        Ok(it)
    }

    fn connect(settings: Settings, schema: String) -> Result<Postgres, SmallError> {
        let wire = Wire::connect(settings)?;
        let (writes, leads) = (key(&schema, "writes"), key(&schema, "leads"));
        Ok(Postgres { wire, schema, writes, leads, leads_by: Cell::new(None) })
    }

    /// Returns the number of steps that the tables have had; none without tables.
    fn steps(&self) -> Result<Option<usize>, SmallError> {
        let table = format!("\"{}\".steps", self.schema);
        let exists = self.query("SELECT CAST(to_regclass(?1) IS NOT NULL AS INTEGER)", &[table.into()])?;
        if exists.first().map(|row| row.get(0)).transpose()? != Some(1_i64) {
            return Ok(None);
        }
        let found: u64 = self.query("SELECT number FROM steps", &[])?.first().map_or(Ok(0), |row| row.get(0))?;
        Ok(Some(usize::try_from(found).unwrap_or(usize::MAX)))
    }

    fn prepare(&self, shape: &Shape) -> Result<(), SmallError> {
        let known = shape.steps.len();
        self.wire.execute(&self.wire.settings().search_path("SET LOCAL"))?;
        let steps = self.steps()?;
        if steps.is_none() {
            self.wire.execute(&format!(
                "CREATE SCHEMA IF NOT EXISTS \"{}\"; CREATE TABLE steps (number bigint NOT NULL); INSERT INTO steps VALUES (0)",
                self.schema
            ))?;
        }
        let found = steps.unwrap_or(0);
        let Some(missing) = shape.steps.get(found..) else { return Err(SmallError::Newer { found, known }) };
        for step in missing {
            self.wire.execute(&words::step(step))?;
        }
        self.wire.execute(&format!("UPDATE steps SET number = {known}"))?;
        Ok(())
    }

    /// Runs a statement, and returns the number of changed rows.
    pub(crate) fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, SmallError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let changed = self.wire.change(&words::statement(sql), &parameters)?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a query. PostgreSQL has no text with a zero character, so no row has one.
    pub(crate) fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError> {
        if values.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0'))) {
            return Ok(Vec::new());
        }
        let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.wire.query(&words::statement(sql), &parameters)?.iter().map(row).collect()
    }

    /// Returns an error if the database was not reached, or did not answer, since a time: those who have waited for their turn since
    /// then do not wait for the next attempt as well.
    pub(crate) fn check_since(&self, time: Instant) -> Result<(), SmallError> {
        match self.wire.has_failed_since(time) {
            true => Err(SmallError::Postgres("the database does not answer".to_owned())),
            false => Ok(()),
        }
    }

    /// Opens the connection again if it is broken.
    pub(crate) fn ensure(&self) -> Result<(), SmallError> {
        self.wire.take_notice();
        Ok(self.wire.ensure()?)
    }

    /// Runs `body` in a transaction, while no other one writes.
    pub(crate) fn write<T, E: From<SmallError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.ensure()?;
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({})", self.writes);
        self.wire.execute(begin.as_str()).map_err(SmallError::from)?;
        let open = Open { wire: &self.wire, is_committed: Cell::new(false) };
        let value = body()?;
        self.wire.execute("COMMIT").map_err(SmallError::from)?;
        open.is_committed.set(true);
        Ok(value)
    }

    /// Returns true if this host leads, or leads from now on.
    pub(crate) fn lead(&self) -> Result<bool, SmallError> {
        self.ensure()?;
        let connection = Some(self.wire.number());
        if self.leads_by.get() == connection {
            return Ok(true);
        }
        let ask = "SELECT CAST(CASE WHEN pg_try_advisory_lock(?1) THEN 1 ELSE 0 END AS INTEGER)";
        let leads = self.query(ask, &[self.leads.into()])?.first().map(|row| row.get(0)).transpose()? == Some(true);
        self.leads_by.set(connection.filter(|_| leads));
        Ok(leads)
    }
}

/// Runs something that waits for an answer. On a thread of an asynchronous runtime, other tasks go on meanwhile on another thread. The only
/// thread of a runtime, such as that of a provider's call, may not wait itself: another thread does.
pub(crate) fn waiting<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(body),
        Ok(_) => thread::scope(|scope| scope.spawn(body).join().unwrap_or_else(|panic| resume_unwind(panic))),
        Err(_) => body(),
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, SmallError> {
    let values = row.columns().iter().enumerate().map(|(at, column)| {
        let failed = |error: tokio_postgres::Error| SmallError::Postgres(error.to_string());
        let of = column.type_();
        Ok(match of {
            it if *it == Type::INT8 => row.try_get::<_, Option<i64>>(at).map_err(failed)?.into(),
            it if *it == Type::INT4 => row.try_get::<_, Option<i32>>(at).map_err(failed)?.map(i64::from).into(),
            it if *it == Type::BOOL => row.try_get::<_, Option<bool>>(at).map_err(failed)?.into(),
            it if *it == Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map_err(failed)?.into(),
            _ => row.try_get::<_, Option<String>>(at).map_err(failed)?.into(),
        })
    });
    Ok(Row(values.collect::<Result<_, SmallError>>()?))
}
