//! The requests and answers of the database service.

use crate::store::record::{Columns, Record, Value};
use serde::{Deserialize, Serialize};

/// A condition on a column: `eq`, `lt`, `lte`, `gt`, `gte` with a value, `in` with a list.
#[derive(Serialize)]
pub(crate) struct FilterDef<'a> {
    pub(crate) field: &'a str,
    pub(crate) operator: &'static str,
    pub(crate) value: Operand<'a>,
}

/// The other side of a condition.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Operand<'a> {
    One(&'a Value),
    Many(&'a [Value]),
}

/// A column to sort by.
#[derive(Serialize)]
pub(crate) struct SortDef {
    pub(crate) field: &'static str,
    pub(crate) desc: bool,
}

#[derive(Serialize)]
pub(crate) struct ListRequest<'a> {
    pub(crate) collection: &'a str,
    pub(crate) filters: &'a [FilterDef<'a>],
    pub(crate) sort: &'a [SortDef],
    pub(crate) limit: i64,
    pub(crate) offset: i64,
    pub(crate) skip_count: bool,
}

#[derive(Deserialize)]
pub(crate) struct RecordList {
    pub(crate) records: Vec<Record>,
    pub(crate) total_count: i64,
}

#[derive(Serialize)]
pub(crate) struct CountRequest<'a> {
    pub(crate) collection: &'a str,
    pub(crate) filters: &'a [FilterDef<'a>],
}

#[derive(Deserialize)]
pub(crate) struct CountResponse {
    pub(crate) count: i64,
}

#[derive(Serialize)]
pub(crate) struct CreateRequest<'a> {
    pub(crate) collection: &'a str,
    pub(crate) data: &'a Columns,
}

#[derive(Serialize)]
pub(crate) struct UpdateWhereRequest<'a> {
    pub(crate) collection: &'a str,
    pub(crate) filters: &'a [FilterDef<'a>],
    pub(crate) data: &'a Columns,
}

#[derive(Serialize)]
pub(crate) struct BatchRequest<'a> {
    pub(crate) ops: Vec<BatchWrite<'a>>,
}

/// A write of a batch.
#[derive(Serialize)]
pub(crate) enum BatchWrite<'a> {
    Create { collection: String, data: Columns },
    Update { collection: String, id: &'a str, data: Columns },
    Delete { collection: String, id: &'a str },
    Upsert(UpsertRequest),
}

#[derive(Serialize)]
pub(crate) struct UpsertRequest {
    pub(crate) collection: String,
    pub(crate) data: Vec<(&'static str, Value)>,
    pub(crate) conflict_columns: [&'static str; 1],
    pub(crate) on_conflict: OnConflict,
}

#[derive(Serialize)]
pub(crate) enum OnConflict {
    SetColumns(Vec<&'static str>),
}

#[derive(Serialize)]
pub(crate) struct EnsureTableRequest {
    pub(crate) table: TableDef,
}

#[derive(Serialize)]
pub(crate) struct TableDef {
    pub(crate) name: String,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) indexes: Vec<IndexDef>,
}

/// The type of a column, as `database.ensure_table` calls it.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColumnKind {
    Int64,
    Text,
}

#[derive(Serialize)]
pub(crate) struct ColumnDef {
    pub(crate) name: &'static str,
    pub(crate) kind: ColumnKind,
    pub(crate) nullable: bool,
    pub(crate) primary_key: bool,
}

#[derive(Serialize)]
pub(crate) struct IndexDef {
    pub(crate) name: String,
    pub(crate) columns: Vec<&'static str>,
}

#[derive(Serialize)]
pub(crate) struct DdlRequest {
    pub(crate) query: String,
    pub(crate) args: [u8; 0],
}
