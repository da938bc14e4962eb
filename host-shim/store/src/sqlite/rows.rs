//! The rows that an extension sees, but for claims and effects.

use super::text;
use crate::prefix::scan_bounds;
use products_contract::{
    Account, Price, Product, ProductValues, Purchase, PurchaseKey, PurchaseValues, RecordKey, Snapshot, StoredRecord,
    Subscription, SubscriptionValues,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};

type Found<T> = Result<Option<T>, Error>;
type Rows<T> = Result<Vec<T>, Error>;

fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
) -> Found<T> {
    connection.prepare_cached(sql)?.query_row(params, read).optional()
}

fn many<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, Error>,
) -> Rows<T> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

/// The smallest text after `after`, so that one statement serves the first page and the next.
fn from(after: Option<&str>) -> String {
    after.map_or_else(String::new, |after| format!("{after}\0"))
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

macro_rules! product_columns {
    () => {
        "id, product_type, name, description, active, price_minor, price_currency, interval_unit, interval_count, \
         filters, metadata, version, deleted"
    };
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

pub(super) fn product(connection: &Connection, scope: i64, owner: &Account, id: &str) -> Found<Product> {
    let sql = concat!("SELECT ", product_columns!(), " FROM products WHERE scope = ?1 AND id = ?2");
    one(connection, sql, params![scope, id], |row| read_product(row, owner))
}

pub(super) fn products(
    connection: &Connection,
    scope: i64,
    owner: &Account,
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
    many(connection, sql, params![scope, from(after), product_type, rows(limit)], |row| read_product(row, owner))
}

pub(super) fn products_all(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let sql =
        concat!("SELECT ", product_columns!(), " FROM products WHERE scope = ?1 AND id >= ?2 ORDER BY id LIMIT ?3");
    many(connection, sql, params![scope, from(after), rows(limit)], |row| read_product(row, owner))
}

pub(super) fn put_product(connection: &Connection, scope: i64, row: &Product) -> Result<(), Error> {
    let values = &row.values;
    let sql = concat!(
        "INSERT OR REPLACE INTO products (scope, ",
        product_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
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
    ])?;
    Ok(())
}

macro_rules! price_columns {
    () => {
        "id, product_id, product_type, family, amount_minor, amount_currency, interval_unit, interval_count, active, \
         grants, terms"
    };
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

pub(super) fn price(connection: &Connection, scope: i64, id: &str) -> Found<Price> {
    let sql = concat!("SELECT ", price_columns!(), " FROM prices WHERE scope = ?1 AND id = ?2");
    one(connection, sql, params![scope, id], read_price)
}

pub(super) fn prices(connection: &Connection, scope: i64, after: Option<&str>, limit: usize) -> Rows<Price> {
    let sql = concat!("SELECT ", price_columns!(), " FROM prices WHERE scope = ?1 AND id >= ?2 ORDER BY id LIMIT ?3");
    many(connection, sql, params![scope, from(after), rows(limit)], read_price)
}

pub(super) fn put_price(connection: &Connection, scope: i64, row: &Price) -> Result<(), Error> {
    let sql = concat!(
        "INSERT OR REPLACE INTO prices (scope, ",
        price_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
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
    ])?;
    Ok(())
}

macro_rules! purchase_columns {
    () => {
        "id, provider, session_id, payment_intent_id, subscription_id, status, items, amount_minor, amount_currency, \
         tax_minor, tax_currency, total_minor, total_currency, refunded_minor, refunded_currency, metadata, version"
    };
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

pub(super) fn purchase(connection: &Connection, scope: i64, key: &PurchaseKey) -> Found<Purchase> {
    let (sql, value) = match key {
        PurchaseKey::Id(id) => {
            (concat!("SELECT ", purchase_columns!(), " FROM purchases WHERE scope = ?1 AND id = ?2"), id)
        }
        PurchaseKey::Session(id) => {
            (concat!("SELECT ", purchase_columns!(), " FROM purchases WHERE scope = ?1 AND session_id = ?2"), id)
        }
        PurchaseKey::PaymentIntent(id) => {
            (concat!("SELECT ", purchase_columns!(), " FROM purchases WHERE scope = ?1 AND payment_intent_id = ?2"), id)
        }
    };
    one(connection, sql, params![scope, value], read_purchase)
}

pub(super) fn purchases(connection: &Connection, scope: i64, after: Option<&str>, limit: usize) -> Rows<Purchase> {
    let sql =
        concat!("SELECT ", purchase_columns!(), " FROM purchases WHERE scope = ?1 AND id >= ?2 ORDER BY id LIMIT ?3");
    many(connection, sql, params![scope, from(after), rows(limit)], read_purchase)
}

/// Give up what the unique indexes hold of a row that is about to be written anew.
pub(super) fn release_purchase(connection: &Connection, scope: i64, id: &str) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE purchases SET session_id = NULL, payment_intent_id = NULL WHERE scope = ?1 AND id = ?2",
        )?
        .execute(params![scope, id])?;
    Ok(())
}

