//! The database service `wafer-run/database` on SQLite, with a strict schema. Requests and answers are MessagePack.

use rusqlite::backup::Backup;
use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Maximum number of rows in an answer, whatever the caller asks for.
const PAGE_MAX: i64 = 250;
/// Maximum number of writes in a batch.
const WRITES_MAX: usize = 1000;
/// Maximum length of a name in bytes, because PostgreSQL truncates longer ones.
const NAME_BYTES_MAX: usize = 63;
/// The value that the service writes into `created_at` and `updated_at`. Nothing reads these columns, so the time stands still.
const STAMP: &str = "2026-01-01T00:00:00+00:00";

/// A period of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Before the rewrite of September 2026: blocks create tables with `database.ddl`, and there are no batches.
    BeforeRewrite,
    /// Since the rewrite: `database.ensure_table` creates tables, `database.batch` applies several writes at once, and no block may
    /// run `database.ddl`.
    SinceRewrite,
}

impl Period {
    /// Both periods.
    pub const ALL: [Period; 2] = [Period::BeforeRewrite, Period::SinceRewrite];
}

/// A failed call: the platform's name of the error, and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    /// Name, for example `NotFound`.
    pub code: &'static str,
    /// Message for people.
    pub message: String,
}

/// Creates an error.
pub fn fail(code: &'static str, message: impl std::fmt::Display) -> CallError {
    CallError { code, message: message.to_string() }
}

impl From<rusqlite::Error> for CallError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => fail("AlreadyExists", error),
            _ => fail("Internal", error),
        }
    }
}

/// A copy of all tables.
pub struct Saved(Connection);

/// The database service.
pub struct Database {
    connection: Mutex<Connection>,
    period: Period,
}

#[derive(Deserialize)]
struct FilterDef {
    field: String,
    #[serde(default = "equal")]
    operator: String,
    #[serde(default)]
    value: Value,
}

fn equal() -> String {
    "eq".to_owned()
}

#[derive(Deserialize)]
struct SortDef {
    field: String,
    #[serde(default)]
    desc: bool,
}

#[derive(Deserialize)]
struct ListRequest {
    collection: String,
    #[serde(default)]
    filters: Vec<FilterDef>,
    #[serde(default)]
    sort: Vec<SortDef>,
    #[serde(default)]
    limit: i64,
    #[serde(default)]
    offset: i64,
    #[serde(default)]
    skip_count: bool,
}

#[derive(Deserialize)]
struct IdRequest {
    collection: String,
    id: String,
}

#[derive(Deserialize)]
struct DataRequest {
    collection: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    filters: Vec<FilterDef>,
    #[serde(default)]
    data: Map<String, Value>,
}

#[derive(Deserialize)]
struct UpsertRequest {
    collection: String,
    data: Vec<(String, Value)>,
    conflict_columns: Vec<String>,
    on_conflict: OnConflict,
}

#[derive(Deserialize)]
enum OnConflict {
    SetColumns(Vec<String>),
}

#[derive(Deserialize)]
struct BatchRequest {
    ops: Vec<BatchWrite>,
}

#[derive(Deserialize)]
enum BatchWrite {
    Create { collection: String, data: Map<String, Value> },
    Update { collection: String, id: String, data: Map<String, Value> },
    Delete { collection: String, id: String },
    UpdateWhere { collection: String, filters: Vec<FilterDef>, data: Map<String, Value> },
    Upsert(UpsertRequest),
}

#[derive(Deserialize)]
struct DdlRequest {
    query: String,
    #[serde(default)]
    args: Vec<Value>,
}

#[derive(Deserialize)]
struct EnsureTableRequest {
    table: TableDef,
}

#[derive(Deserialize)]
struct TableDef {
    name: String,
    columns: Vec<ColumnDef>,
    #[serde(default)]
    indexes: Vec<IndexDef>,
}

#[derive(Deserialize)]
struct ColumnDef {
    name: String,
    kind: String,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    primary_key: bool,
}

