//! The rows that an extension sees, but for claims and effects: a table a kind, the same questions to each.

use super::text;
use crate::changes::RowWrite;
use crate::prefix::scan_bounds;
use products_contract::{
    Account, Listing, Price, Product, ProductValues, Purchase, PurchaseValues, Reference, Row as Stored, RowKey,
    RowKind, Snapshot, StoredRecord, StoredRow, Subscription, SubscriptionValues,
};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};

type Rows<T> = Result<Vec<T>, Error>;

/// A row with its references.
pub(super) struct Held {
    pub(super) stored: StoredRow,
    pub(super) references: Vec<Reference>,
}

/// The questions to one table. `?1` is the scope and `?2` the collection, null but for records.
struct Table {
    /// The row of the id `?3`.
    one: &'static str,
    /// Rows that later events need, in no order.
    live: &'static str,
    /// Ids from `?3` to before `?4`, at most `?5`.
    ascending: &'static str,
    descending: &'static str,
    /// The same in ascending order, with soft-deleted rows.
    all: &'static str,
    /// Rows whose fingerprint is another than `?3`, at most `?4`.
    outdated: &'static str,
    read: fn(&Row<'_>, &Account) -> Result<Stored, Error>,
    /// Columns that `read` reads; the data version and the references follow.
    columns: usize,
}

/// A table by its name, its columns, the condition for one kind and the condition for what is shown.
macro_rules! table {
    ($name:literal, $columns:expr, $count:literal, $kind:literal, $shown:literal, $read:expr) => {
        Table {
            one: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs FROM ",
                $name,
                " WHERE scope = ?1 AND ",
                $kind,
                " AND id = ?3"
            ),
            live: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs FROM ",
                $name,
                " INDEXED BY ",
                $name,
                "_live",
                " WHERE scope = ?1 AND live = 1",
                $shown
            ),
            ascending: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs FROM ",
                $name,
                " WHERE scope = ?1 AND ",
                $kind,
                $shown,
                " AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5"
            ),
            descending: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs FROM ",
                $name,
                " WHERE scope = ?1 AND ",
                $kind,
                $shown,
                " AND id >= ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5"
            ),
            all: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs FROM ",
                $name,
                " WHERE scope = ?1 AND ",
                $kind,
                " AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5"
            ),
            outdated: concat!(
                "SELECT ",
                $columns,
                ", data_version, refs, written FROM ",
                $name,
                " INDEXED BY ",
                $name,
                "_by_fingerprint WHERE scope = ?1 AND ",
                $kind,
                $shown,
                " AND fingerprint IS NOT NULL AND fingerprint < ?3",
                " UNION ALL SELECT ",
                $columns,
                ", data_version, refs, written FROM ",
                $name,
                " INDEXED BY ",
                $name,
                "_by_fingerprint WHERE scope = ?1 AND ",
                $kind,
                $shown,
                " AND fingerprint IS NOT NULL AND fingerprint > ?3 ORDER BY written, id LIMIT ?4"
            ),
            read: $read,
            columns: $count,
        }
    };
}

macro_rules! product_columns {
    () => {
        "id, product_type, name, description, active, price_minor, price_currency, interval_unit, interval_count, \
         filters, metadata, version, deleted"
    };
}

macro_rules! price_columns {
    () => {
        "id, product_id, product_type, family, amount_minor, amount_currency, interval_unit, interval_count, active, \
         grants, terms"
    };
}

macro_rules! purchase_columns {
    () => {
        "id, provider, session_id, payment_intent_id, subscription_id, status, items, amount_minor, amount_currency, \
         tax_minor, tax_currency, total_minor, total_currency, refunded_minor, refunded_currency, metadata, version"
    };
}

macro_rules! subscription_columns {
    () => {
        "id, customer_id, status, items, cancel_at_period_end, cancel_at, trial_end, grace_end, snapshot_at, \
         snapshot_rank, snapshot_event_id, metadata, version"
    };
}

