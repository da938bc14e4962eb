//! The tables of rows and their statements, which are generated from the column names.

use extension_contract::{RecordKey, RowKey};
use std::sync::LazyLock;

/// The columns of one table.
struct TableColumns {
    name: &'static str,
    /// Columns of the key after the scope; the last column is the id.
    key: &'static [&'static str],
    /// Columns of the content, in the order in which the module `values` reads and writes them.
    values: &'static [&'static str],
    /// SQL condition of the rows that listings show: rows that are not soft-deleted.
    shown: &'static str,
}

/// Indexes of the kinds in [`TABLES`]. The first column of every result is the index of the row's kind.
pub(super) const PRODUCT: usize = 0;
pub(super) const PRICE: usize = 1;
pub(super) const PURCHASE: usize = 2;
pub(super) const SUBSCRIPTION: usize = 3;
pub(super) const RECORD: usize = 4;

static TABLE_COLUMNS: [TableColumns; 5] = [
    TableColumns {
        name: "products",
        key: &["id"],
        values: &[
            "product_type",
            "name",
            "description",
            "active",
            "price_minor",
            "price_currency",
            "interval_unit",
            "interval_count",
            "filters",
            "metadata",
            "version",
            "deleted",
        ],
        shown: " AND deleted = 0",
    },
    TableColumns {
        name: "prices",
        key: &["id"],
        values: &[
            "product_id",
            "product_type",
            "family",
            "amount_minor",
            "amount_currency",
            "interval_unit",
            "interval_count",
            "active",
            "grants",
            "terms",
        ],
        shown: "",
    },
    TableColumns {
        name: "purchases",
        key: &["id"],
        values: &[
            "provider",
            "session_id",
            "payment_intent_id",
            "subscription_id",
            "status",
            "items",
            "amount_minor",
            "amount_currency",
            "tax_minor",
            "tax_currency",
            "total_minor",
            "total_currency",
            "refunded_minor",
            "refunded_currency",
            "metadata",
            "version",
        ],
        shown: "",
    },
    TableColumns {
        name: "subscriptions",
        key: &["id"],
        values: &[
            "customer_id",
            "status",
            "items",
            "cancel_at_period_end",
            "cancel_at",
            "trial_end",
            "grace_end",
            "snapshot_at",
            "snapshot_rank",
            "snapshot_event_id",
            "metadata",
            "version",
        ],
        shown: "",
    },
    TableColumns { name: "records", key: &["collection", "id"], values: &["value", "version"], shown: "" },
];

/// Number of columns before the columns of the row's key and content: kind, data version and references.
pub(super) const BEFORE: usize = 3;

/// The statements of one table. Except in `put`, `?1` is the scope, and `?2` is the collection of a record, null for
/// other kinds.
pub(super) struct Table {
    /// Returns the row with the id `?3`.
    pub(super) one: String,
    /// Returns at most `?5` rows with ids from `?3` to before `?4`, in order of the ids.
    pub(super) ascending: String,
    pub(super) descending: String,
    /// As `ascending`, including soft-deleted rows.
    pub(super) all: String,
    /// Returns the first fingerprint from `?3` on.
    pub(super) next_fingerprint: String,
    /// Returns write revisions and ids of rows with the fingerprint `?3`, least recent first, at most `?4`.
    pub(super) of_fingerprint: String,
    /// Returns at most `?3` rows after the text `?2` of their keys, with what is kept of them beside their content.
    pub(super) whole: String,
    /// Sets the times `?4` and `?5` of the row with the id `?3`.
    pub(super) times: String,
    /// Number of columns of the key and the content.
    pub(super) columns: usize,
    /// Returns the references of the row with the id `?3`; null if the row is soft-deleted.
    pub(super) references: String,
    /// Writes a row: the scope, its key, its values, then data version, live, fingerprint, revision, references and time.
    pub(super) put: String,
}

impl Table {
    /// Returns the table of a row, and the collection of a record.
    pub(super) fn of(key: &RowKey) -> (&'static Table, Option<&str>) {
        let (table, collection) = match key {
            RowKey::Product(_) => (PRODUCT, None),
            RowKey::Price(_) => (PRICE, None),
            RowKey::Purchase(_) => (PURCHASE, None),
            RowKey::Subscription(_) => (SUBSCRIPTION, None),
            RowKey::Record(RecordKey { collection, .. }) => (RECORD, Some(collection.as_str())),
        };
        (&TABLES[table], collection)
    }
}