#[derive(Deserialize)]
struct IndexDef {
    name: String,
    columns: Vec<String>,
    #[serde(default)]
    unique: bool,
}

/// A value in a request, as a column.
struct Column<'v>(&'v Value);

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(Sql::Null),
            Value::Bool(truth) => ToSqlOutput::Owned(Sql::Integer(i64::from(*truth))),
            Value::Number(number) => match number.as_i64() {
                Some(number) => ToSqlOutput::Owned(Sql::Integer(number)),
                None => ToSqlOutput::Owned(Sql::Real(number.as_f64().unwrap_or_default())),
            },
            Value::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            other => ToSqlOutput::Owned(Sql::Text(other.to_string())),
        })
    }
}

/// Returns a quoted name; refuses names that are too long or contain other characters.
fn name(text: &str) -> Result<String, CallError> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(is_word) {
        true => Ok(format!("\"{text}\"")),
        false => Err(fail("InvalidArgument", format!("`{text}` is not a name"))),
    }
}

/// Returns the conditions as SQL, and adds their values.
fn conditions<'f>(filters: &'f [FilterDef], values: &mut Vec<Column<'f>>) -> Result<String, CallError> {
    let mut sql = Vec::new();
    for filter in filters {
        let field = name(&filter.field)?;
        let operator = match filter.operator.as_str() {
            "eq" | "=" => "=",
            "lt" | "<" => "<",
            "lte" | "<=" => "<=",
            "gt" | ">" => ">",
            "gte" | ">=" => ">=",
            "in" => {
                let Value::Array(list) = &filter.value else {
                    return Err(fail("InvalidArgument", "`in` needs a list"));
                };
                values.extend(list.iter().map(Column));
                sql.push(format!("{field} IN ({})", vec!["?"; list.len()].join(", ")));
                continue;
            }
            other => return Err(fail("InvalidArgument", format!("unknown operator `{other}`"))),
        };
        values.push(Column(&filter.value));
        sql.push(format!("{field} {operator} ?"));
    }
    Ok(if sql.is_empty() { String::new() } else { format!(" WHERE {}", sql.join(" AND ")) })
}

/// Returns a row in the platform's form: its id, and its columns.
fn record(row: &rusqlite::Row<'_>, names: &[String]) -> rusqlite::Result<Value> {
    let (mut id, mut data) = (String::new(), Map::new());
    for (at, name) in names.iter().enumerate() {
        let value = match row.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => json!(number),
            ValueRef::Real(number) => json!(number),
            ValueRef::Text(text) | ValueRef::Blob(text) => text_value(&String::from_utf8_lossy(text)),
        };
        if name == "id" {
            id = value.as_str().unwrap_or_default().to_owned();
        }
        data.insert(name.clone(), value);
    }
    Ok(json!({"id": id, "data": data}))
}

/// Returns a stored string as the platform does: a string that looks like JSON, and is JSON, is returned as its value.
fn text_value(text: &str) -> Value {
    let is_between = |first, last| text.starts_with(first) && text.ends_with(last);
    let parsed = (is_between('{', '}') || is_between('[', ']')).then(|| serde_json::from_str(text).ok()).flatten();
    parsed.unwrap_or_else(|| json!(text))
}

/// Returns the columns of a write with the times that the platform adds.
fn stamped(data: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let mut data = data.clone();
    for name in names {
        data.entry(*name).or_insert_with(|| json!(STAMP));
    }
    data
}

fn decoded<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, CallError> {
    rmp_serde::from_slice(body).map_err(|error| fail("InvalidArgument", error))
}

fn encoded(answer: &impl Serialize) -> Result<Vec<u8>, CallError> {
    rmp_serde::to_vec_named(answer).map_err(|error| fail("Internal", error))
}

impl Database {
    /// Opens a database in memory, or in a file.
    ///
    /// # Errors
    /// Fails if SQLite cannot open the file.
    pub fn open(path: Option<&Path>, period: Period) -> Result<Database, CallError> {
        let connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        Ok(Database { connection: Mutex::new(connection), period })
    }

