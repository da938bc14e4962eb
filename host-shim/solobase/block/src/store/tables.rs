//! The tables: those of every store, with a few additional columns for the platform, and three more tables.

use host_store::implementation::schema::{self, Column, Index, Kind, Table};
use std::sync::LazyLock;

/// Prefix of the names of all tables: the block's organization and name, as the platform requires.
pub(crate) const PREFIX: &str = "extensions__instance_provisioner__";

/// Columns of every table: 1 for a deleted row, and the number of the commit that wrote the row.
pub(crate) const GONE: &str = "gone";
pub(crate) const WRITTEN_BY: &str = "written_by";

/// The last column of a key that is a string, in hex: rows are listed in its order, whatever the collation of the database.
pub(crate) const ORD: &str = "ord";
/// Column of effects: 1 if no open effect of the same ordering key precedes the effect.
pub(crate) const FRONT: &str = "front";
/// Column of effects: 1 for a timer. The service has no condition for inequality.
pub(crate) const TIMER: &str = "timer";

/// Kind of the row that represents an account itself.
pub(crate) const ACCOUNT: &str = "account";
/// Name of the table of effects.
pub(crate) const EFFECTS: &str = "effects";
/// Name of the table of events.
pub(crate) const EVENTS: &str = "events";

/// Declares an additional table for the platform: rows by id, without indexes.
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
/// The commits. `body`: the changes of an intent; null for other commits, and once the changes have been applied.
pub(crate) static COMMITS: Table = table!("commits", "body" Text);
/// Settings of the block: strings by name.
pub(crate) static SETTINGS: Table = table!("settings", "body" Text);

/// Returns all tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static Table> {
    [&HEAD, &COMMITS, &SETTINGS].into_iter().chain(schema::TABLES)
}

/// Returns the names of all tables on the platform.
pub fn collections() -> Vec<String> {
    tables().map(full_name).collect()
}

/// Returns the table with a name without prefix.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    tables().find(|table| table.name == name)
}

/// Returns the name of a table on the platform.
pub(crate) fn full_name(table: &Table) -> String {
    format!("{PREFIX}{}", table.name)
}

/// Returns the name of a column here. The names of the columns that the platform gives every table are reserved.
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

/// Returns the additional columns for the platform.
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

/// Returns the known column with a name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    let names = &*NAMES;
    names.binary_search(&name).ok().map(|at| names[at])
}

/// Returns the columns that make up the ids of rows: the columns of a unique index over all rows, by which new rows are
/// found before they have a number, or else the key.
pub(crate) fn identity(table: &'static Table) -> impl Iterator<Item = Column> {
    let unique = table.indexes.iter().find(|index| is_identity(index));
    let columns = unique.map_or(table.key, |index| index.columns);
    (0..table.columns.len()).filter(|column| columns.contains(column))
}

/// Returns true if the ids of rows consist of the columns of an index.
pub(crate) fn is_identity(index: &Index) -> bool {
    index.unique && index.only.is_empty()
}

/// Returns the columns in whose order rows are listed: first the index's, then the key's.
pub(crate) fn order(table: &'static Table, index: Option<&'static Index>) -> impl Iterator<Item = Column> {
    let first = index.map_or(&[][..], |index| index.columns);
    first.iter().chain(table.key.iter().filter(|column| !first.contains(column))).copied()
}