/// The statements of every table.
pub(super) static TABLES: LazyLock<[Table; 5]> = LazyLock::new(|| {
    let mut kinds = 0..;
    TABLE_COLUMNS.each_ref().map(|table| table.statements(kinds.next().unwrap_or_default()))
});

/// Returns the live rows of the scope `?1`, kind by kind.
pub(super) static LIVE: LazyLock<String> = LazyLock::new(|| {
    let columns = |table: &TableColumns| table.key.len() + table.values.len();
    let most = TABLE_COLUMNS.iter().map(columns).max().unwrap_or_default();
    let arm = |(kind, table): (usize, &TableColumns)| {
        let (name, shown) = (table.name, table.shown);
        let filled = ", NULL".repeat(most - columns(table));
        format!(
            "{}{filled} FROM {name} INDEXED BY {name}_live WHERE scope = ?1 AND live = 1{shown}",
            table.select(kind)
        )
    };
    TABLE_COLUMNS.iter().enumerate().map(arm).collect::<Vec<_>>().join(" UNION ALL ")
});

/// Returns at most `?4` products of the catalog `?1` that are not deleted, from the id `?2` on. If `?3` is not null,
/// returns only products of this type.
pub(super) static PRODUCTS: LazyLock<String> = LazyLock::new(|| {
    let TableColumns { name, shown, .. } = TABLE_COLUMNS[PRODUCT];
    let select = TABLE_COLUMNS[PRODUCT].select(PRODUCT);
    format!(
        "{select} FROM {name} WHERE scope = ?1 AND id >= ?2{shown} AND (?3 IS NULL OR product_type = ?3) \
         ORDER BY id LIMIT ?4"
    )
});

impl TableColumns {
    fn select(&self, kind: usize) -> String {
        let columns: Vec<&str> = self.key.iter().chain(self.values).copied().collect();
        format!("SELECT {kind}, data_version, refs, {}", columns.join(", "))
    }

    fn statements(&self, kind: usize) -> Table {
        let TableColumns { name, shown, .. } = self;
        let select = self.select(kind);
        let of_kind = if kind == RECORD { "scope = ?1 AND collection = ?2" } else { "scope = ?1 AND ?2 IS NULL" };
        let key_text = if kind == RECORD { "collection || ':' || id" } else { "id" };
        let range = |shown: &str, order: &str| {
            format!("{select} FROM {name} WHERE {of_kind}{shown} AND id >= ?3 AND id < ?4 ORDER BY id{order} LIMIT ?5")
        };
        let indexed = format!("INDEXED BY {name}_by_fingerprint WHERE {of_kind}{shown} AND fingerprint IS NOT NULL");
        Table {
            one: format!("{select} FROM {name} WHERE {of_kind} AND id = ?3"),
            ascending: range(shown, ""),
            descending: range(shown, " DESC"),
            all: range("", ""),
            next_fingerprint: format!(
                "SELECT fingerprint FROM {name} {indexed} AND fingerprint >= ?3 ORDER BY fingerprint LIMIT 1"
            ),
            of_fingerprint: format!(
                "SELECT written, id FROM {name} {indexed} AND fingerprint = ?3 ORDER BY written, id LIMIT ?4"
            ),
            whole: format!(
                "{select}, live, fingerprint, written, created_at, updated_at FROM {name} \
                 WHERE scope = ?1 AND {key_text} > ?2 ORDER BY {key_text} LIMIT ?3"
            ),
            times: format!("UPDATE {name} SET created_at = ?4, updated_at = ?5 WHERE {of_kind} AND id = ?3"),
            columns: self.key.len() + self.values.len(),
            references: format!("SELECT iif(true{shown}, refs, NULL) FROM {name} WHERE {of_kind} AND id = ?3"),
            put: self.put(),
        }
    }

    fn put(&self) -> String {
        let metadata = ["data_version", "live", "fingerprint", "written", "refs", "updated_at"];
        let changed: Vec<&str> = self.values.iter().copied().chain(metadata).collect();
        let key: Vec<&str> = std::iter::once("scope").chain(self.key.iter().copied()).collect();
        let marks: Vec<String> = (1..=key.len() + changed.len()).map(|number| format!("?{number}")).collect();
        let set: Vec<String> = changed.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let (name, key, time) = (self.name, key.join(", "), marks.len());
        // The last value is the time of the change. It is the creation time of a new row, too.
        format!(
            "INSERT INTO {name} ({key}, {}, created_at) VALUES ({}, ?{time}) ON CONFLICT ({key}) DO UPDATE SET {}",
            changed.join(", "),
            marks.join(", "),
            set.join(", ")
        )
    }
}
