//! The tables: those of every store, with a few columns of the platform's own, and three more.

use crate::wire::{ColumnDef, ColumnKind, IndexDef, TableDef};
use host_store::implementation::schema::{self, Column, Index, Kind, Only, Table};
use std::sync::LazyLock;

/// Prefix of the names of all tables: the block's organization and name, as the platform requires.
const PREFIX: &str = "extensions__instance_provisioner__";

/// Columns of every table: 1 for a deleted row, and the number of the commit that wrote the row.
pub(crate) const GONE: &str = "gone";
pub(crate) const WRITTEN_BY: &str = "written_by";
/// Columns of every table in which the platform itself notes when a row was created and last updated. Platforms with a strict schema
/// refuse each write to a table without them.
const STAMPS: [&str; 2] = ["created_at", "updated_at"];

/// The last column of a key that is a text, in hex: rows are listed in its order, whatever the collation of the database.
pub(crate) const ORD: &str = "ord";
/// Column of effects: 1 if no open effect of the same ordering key precedes the effect.
pub(crate) const FRONT: &str = "front";
/// Column of effects: 1 for a timer. The service has no condition for another value.
pub(crate) const TIMER: &str = "timer";

/// Kind of the row of an account itself among the rows.
pub(crate) const ACCOUNT: &str = "account";
/// Name of the table of effects.
pub(crate) const EFFECTS: &str = "effects";
/// Name of the table of events.
pub(crate) const EVENTS: &str = "events";

/// Declares a table of the platform's own: rows by id, without indexes.
macro_rules! table {
    ($name:literal, $($column:literal $Kind:ident),+) => {
        Table {
            name: $name,
            columns: &[$($column),+],
            kinds: &[$(Kind::$Kind),+],
            key: &[],
            cold: 0,
            texts: "",
            indexes: &[],
        }
    };
}

/// The number of the last commit, and the last numbers of events and effects. One row. `intent`: 1 if the commit after this one may
/// have been written as an intent only.
pub(crate) static HEAD: Table = table!("head", "number" Int, "events" Int, "effects" Int, "intent" Int);
/// The commits. `body`: the changes of an intent; null for other commits, and as soon as the changes are applied.
pub(crate) static COMMITS: Table = table!("commits", "body" Text);
/// Settings of the block: texts by their names.
pub(crate) static SETTINGS: Table = table!("settings", "body" Text);

/// Returns all tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static Table> {
    [&HEAD, &COMMITS, &SETTINGS].into_iter().chain(schema::TABLES)
}

/// Returns the names of all tables on the platform.
pub fn collections() -> Vec<String> {
    tables().map(full_name).collect()
}

/// Returns the table of a name without prefix.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    tables().find(|table| table.name == name)
}

/// Returns the name of a table on the platform.
pub(crate) fn full_name(table: &Table) -> String {
    format!("{PREFIX}{}", table.name)
}

/// Returns the name of a column here. The names of the columns that the platform gives every table are taken.
pub(crate) fn name_of(table: &Table, column: Column) -> &'static str {
    match table.columns[column] {
        "id" => "event_id",
        "created_at" => "made_at",
        "updated_at" => "changed_at",
        name => name,
    }
}

/// Returns true if the rows are listed in the order of [`ORD`] instead of a column's.
pub(crate) fn is_ord(table: &Table, column: Column) -> bool {
    table.key.last() == Some(&column) && table.kinds[column] == Kind::Text
}

/// Returns the columns of the platform's own.
fn own(table: &Table) -> &'static [(&'static str, Kind)] {
    match table.key.last() {
        Some(last) if is_ord(table, *last) => &[(ORD, Kind::Text)],
        _ if table.name == EFFECTS => &[(FRONT, Kind::Int), (TIMER, Kind::Int)],
        _ => &[],
    }
}

/// Returns the columns of a table, without those that every table has.
pub(crate) fn columns(table: &'static Table) -> impl Iterator<Item = (&'static str, Kind)> {
    let kept = (0..table.columns.len()).map(|column| (name_of(table, column), table.kinds[column]));
    kept.chain(own(table).iter().copied())
}

/// The names of all columns, in byte order.
static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<_> = tables().flat_map(columns).map(|(name, _)| name).chain([GONE, WRITTEN_BY]).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// Returns the known column of a name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    let names = &*NAMES;
    names.binary_search(&name).ok().map(|at| names[at])
}

/// Returns the columns of which the ids of rows consist: those of a unique index of all rows, by which new rows are looked for before
/// they have a number, or those of the key.
pub(crate) fn identity(table: &'static Table) -> impl Iterator<Item = Column> {
    let unique = table.indexes.iter().find(|index| is_identity(index));
    let columns = unique.map_or(table.key, |index| index.columns);
    (0..table.columns.len()).filter(|column| columns.contains(column))
}

/// Returns true if the ids of rows consist of the columns of an index.
pub(crate) fn is_identity(index: &Index) -> bool {
    index.unique && index.only.is_empty()
}

/// Returns the columns in whose order rows are listed: those of the index, and then those of the key.
pub(crate) fn order(table: &'static Table, index: Option<&'static Index>) -> impl Iterator<Item = Column> {
    let first = index.map_or(&[][..], |index| index.columns);
    first.iter().chain(table.key.iter().filter(|column| !first.contains(column))).copied()
}

/// Returns the columns of an index, after those that have one value in it.
fn indexed(table: &'static Table, index: Option<&'static Index>) -> Vec<&'static str> {
    let one_value = |only: &Only| match only {
        Only::Is(column, _) | Only::Named(column, _) => Some(name_of(table, *column)),
        Only::NotNamed(..) => Some(TIMER),
        _ => None,
    };
    let only = index.into_iter().flat_map(|index| index.only).filter_map(one_value);
    let listed = |column| if is_ord(table, column) { ORD } else { name_of(table, column) };
    only.chain(order(table, index).map(listed)).collect()
}

/// Returns the definition of a table for the platform.
pub(crate) fn definition(table: &'static Table) -> TableDef {
    let column = |name, kind, nullable| {
        let kind = if kind == Kind::Int { ColumnKind::Int64 } else { ColumnKind::Text };
        ColumnDef { name, kind, nullable, primary_key: name == "id" }
    };
    let id = column("id", Kind::Text, false);
    let own = columns(table).map(|(name, kind)| column(name, kind, true));
    let common = [GONE, WRITTEN_BY].map(|name| column(name, Kind::Int, false));
    let stamps = STAMPS.map(|name| column(name, Kind::Text, true));
    let index = |name: String, columns| IndexDef { name: format!("{PREFIX}{name}"), columns };
    let mut indexes: Vec<IndexDef> =
        table.indexes.iter().map(|of| index(of.name.to_owned(), indexed(table, Some(of)))).collect();
    if !table.key.is_empty() {
        indexes.push(index(format!("{}_by_key", table.name), indexed(table, None)));
    }
    if table.name == schema::ROWS.name {
        indexes.push(index("rows_by_kind".to_owned(), vec!["kind"]));
    }
    TableDef {
        name: full_name(table),
        columns: std::iter::once(id).chain(own).chain(common).chain(stamps).collect(),
        indexes,
    }
}