static PRODUCTS: Table = table!("products", product_columns!(), 13, "?2 IS NULL", " AND deleted = 0", |row, owner| {
    read_product(row, owner).map(Stored::Product)
});
static PRICES: Table =
    table!("prices", price_columns!(), 11, "?2 IS NULL", "", |row, _| read_price(row).map(Stored::Price));
static PURCHASES: Table = table!("purchases", purchase_columns!(), 17, "?2 IS NULL", "", |row, _| {
    read_purchase(row).map(Stored::Purchase)
});
static SUBSCRIPTIONS: Table = table!("subscriptions", subscription_columns!(), 13, "?2 IS NULL", "", |row, _| {
    read_subscription(row).map(Stored::Subscription)
});
static RECORDS: Table = table!("records", "collection, id, value, version", 4, "collection = ?2", "", |row, _| {
    Ok(Stored::Record(StoredRecord {
        collection: row.get(0)?,
        id: row.get(1)?,
        value: row.get(2)?,
        version: row.get(3)?,
    }))
});

/// The table of a kind, and the collection if it is records'.
fn table(kind: &RowKind) -> (&'static Table, Option<&str>) {
    match kind {
        RowKind::Product => (&PRODUCTS, None),
        RowKind::Price => (&PRICES, None),
        RowKind::Purchase => (&PURCHASES, None),
        RowKind::Subscription => (&SUBSCRIPTIONS, None),
        RowKind::Record(collection) => (&RECORDS, Some(collection)),
    }
}

impl Table {
    fn held(&self, row: &Row<'_>, owner: &Account) -> Result<Held, Error> {
        Ok(Held {
            stored: StoredRow { data_version: row.get(self.columns)?, row: (self.read)(row, owner)? },
            references: text::references(row, self.columns + 1)?,
        })
    }

    fn stored(&self, connection: &Connection, owner: &Account, sql: &str, params: impl Params) -> Rows<StoredRow> {
        connection
            .prepare_cached(sql)?
            .query_map(params, |row| {
                Ok(StoredRow { data_version: row.get(self.columns)?, row: (self.read)(row, owner)? })
            })?
            .collect()
    }
}

pub(super) fn one(connection: &Connection, scope: i64, owner: &Account, key: &RowKey) -> Result<Option<Held>, Error> {
    let (table, collection) = match key {
        RowKey::Product(_) => (&PRODUCTS, None),
        RowKey::Price(_) => (&PRICES, None),
        RowKey::Purchase(_) => (&PURCHASES, None),
        RowKey::Subscription(_) => (&SUBSCRIPTIONS, None),
        RowKey::Record(key) => (&RECORDS, Some(&key.collection)),
    };
    connection
        .prepare_cached(table.one)?
        .query_row(params![scope, collection, key.id()], |row| table.held(row, owner))
        .optional()
}

pub(super) fn live(connection: &Connection, scope: i64, owner: &Account) -> Rows<Held> {
    let mut live = Vec::new();
    for table in [&PRODUCTS, &PRICES, &PURCHASES, &SUBSCRIPTIONS, &RECORDS] {
        let mut statement = connection.prepare_cached(table.live)?;
        let mut rows = statement.query([scope])?;
        while let Some(row) = rows.next()? {
            live.push(table.held(row, owner)?);
        }
    }
    Ok(live)
}

pub(super) fn listed(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    listing: &Listing,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(&listing.kind);
    let (from, to) = scan_bounds(&listing.prefix, listing.descending, listing.after.as_deref());
    let sql = if listing.descending { table.descending } else { table.ascending };
    table.stored(connection, owner, sql, params![scope, collection, from, text::end(to), text::limit(limit)])
}

pub(super) fn all(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    kind: &RowKind,
    after: Option<&str>,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(kind);
    let (from, to) = scan_bounds("", false, after);
    table.stored(connection, owner, table.all, params![scope, collection, from, text::end(to), text::limit(limit)])
}

pub(super) fn outdated(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    kind: &RowKind,
    fingerprint: &str,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(kind);
    table.stored(connection, owner, table.outdated, params![scope, collection, fingerprint, text::limit(limit)])
}