    /// Copies all tables.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn save(&self) -> Result<Saved, CallError> {
        let mut copy = Connection::open_in_memory()?;
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Backup::new(&connection, &mut copy)?.step(-1)?;
        Ok(Saved(copy))
    }

    /// Replaces all tables with a copy.
    ///
    /// # Errors
    /// Fails if SQLite fails.
    pub fn restore(&self, saved: &Saved) -> Result<(), CallError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Backup::new(&saved.0, &mut connection)?.step(-1)?;
        Ok(())
    }

    /// Returns the period of the platform.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Returns the tables named in a request, for checking the caller's rights.
    ///
    /// # Errors
    /// Fails if the request cannot be read.
    pub fn collections(kind: &str, body: &[u8]) -> Result<Vec<String>, CallError> {
        match kind {
            "database.batch" => {
                let BatchRequest { ops } = decoded(body)?;
                let of = |op: BatchWrite| match op {
                    BatchWrite::Create { collection, .. }
                    | BatchWrite::Update { collection, .. }
                    | BatchWrite::Delete { collection, .. }
                    | BatchWrite::UpdateWhere { collection, .. } => collection,
                    BatchWrite::Upsert(request) => request.collection,
                };
                Ok(ops.into_iter().map(of).collect())
            }
            "database.ddl" => Ok(Vec::new()),
            "database.ensure_table" => Ok(vec![decoded::<EnsureTableRequest>(body)?.table.name]),
            "database.upsert" => Ok(vec![decoded::<UpsertRequest>(body)?.collection]),
            _ => Ok(vec![decoded::<DataRequest>(body)?.collection]),
        }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// Fails with the platform's error.
    pub fn call(&self, kind: &str, body: &[u8]) -> Result<Vec<u8>, CallError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let is_rewritten = self.period == Period::SinceRewrite;
        match kind {
            "database.ensure_table" if is_rewritten => ensure_table(&connection, decoded(body)?),
            "database.ddl" if is_rewritten => Err(fail("PermissionDenied", "no block may run raw DDL")),
            "database.ddl" => {
                let DdlRequest { query, args } = decoded(body)?;
                let rows = connection.execute(&query, params_from_iter(args.iter().map(Column)))?;
                encoded(&json!({"rows_affected": rows}))
            }
            "database.list" => list(&connection, &decoded(body)?),
            "database.get" => get(&connection, &decoded(body)?),
            "database.count" => count(&connection, &decoded(body)?),
            "database.create" => {
                let DataRequest { collection, data, .. } = decoded(body)?;
                encoded(&create(&connection, &collection, &data)?)
            }
            "database.update" => {
                let DataRequest { collection, id, data, .. } = decoded(body)?;
                let updated = update(&connection, &collection, &id, &data)?;
                encoded(&updated.ok_or_else(|| fail("NotFound", id))?)
            }
            "database.delete" => {
                let IdRequest { collection, id } = decoded(body)?;
                match delete(&connection, &collection, &id)? {
                    0 => Err(fail("NotFound", id)),
                    _ => Ok(Vec::new()),
                }
            }
            "database.update_where_count" => {
                let DataRequest { collection, filters, data, .. } = decoded(body)?;
                encoded(&json!({"count": update_where(&connection, &collection, &filters, &data)?}))
            }
            "database.upsert" => encoded(&json!({"rows_affected": upsert(&connection, &decoded(body)?)?})),
            "database.batch" if is_rewritten => {
                let BatchRequest { ops } = decoded(body)?;
                if ops.len() > WRITES_MAX {
                    return Err(fail("InvalidArgument", format!("{} writes, at most {WRITES_MAX}", ops.len())));
                }
                let transaction = connection.transaction()?;
                let results = ops.iter().map(|op| write(&transaction, op)).collect::<Result<Vec<_>, _>>()?;
                transaction.commit()?;
                encoded(&json!({"results": results}))
            }
            other => Err(fail("Unimplemented", format!("unknown operation `{other}`"))),
        }
    }
}

