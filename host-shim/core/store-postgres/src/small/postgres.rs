//! Tables in a schema of PostgreSQL, which several hosts share.

use crate::small::value::{Row, Value};
use crate::small::words;
use crate::small::{Place, Shape, SmallError};
use crate::{Settings, Wire};
use bytes::BytesMut;
use host_store::StoreError;
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

/// Seconds for which a host leads without asking again.
const LEAD_S: u32 = 30;
/// Seconds before the end of a lead at which its host postpones the end.
const RENEW_S: u32 = 20;

/// A connection to the schema.
pub(crate) struct Postgres {
    wire: Wire,
    schema: String,
    /// Key of the lock under which one transaction at a time writes.
    writes: i64,
    /// Number of the connection that can lead, and the key under which it does.
    leads_as: Cell<Option<(u64, i64)>>,
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
        let writes = key(&schema, "writes");
        Ok(Postgres { wire, schema, writes, leads_as: Cell::new(None) })
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

    /// Runs a query. PostgreSQL cannot store texts with a zero character, so a query for one finds nothing.
    pub(crate) fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SmallError> {
        if values.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0'))) {
            return Ok(Vec::new());
        }
        let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.wire.query(&words::statement(sql), &parameters)?.iter().map(row).collect()
    }

    /// Returns an error if the database was not reached, or did not answer, since a time: callers that have waited for
    /// their turn since then do not also wait for the next attempt.
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

    /// True if this host is the leader, or has just become it.
    ///
    /// The lead is a row with the key of a connection and an expiry time by the database's clock, which the host
    /// extends whenever it asks. Once the row has expired, for example because its host is frozen, another host takes
    /// it. Each connection also holds a lock on its key: if nobody holds the lock any more, the connection has ended,
    /// and another host takes the row at once.
    pub(crate) fn lead(&self) -> Result<bool, SmallError> {
        self.ensure()?;
        let own = self.lead_key()?;
        let find = format!(
            "SELECT holder, until > clock_timestamp(), until > clock_timestamp() + interval '{RENEW_S} s' FROM lead"
        );
        let Some(found) = self.query(&find, &[])?.into_iter().next() else {
            let take = format!("INSERT INTO lead (holder, until) VALUES (?1, {}) ON CONFLICT DO NOTHING", lead_end());
            return Ok(self.execute(&take, &[own.into()])? == 1);
        };
        let (holder, has_time, is_new): (i64, bool, bool) = (found.get(0)?, found.get(1)?, found.get(2)?);
        if holder == own {
            return Ok(is_new || self.take_lead(holder, own)?);
        }
        if !has_time {
            return self.take_lead(holder, own);
        }
        if !self.is_locked("pg_try_advisory_lock", holder)? {
            return Ok(false);
        }
        let leads = self.take_lead(holder, own);
        self.is_locked("pg_advisory_unlock", holder)?;
        leads
    }

    /// Gives the lead to `next`, or extends it. Returns false if another host has taken it from `holder` meanwhile.
    fn take_lead(&self, holder: i64, next: i64) -> Result<bool, SmallError> {
        let take = format!("UPDATE lead SET holder = ?2, until = {} WHERE holder = ?1", lead_end());
        Ok(self.execute(&take, &[holder.into(), next.into()])? == 1)
    }

    /// Returns the key under which this connection leads. The connection holds the lock on the key until it ends.
    fn lead_key(&self) -> Result<i64, SmallError> {
        let connection = self.wire.number();
        if let Some((_, key)) = self.leads_as.get().filter(|(of, _)| *of == connection) {
            return Ok(key);
        }
        self.write(|| -> Result<(), SmallError> {
            let columns =
                "holder bigint NOT NULL, until timestamptz NOT NULL, one bool PRIMARY KEY DEFAULT true CHECK (one)";
            Ok(self.wire.execute(&format!("CREATE TABLE IF NOT EXISTS lead ({columns})"))?)
        })?;
        let name: Vec<Row> = self.query("SELECT concat(pg_backend_pid(), ' ', clock_timestamp())", &[])?;
        let name: String = name.first().map(|row| row.get(0)).transpose()?.unwrap_or_default();
        let key = key(&self.schema, &format!("leads {name}"));
        self.is_locked("pg_try_advisory_lock", key)?;
        self.leads_as.set(Some((connection, key)));
        Ok(key)
    }

    /// Calls a function of a lock. Returns true if the lock was taken or released.
    fn is_locked(&self, function: &str, key: i64) -> Result<bool, SmallError> {
        let rows = self.query(&format!("SELECT {function}(?1)"), &[key.into()])?;
        Ok(rows.first().map(|row| row.get(0)).transpose()? == Some(true))
    }
}

/// Returns the end of a lead that is taken now.
fn lead_end() -> String {
    format!("clock_timestamp() + interval '{LEAD_S} s'")
}

/// Runs something that waits for an answer. On a thread of an asynchronous runtime, the other tasks continue on another
/// thread meanwhile. The only thread of a runtime, for example during a provider's call, may not block, so another
/// thread waits for it.
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
