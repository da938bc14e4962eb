//! The tables, their columns and indexes.

use crate::wire::{ColumnDef, ColumnKind, IndexDef, TableDef};

/// Prefix of the names of all tables: the block's organization and name, as the platform requires.
pub const PREFIX: &str = "extensions__instance_provisioner__";

/// Prefix of the names of all indexes. It is shorter than [`PREFIX`], since the platform refuses names of more than 63 bytes.
const INDEX_PREFIX: &str = "instance_provisioner__";

/// The type of the values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// A whole number, or null.
    MaybeInt,
    /// A text.
    Text,
    /// A text, or null.
    MaybeText,
}

/// A column: its name and what it contains.
pub type Column = (&'static str, Kind);

/// A table. Each has also the column `id`, the two columns of [`COMMON`] and the two of [`STAMPS`].
#[derive(Debug)]
pub struct Table {
    /// Name without [`PREFIX`].
    pub name: &'static str,
    /// The columns.
    pub columns: &'static [Column],
    /// The columns of each index.
    pub indexes: &'static [&'static [&'static str]],
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.name == other.name
    }
}

/// Columns of every table: 1 for a deleted row, and the number of the commit that wrote the row.
pub(crate) const COMMON: [Column; 2] = [(GONE, Kind::Int), (WRITTEN_BY, Kind::Int)];
/// Columns of every table in which the platform itself notes when a row was created and last updated. Platforms with a strict schema
/// refuse each write to a table without them.
const STAMPS: [&str; 2] = ["created_at", "updated_at"];
pub(crate) const GONE: &str = "gone";
pub(crate) const WRITTEN_BY: &str = "written_by";

/// The number of the last commit, and the last numbers of events and effects. One row.
pub(crate) const HEAD: Table = Table {
    name: "head",
    columns: &[
        ("number", Kind::Int),
        ("events", Kind::Int),
        ("effects", Kind::Int),
        // 1 if the commit after this one may have been written as an intent only.
        ("intent", Kind::Int),
    ],
    indexes: &[],
};

/// The commits. `body`: the changes of an intent; null for other commits, and as soon as the changes are applied.
pub(crate) const COMMITS: Table = Table { name: "commits", columns: &[("body", Kind::MaybeText)], indexes: &[] };

/// Products, prices, purchases, subscriptions and records; also a row of the kind `account` for each account.
///
/// `ord`: the id in hex, in whose order rows are listed whatever the collation of the database. `kind` of a record: `r` and the
/// collection in hex. `live`: 1 if [`Read::open`](host_store::Read::open) returns the row. `written`: revision of the account at
/// the last write; the revision itself in the row of the account. `body`: the row as JSON, without the extension's own text, which is
/// in `value`; the row of an account has no such text.
pub(crate) const ROWS: Table = Table {
    name: "rows",
    columns: &[
        ("scope", Kind::Text),
        ("kind", Kind::Text),
        ("ord", Kind::Text),
        ("live", Kind::Int),
        ("shown", Kind::Int),
        ("wanted_live", Kind::MaybeInt),
        ("fingerprint", Kind::MaybeText),
        ("written", Kind::Int),
        ("data_version", Kind::MaybeInt),
        ("session_id", Kind::MaybeText),
        ("payment_intent_id", Kind::MaybeText),
        ("product_type", Kind::MaybeText),
        ("refs", Kind::MaybeText),
        ("body", Kind::Text),
        ("value", Kind::MaybeText),
        ("made_at", Kind::MaybeInt),
        ("changed_at", Kind::MaybeInt),
    ],
    indexes: &[
        &["scope", "live"],
        &["scope", "kind", "ord"],
        &["scope", "kind", "fingerprint", "written"],
        &["scope", "session_id"],
        &["scope", "payment_intent_id"],
        &["kind"],
    ],
};

/// Which rows refer to a target.
pub(crate) const REFS: Table = Table {
    name: "refs",
    columns: &[("scope", Kind::Text), ("target", Kind::Text), ("ord", Kind::Text), ("row_key", Kind::Text)],
    indexes: &[&["scope", "target", "ord"]],
};

/// The facts of accounts.
pub(crate) const FACTS: Table = Table {
    name: "facts",
    columns: &[("scope", Kind::Text), ("ord", Kind::Text), ("fact", Kind::Text), ("event_id", Kind::Text)],
    indexes: &[&["scope", "ord"]],
};

/// The last replies to callers.
pub(crate) const REPLIES: Table = Table {
    name: "replies",
    columns: &[("scope", Kind::Text), ("ord", Kind::Text), ("caller", Kind::Text), ("body", Kind::Text)],
    indexes: &[&["scope", "ord"]],
};

/// The claims, by full key. A claim without a holder is a block.
pub(crate) const CLAIMS: Table = Table {
    name: "claims",
    columns: &[
        ("ord", Kind::Text),
        ("holder", Kind::MaybeText),
        ("until", Kind::MaybeInt),
        ("blocked_until", Kind::MaybeInt),
    ],
    indexes: &[&["ord"], &["holder", "ord"]],
};

/// The received events with their progress. Times in milliseconds since the epoch.
pub(crate) const EVENTS: Table = Table {
    name: "events",
    columns: &[
        ("seq", Kind::Int),
        ("space", Kind::Text),
        ("business", Kind::Text),
        ("livemode", Kind::Int),
        ("source", Kind::Text),
        ("event_id", Kind::Text),
        ("kind", Kind::Text),
        ("received_at", Kind::Int),
        ("envelope", Kind::Text),
        ("payload_kind", Kind::Int),
        ("payload", Kind::Text),
        ("raw", Kind::MaybeText),
        ("account", Kind::MaybeText),
        ("state", Kind::Int),
        ("at", Kind::Int),
        ("waits_since", Kind::MaybeInt),
        ("failures", Kind::Int),
        ("error", Kind::MaybeText),
        ("outcome", Kind::MaybeText),
        ("waits_for", Kind::MaybeText),
        ("runs", Kind::Text),
        ("erased", Kind::Int),
    ],
    indexes: &[&["seq"], &["space", "state", "at", "seq"], &["source", "seq"], &["space", "account"]],
};

/// The full keys that waiting events wait for.
pub(crate) const WAITS: Table =
    Table { name: "waits", columns: &[("wait_key", Kind::Text), ("seq", Kind::Int)], indexes: &[&["wait_key"]] };

/// The effects. `front`: 1 if no open effect of the same ordering key precedes it. `awaited`: 1 for a provider's token.
pub(crate) const EFFECTS: Table = Table {
    name: "effects",
    columns: &[
        ("seq", Kind::Int),
        ("space", Kind::Text),
        ("scope", Kind::Text),
        ("effect_key", Kind::Text),
        ("generation", Kind::Int),
        ("timer", Kind::Int),
        ("ordering_key", Kind::MaybeText),
        ("open", Kind::Int),
        ("front", Kind::Int),
        ("awaited", Kind::Int),
        ("state", Kind::Int),
        ("attempts", Kind::Int),
        ("due_at", Kind::Int),
        ("fence", Kind::Int),
        ("lease_until", Kind::MaybeInt),
        ("token", Kind::MaybeText),
        ("lease_owner", Kind::MaybeText),
        ("erased", Kind::Int),
        ("business", Kind::Text),
        ("livemode", Kind::Int),
        ("account", Kind::Text),
        ("caused_by", Kind::Text),
        ("requested_at", Kind::Int),
        ("body", Kind::Text),
    ],
    indexes: &[
        &["seq"],
        &["scope", "effect_key"],
        &["scope", "ordering_key", "open"],
        &["space", "state", "front", "due_at", "seq"],
        &["space", "open", "seq"],
        &["space", "awaited"],
    ],
};

/// All tables.
pub const TABLES: [&Table; 11] =
    [&HEAD, &COMMITS, &ROWS, &REFS, &FACTS, &REPLIES, &CLAIMS, &EVENTS, &WAITS, &EFFECTS, &SETTINGS];

/// Settings of the block: texts by their names.
pub(crate) const SETTINGS: Table = Table { name: "settings", columns: &[("body", Kind::Text)], indexes: &[] };

impl Table {
    /// Returns the name on the platform.
    pub fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// Returns the definition of the table for the platform.
    pub(crate) fn definition(&self) -> TableDef {
        let column = |(name, kind): &Column| {
            let (kind, nullable) = match kind {
                Kind::Int => (ColumnKind::Int64, false),
                Kind::MaybeInt => (ColumnKind::Int64, true),
                Kind::Text => (ColumnKind::Text, false),
                Kind::MaybeText => (ColumnKind::Text, true),
            };
            ColumnDef { name, kind, nullable, primary_key: false }
        };
        let index = |columns: &&'static [&'static str]| IndexDef {
            name: format!("{INDEX_PREFIX}{}_{}", self.name, columns.join("_")),
            columns: columns.to_vec(),
        };
        let id = ColumnDef { name: "id", kind: ColumnKind::Text, nullable: false, primary_key: true };
        let own = self.columns.iter().chain(&COMMON).map(column);
        let stamps = STAMPS.iter().map(|name| column(&(name, Kind::MaybeText)));
        TableDef {
            name: self.full_name(),
            columns: std::iter::once(id).chain(own).chain(stamps).collect(),
            indexes: self.indexes.iter().map(index).collect(),
        }
    }
}

/// Returns the known column of a name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    let columns = TABLES.iter().flat_map(|table| table.columns).chain(&COMMON);
    columns.map(|(known, _)| *known).find(|known| *known == name)
}

/// Returns the table of a name without prefix.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.name == name)
}