/// Texts of the keys of rows that refer to a target, in order, after a text.
pub(super) fn referrers(
    connection: &Connection,
    scope: i64,
    target: &Reference,
    after: Option<&str>,
    limit: usize,
) -> Rows<String> {
    connection
        .prepare_cached("SELECT row FROM refs WHERE scope = ?1 AND target = ?2 AND row > ?3 ORDER BY row LIMIT ?4")?
        .query_map(params![scope, target.to_string(), after.unwrap_or_default(), text::limit(limit)], |row| row.get(0))?
        .collect()
}

/// Products in order of their ids without deleted ones, those of a type if one is given.
pub(super) fn products(
    connection: &Connection,
    scope: i64,
    product_type: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let sql = concat!(
        "SELECT ",
        product_columns!(),
        " FROM products WHERE scope = ?1 AND id >= ?2 AND deleted = 0 AND (?3 IS NULL OR product_type = ?3)",
        " ORDER BY id LIMIT ?4"
    );
    let from = scan_bounds("", false, after).0;
    connection
        .prepare_cached(sql)?
        .query_map(params![scope, from, product_type, text::limit(limit)], |row| read_product(row, &Account::Platform))?
        .collect()
}

/// Products that list a name among their references, in order of their ids, without deleted ones.
pub(super) fn products_named(
    connection: &Connection,
    scope: i64,
    name: &str,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let after = after.map_or_else(|| "product:".to_owned(), |id| RowKey::Product(id.to_owned()).to_string());
    let target = Reference::Name(name.to_owned());
    let mut found = Vec::new();
    for text in referrers(connection, scope, &target, Some(&after), limit)? {
        let Some(key @ RowKey::Product(_)) = text::row_key(&text) else { break };
        if let Some(Held { stored: StoredRow { row: Stored::Product(row), .. }, .. }) =
            one(connection, scope, &Account::Platform, &key)?
        {
            found.push(row);
        }
    }
    Ok(found)
}

pub(super) fn collections(connection: &Connection, scope: i64) -> Rows<String> {
    let sql = "SELECT DISTINCT collection FROM records WHERE scope = ?1 ORDER BY collection";
    connection.prepare_cached(sql)?.query_map([scope], |row| row.get(0))?.collect()
}

fn read_product(row: &Row<'_>, owner: &Account) -> Result<Product, Error> {
    Ok(Product {
        id: row.get(0)?,
        owner: owner.clone(),
        values: ProductValues {
            product_type: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            active: row.get(4)?,
            price: text::money(row, 5)?,
            interval: text::interval(row, 7)?,
            filters: text::json(row, 9)?,
            metadata: row.get(10)?,
        },
        version: row.get(11)?,
        deleted: row.get(12)?,
    })
}

fn read_price(row: &Row<'_>) -> Result<Price, Error> {
    Ok(Price {
        id: row.get(0)?,
        product_id: row.get(1)?,
        product_type: row.get(2)?,
        family: row.get(3)?,
        amount: text::some_money(row, 4)?,
        interval: text::interval(row, 6)?,
        active: row.get(8)?,
        grants: text::json(row, 9)?,
        terms: row.get(10)?,
    })
}

fn read_purchase(row: &Row<'_>) -> Result<Purchase, Error> {
    Ok(Purchase {
        id: row.get(0)?,
        values: PurchaseValues {
            provider: row.get(1)?,
            session_id: row.get(2)?,
            payment_intent_id: row.get(3)?,
            subscription_id: row.get(4)?,
            status: text::named(row, 5, &text::PURCHASE)?,
            items: text::json(row, 6)?,
            amount: text::some_money(row, 7)?,
            tax: text::some_money(row, 9)?,
            total: text::some_money(row, 11)?,
            refunded: text::some_money(row, 13)?,
            metadata: row.get(15)?,
        },
        version: row.get(16)?,
    })
}