fn ensure_table(connection: &Connection, request: EnsureTableRequest) -> Result<Vec<u8>, CallError> {
    let TableDef { name: table, columns, indexes } = request.table;
    let mut definitions = Vec::new();
    for ColumnDef { name: column, kind, nullable, primary_key } in &columns {
        let sql = match kind.as_str() {
            "string" | "text" | "datetime" | "json" => "TEXT",
            "int" | "int64" | "bool" => "INTEGER",
            other => return Err(fail("InvalidArgument", format!("unknown kind of column `{other}`"))),
        };
        let null = if *nullable { "" } else { " NOT NULL" };
        let key = if *primary_key { " PRIMARY KEY" } else { "" };
        definitions.push(format!("{} {sql}{null}{key}", name(column)?));
    }
    let sql = format!("CREATE TABLE IF NOT EXISTS {} ({})", name(&table)?, definitions.join(", "));
    connection.execute_batch(&sql)?;
    for IndexDef { name: index, columns, unique } in &indexes {
        let columns = columns.iter().map(|column| name(column)).collect::<Result<Vec<_>, _>>()?.join(", ");
        let unique = if *unique { "UNIQUE " } else { "" };
        let sql = format!("CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({columns})", name(index)?, name(&table)?);
        connection.execute_batch(&sql)?;
    }
    encoded(&json!({"table": table}))
}

fn list(connection: &Connection, request: &ListRequest) -> Result<Vec<u8>, CallError> {
    let mut values = Vec::new();
    let conditions = conditions(&request.filters, &mut values)?;
    let table = name(&request.collection)?;
    let mut order = Vec::new();
    for SortDef { field, desc } in &request.sort {
        order.push(format!("{}{}", name(field)?, if *desc { " DESC" } else { "" }));
    }
    // The platform sorts rows with equal keys by their ids.
    order.push("id".to_owned());
    let limit = if request.limit > 0 { request.limit.min(PAGE_MAX) } else { PAGE_MAX };
    let sql = format!(
        "SELECT * FROM {table}{conditions} ORDER BY {} LIMIT {limit} OFFSET {}",
        order.join(", "),
        request.offset.max(0)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map(params_from_iter(&values), |row| record(row, &names))?;
    let records = rows.collect::<Result<Vec<_>, _>>()?;
    let total_count = match request.skip_count {
        true => i64::try_from(records.len()).unwrap_or(i64::MAX),
        false => {
            let sql = format!("SELECT count(*) FROM {table}{conditions}");
            connection.prepare_cached(&sql)?.query_row(params_from_iter(&values), |row| row.get(0))?
        }
    };
    encoded(&json!({"records": records, "total_count": total_count, "page": 1, "page_size": limit}))
}

fn one(connection: &Connection, collection: &str, id: &str) -> Result<Option<Value>, CallError> {
    let mut statement = connection.prepare_cached(&format!("SELECT * FROM {} WHERE id = ?", name(collection)?))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    Ok(statement.query_row([id], |row| record(row, &names)).optional()?)
}

fn get(connection: &Connection, request: &IdRequest) -> Result<Vec<u8>, CallError> {
    let found = one(connection, &request.collection, &request.id)?;
    encoded(&found.ok_or_else(|| fail("NotFound", &request.id))?)
}

fn count(connection: &Connection, request: &ListRequest) -> Result<Vec<u8>, CallError> {
    let mut values = Vec::new();
    let conditions = conditions(&request.filters, &mut values)?;
    let sql = format!("SELECT count(*) FROM {}{conditions}", name(&request.collection)?);
    let count: i64 = connection.prepare_cached(&sql)?.query_row(params_from_iter(&values), |row| row.get(0))?;
    encoded(&json!({"count": count}))
}

/// Inserts a row; returns it.
fn create(connection: &Connection, collection: &str, data: &Map<String, Value>) -> Result<Value, CallError> {
    let data = stamped(data, &["created_at", "updated_at"]);
    let Some(id) = data.get("id").and_then(Value::as_str) else {
        return Err(fail("InvalidArgument", "a row needs an id"));
    };
    let columns = data.keys().map(|column| name(column)).collect::<Result<Vec<_>, _>>()?.join(", ");
    let places = vec!["?"; data.len()].join(", ");
    let sql = format!("INSERT INTO {} ({columns}) VALUES ({places})", name(collection)?);
    connection.prepare_cached(&sql)?.execute(params_from_iter(data.values().map(Column)))?;
    one(connection, collection, id)?.ok_or_else(|| fail("Internal", "the row is gone"))
}

/// Returns the assignments of an update as SQL.
fn assignments<'d>(data: &'d Map<String, Value>, values: &mut Vec<Column<'d>>) -> Result<String, CallError> {
    if data.is_empty() {
        return Err(fail("InvalidArgument", "nothing to set"));
    }
    let mut sql = Vec::new();
    for (column, value) in data {
        sql.push(format!("{} = ?", name(column)?));
        values.push(Column(value));
    }
    Ok(sql.join(", "))
}