pub(super) fn put_purchase(connection: &Connection, scope: i64, row: &Purchase) -> Result<(), Error> {
    let values = &row.values;
    // No REPLACE: it would delete another row that has the session or the payment intent.
    let sql = concat!(
        "INSERT INTO purchases (scope, ",
        purchase_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        " ON CONFLICT (scope, id) DO UPDATE SET provider = ?3, session_id = ?4, payment_intent_id = ?5,",
        " subscription_id = ?6, status = ?7, items = ?8, amount_minor = ?9, amount_currency = ?10, tax_minor = ?11,",
        " tax_currency = ?12, total_minor = ?13, total_currency = ?14, refunded_minor = ?15, refunded_currency = ?16,",
        " metadata = ?17, version = ?18"
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
    ])?;
    Ok(())
}

macro_rules! subscription_columns {
    () => {
        "id, customer_id, status, items, cancel_at_period_end, cancel_at, trial_end, grace_end, snapshot_at, \
         snapshot_rank, snapshot_event_id, metadata, version"
    };
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

pub(super) fn subscription(connection: &Connection, scope: i64, id: &str) -> Found<Subscription> {
    let sql = concat!("SELECT ", subscription_columns!(), " FROM subscriptions WHERE scope = ?1 AND id = ?2");
    one(connection, sql, params![scope, id], read_subscription)
}

pub(super) fn subscriptions(
    connection: &Connection,
    scope: i64,
    after: Option<&str>,
    limit: usize,
) -> Rows<Subscription> {
    let sql = concat!(
        "SELECT ",
        subscription_columns!(),
        " FROM subscriptions WHERE scope = ?1 AND id >= ?2 ORDER BY id LIMIT ?3"
    );
    many(connection, sql, params![scope, from(after), rows(limit)], read_subscription)
}

pub(super) fn put_subscription(connection: &Connection, scope: i64, row: &Subscription) -> Result<(), Error> {
    let values = &row.values;
    let sql = concat!(
        "INSERT OR REPLACE INTO subscriptions (scope, ",
        subscription_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
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
    ])?;
    Ok(())
}

fn read_record(row: &Row<'_>) -> Result<StoredRecord, Error> {
    Ok(StoredRecord { id: row.get(0)?, value: row.get(1)?, version: row.get(2)? })
}

pub(super) fn record(connection: &Connection, scope: i64, key: &RecordKey) -> Found<StoredRecord> {
    let sql = "SELECT id, value, version FROM records WHERE scope = ?1 AND collection = ?2 AND id = ?3";
    one(connection, sql, params![scope, key.collection, key.id], read_record)
}

pub(super) fn records(
    connection: &Connection,
    scope: i64,
    collection: &str,
    prefix: &str,
    descending: bool,
    after: Option<&str>,
    limit: usize,
) -> Rows<StoredRecord> {
    let (from, to) = scan_bounds(prefix, descending, after);
    // In SQLite's order every text is before the empty blob: it stands for an open end.
    let to = to.map_or(Value::Blob(Vec::new()), Value::Text);
    let sql = if descending {
        "SELECT id, value, version FROM records WHERE scope = ?1 AND collection = ?2 AND id >= ?3 AND id < ?4 \
         ORDER BY id DESC LIMIT ?5"
    } else {
        "SELECT id, value, version FROM records WHERE scope = ?1 AND collection = ?2 AND id >= ?3 AND id < ?4 \
         ORDER BY id LIMIT ?5"
    };
    many(connection, sql, params![scope, collection, from, to, rows(limit)], read_record)
}

pub(super) fn collections(connection: &Connection, scope: i64) -> Rows<String> {
    let sql = "SELECT DISTINCT collection FROM records WHERE scope = ?1 ORDER BY collection";
    many(connection, sql, [scope], |row| row.get(0))
}

pub(super) fn put_record(
    connection: &Connection,
    scope: i64,
    key: &RecordKey,
    row: Option<&StoredRecord>,
) -> Result<(), Error> {
    match row {
        Some(row) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO records (scope, collection, id, value, version) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![scope, key.collection, key.id, row.value, row.version])?,
        None => connection
            .prepare_cached("DELETE FROM records WHERE scope = ?1 AND collection = ?2 AND id = ?3")?
            .execute(params![scope, key.collection, key.id])?,
    };
    Ok(())
}

pub(super) fn fact(connection: &Connection, scope: i64, fact: &str) -> Found<String> {
    let sql = "SELECT event_id FROM facts WHERE scope = ?1 AND fact = ?2";
    one(connection, sql, params![scope, fact], |row| row.get(0))
}

pub(super) fn put_fact(connection: &Connection, scope: i64, fact: &str, event_id: &str) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO facts (scope, fact, event_id) VALUES (?1, ?2, ?3)")?
        .execute(params![scope, fact, event_id])?;
    Ok(())
}