fn read_subscription(row: &Row<'_>) -> Result<Subscription, Error> {
    Ok(Subscription {
        id: row.get(0)?,
        values: SubscriptionValues {
            customer_id: row.get(1)?,
            status: text::named(row, 2, &text::SUBSCRIPTION)?,
            items: text::json(row, 3)?,
            cancel_at_period_end: row.get(4)?,
            cancel_at: row.get(5)?,
            trial_end: row.get(6)?,
            grace_end: row.get(7)?,
            snapshot: Snapshot { at: row.get(8)?, rank: text::named(row, 9, &text::RANK)?, event_id: row.get(10)? },
            metadata: row.get(11)?,
        },
        version: row.get(12)?,
    })
}

/// Give up what the unique indexes hold of a purchase that is about to be written anew.
pub(super) fn release_purchase(connection: &Connection, scope: i64, id: &str) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE purchases SET session_id = NULL, payment_intent_id = NULL WHERE scope = ?1 AND id = ?2",
        )?
        .execute(params![scope, id])?;
    Ok(())
}

/// Write a row as of a revision of its account, or remove it. The references are written by triggers, if they are
/// others than before; with REPLACE, none would see what was there.
pub(super) fn put(connection: &Connection, scope: i64, revision: u64, write: &RowWrite) -> Result<(), Error> {
    let RowWrite { key, row, data_version, live, references, fingerprint } = write;
    let refs = text::references_value(references)?;
    match row {
        None => {
            let RowKey::Record(key) = key else { return Ok(()) };
            connection
                .prepare_cached("DELETE FROM records WHERE scope = ?1 AND collection = ?2 AND id = ?3")?
                .execute(params![scope, key.collection, key.id])?
        }
        Some(Stored::Product(row)) => {
            let values = &row.values;
            let sql = concat!(
                "INSERT INTO products (scope, ",
                product_columns!(),
                ", data_version, live, fingerprint, written, refs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,",
                " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (scope, id) DO UPDATE SET",
                " product_type = ?3, name = ?4, description = ?5, active = ?6, price_minor = ?7, price_currency = ?8,",
                " interval_unit = ?9, interval_count = ?10, filters = ?11, metadata = ?12, version = ?13,",
                " deleted = ?14, data_version = ?15, live = ?16, fingerprint = ?17, written = ?18, refs = ?19"
            );
            connection.prepare_cached(sql)?.execute(params![
                scope,
                row.id,
                values.product_type,
                values.name,
                values.description,
                values.active,
                values.price.as_ref().map(|price| price.amount_minor),
                values.price.as_ref().map(|price| &price.currency),
                values.interval.as_ref().map(|interval| text::name(&text::UNIT, &interval.unit)),
                values.interval.as_ref().map(|interval| interval.count),
                text::to_json(&values.filters)?,
                values.metadata,
                row.version,
                row.deleted,
                data_version,
                live,
                fingerprint,
                revision,
                refs,
            ])?
        }
        Some(Stored::Price(row)) => {
            let sql = concat!(
                "INSERT INTO prices (scope, ",
                price_columns!(),
                ", data_version, live, fingerprint, written, refs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,",
                " ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT (scope, id) DO UPDATE SET product_id = ?3,",
                " product_type = ?4, family = ?5, amount_minor = ?6, amount_currency = ?7, interval_unit = ?8,",
                " interval_count = ?9, active = ?10, grants = ?11, terms = ?12, data_version = ?13, live = ?14,",
                " fingerprint = ?15, written = ?16, refs = ?17"
            );
            connection.prepare_cached(sql)?.execute(params![
                scope,
                row.id,
                row.product_id,
                row.product_type,
                row.family,
                row.amount.amount_minor,
                row.amount.currency,
                row.interval.as_ref().map(|interval| text::name(&text::UNIT, &interval.unit)),
                row.interval.as_ref().map(|interval| interval.count),
                row.active,
                text::to_json(&row.grants)?,
                row.terms,
                data_version,
                live,
                fingerprint,
                revision,
                refs,
            ])?
        }
        Some(Stored::Purchase(row)) => {
            let values = &row.values;
            let sql = concat!(
                "INSERT INTO purchases (scope, ",
                purchase_columns!(),
                ", data_version, live, fingerprint, written, refs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,",
                " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
                " ON CONFLICT (scope, id) DO UPDATE SET provider = ?3, session_id = ?4, payment_intent_id = ?5,",
                " subscription_id = ?6, status = ?7, items = ?8, amount_minor = ?9, amount_currency = ?10,",
                " tax_minor = ?11, tax_currency = ?12, total_minor = ?13, total_currency = ?14, refunded_minor = ?15,",
                " refunded_currency = ?16, metadata = ?17, version = ?18, data_version = ?19, live = ?20,",
                " fingerprint = ?21, written = ?22, refs = ?23"
            );
            connection.prepare_cached(sql)?.execute(params![
                scope,
                row.id,
                values.provider,
                values.session_id,
                values.payment_intent_id,
                values.subscription_id,
                text::name(&text::PURCHASE, &values.status),
                text::to_json(&values.items)?,
                values.amount.amount_minor,
                values.amount.currency,
                values.tax.amount_minor,
                values.tax.currency,
                values.total.amount_minor,
                values.total.currency,
                values.refunded.amount_minor,
                values.refunded.currency,
                values.metadata,
                row.version,
                data_version,
                live,
                fingerprint,
                revision,
                refs,
            ])?
        }
        Some(Stored::Subscription(row)) => {
            let values = &row.values;
            let sql = concat!(
                "INSERT INTO subscriptions (scope, ",
                subscription_columns!(),
                ", data_version, live, fingerprint, written, refs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,",
                " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (scope, id) DO UPDATE SET",
                " customer_id = ?3, status = ?4, items = ?5, cancel_at_period_end = ?6, cancel_at = ?7,",
                " trial_end = ?8, grace_end = ?9, snapshot_at = ?10, snapshot_rank = ?11, snapshot_event_id = ?12,",
                " metadata = ?13, version = ?14, data_version = ?15, live = ?16, fingerprint = ?17, written = ?18,",
                " refs = ?19"
            );
            connection.prepare_cached(sql)?.execute(params![
                scope,
                row.id,
                values.customer_id,
                text::name(&text::SUBSCRIPTION, &values.status),
                text::to_json(&values.items)?,
                values.cancel_at_period_end,
                values.cancel_at,
                values.trial_end,
                values.grace_end,
                values.snapshot.at,
                text::name(&text::RANK, &values.snapshot.rank),
                values.snapshot.event_id,
                values.metadata,
                row.version,
                data_version,
                live,
                fingerprint,
                revision,
                refs,
            ])?
        }
        Some(Stored::Record(row)) => connection
            .prepare_cached(
                "INSERT INTO records (scope, collection, id, value, version, data_version, live, fingerprint, \
                 written, refs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
                 ON CONFLICT (scope, collection, id) DO UPDATE SET value = ?4, version = ?5, data_version = ?6, \
                 live = ?7, fingerprint = ?8, written = ?9, refs = ?10",
            )?
            .execute(params![
                scope,
                row.collection,
                row.id,
                row.value,
                row.version,
                data_version,
                live,
                fingerprint,
                revision,
                refs,
            ])?,
    };
    Ok(())
}

pub(super) fn fact(connection: &Connection, scope: i64, fact: &str) -> Result<Option<String>, Error> {
    connection
        .prepare_cached("SELECT event_id FROM facts WHERE scope = ?1 AND fact = ?2")?
        .query_row(params![scope, fact], |row| row.get(0))
        .optional()
}

pub(super) fn knows(connection: &Connection, scope: i64, fact: &str) -> Result<bool, Error> {
    connection.prepare_cached("SELECT 1 FROM facts WHERE scope = ?1 AND fact = ?2")?.exists(params![scope, fact])
}

pub(super) fn put_fact(connection: &Connection, scope: i64, fact: &str, event_id: &str) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO facts (scope, fact, event_id) VALUES (?1, ?2, ?3)")?
        .execute(params![scope, fact, event_id])?;
    Ok(())
}