fn update(
    connection: &Connection,
    collection: &str,
    id: &str,
    data: &Map<String, Value>,
) -> Result<Option<Value>, CallError> {
    let (mut values, of_id) = (Vec::new(), json!(id));
    let data = stamped(data, &["updated_at"]);
    let sql = format!("UPDATE {} SET {} WHERE id = ?", name(collection)?, assignments(&data, &mut values)?);
    values.push(Column(&of_id));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    one(connection, collection, id)
}

fn delete(connection: &Connection, collection: &str, id: &str) -> Result<usize, CallError> {
    let sql = format!("DELETE FROM {} WHERE id = ?", name(collection)?);
    Ok(connection.prepare_cached(&sql)?.execute([id])?)
}

fn update_where(
    connection: &Connection,
    collection: &str,
    filters: &[FilterDef],
    data: &Map<String, Value>,
) -> Result<usize, CallError> {
    let mut values = Vec::new();
    let data = stamped(data, &["updated_at"]);
    let assignments = assignments(&data, &mut values)?;
    let conditions = conditions(filters, &mut values)?;
    let sql = format!("UPDATE {} SET {assignments}{conditions}", name(collection)?);
    Ok(connection.prepare_cached(&sql)?.execute(params_from_iter(values))?)
}

fn upsert(connection: &Connection, request: &UpsertRequest) -> Result<usize, CallError> {
    let names =
        |columns: &mut dyn Iterator<Item = &String>| columns.map(|column| name(column)).collect::<Result<Vec<_>, _>>();
    let columns = names(&mut request.data.iter().map(|(column, _)| column))?.join(", ");
    let conflict = names(&mut request.conflict_columns.iter())?.join(", ");
    let OnConflict::SetColumns(set) = &request.on_conflict;
    let set: Vec<String> =
        names(&mut set.iter())?.into_iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let action = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
    let places = vec!["?"; request.data.len()].join(", ");
    let sql = format!(
        "INSERT INTO {} ({columns}) VALUES ({places}) ON CONFLICT ({conflict}) DO {action}",
        name(&request.collection)?
    );
    Ok(connection
        .prepare_cached(&sql)?
        .execute(params_from_iter(request.data.iter().map(|(_, value)| Column(value))))?)
}

fn write(connection: &Connection, op: &BatchWrite) -> Result<Value, CallError> {
    Ok(match op {
        BatchWrite::Create { collection, data } => json!({"Created": create(connection, collection, data)?}),
        BatchWrite::Update { collection, id, data } => json!({"Updated": update(connection, collection, id, data)?}),
        BatchWrite::Delete { collection, id } => {
            json!({"Deleted": {"rows_affected": delete(connection, collection, id)?}})
        }
        BatchWrite::UpdateWhere { collection, filters, data } => {
            json!({"UpdatedWhere": {"rows_affected": update_where(connection, collection, filters, data)?}})
        }
        BatchWrite::Upsert(request) => json!({"Upserted": {"rows_affected": upsert(connection, request)?}}),
    })
}
