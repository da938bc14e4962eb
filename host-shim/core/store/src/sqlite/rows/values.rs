//! Conversions between rows and column values. `columns` and `read` use the same order of columns.

use super::super::text;
use super::table::{BEFORE, PRICE, PRODUCT, PURCHASE, RECORD, SUBSCRIPTION};
use extension_contract::{
    Account, BillingInterval, Money, Price, Product, ProductValues, Purchase, PurchaseValues, Row as Stored, Snapshot,
    StoredRecord, Subscription, SubscriptionValues,
};
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Error, Row, ToSql};

/// Reads a row from the result of a table's statement.
pub(super) fn read(row: &Row<'_>, owner: &Account) -> Result<Stored, Error> {
    match row.get(0)? {
        PRODUCT => read_product(row, owner).map(Stored::Product),
        PRICE => read_price(row).map(Stored::Price),
        PURCHASE => read_purchase(row).map(Stored::Purchase),
        SUBSCRIPTION => read_subscription(row).map(Stored::Subscription),
        RECORD => Ok(Stored::Record(StoredRecord {
            collection: row.get(BEFORE)?,
            id: row.get(BEFORE + 1)?,
            value: row.get(BEFORE + 2)?,
            version: row.get(BEFORE + 3)?,
        })),
        other => Err(text::damaged(0, other)),
    }
}

pub(super) fn read_product(row: &Row<'_>, owner: &Account) -> Result<Product, Error> {
    let at = |column: usize| BEFORE + column;
    Ok(Product {
        id: row.get(at(0))?,
        owner: owner.clone(),
        values: ProductValues {
            product_type: row.get(at(1))?,
            name: row.get(at(2))?,
            description: row.get(at(3))?,
            active: row.get(at(4))?,
            price: text::money(row, at(5))?,
            interval: text::interval(row, at(7))?,
            filters: text::json(row, at(9))?,
            metadata: row.get(at(10))?,
        },
        version: row.get(at(11))?,
        deleted: row.get(at(12))?,
    })
}

fn read_price(row: &Row<'_>) -> Result<Price, Error> {
    let at = |column: usize| BEFORE + column;
    Ok(Price {
        id: row.get(at(0))?,
        product_id: row.get(at(1))?,
        product_type: row.get(at(2))?,
        family: row.get(at(3))?,
        amount: text::some_money(row, at(4))?,
        interval: text::interval(row, at(6))?,
        active: row.get(at(8))?,
        grants: text::json(row, at(9))?,
        terms: row.get(at(10))?,
    })
}

fn read_purchase(row: &Row<'_>) -> Result<Purchase, Error> {
    let at = |column: usize| BEFORE + column;
    Ok(Purchase {
        id: row.get(at(0))?,
        values: PurchaseValues {
            provider: row.get(at(1))?,
            session_id: row.get(at(2))?,
            payment_intent_id: row.get(at(3))?,
            subscription_id: row.get(at(4))?,
            status: text::named(row, at(5), &text::PURCHASE)?,
            items: text::json(row, at(6))?,
            amount: text::some_money(row, at(7))?,
            tax: text::some_money(row, at(9))?,
            total: text::some_money(row, at(11))?,
            refunded: text::some_money(row, at(13))?,
            metadata: row.get(at(15))?,
        },
        version: row.get(at(16))?,
    })
}

fn read_subscription(row: &Row<'_>) -> Result<Subscription, Error> {
    let at = |column: usize| BEFORE + column;
    Ok(Subscription {
        id: row.get(at(0))?,
        values: SubscriptionValues {
            customer_id: row.get(at(1))?,
            status: text::named(row, at(2), &text::SUBSCRIPTION)?,
            items: text::json(row, at(3))?,
            cancel_at_period_end: row.get(at(4))?,
            cancel_at: row.get(at(5))?,
            trial_end: row.get(at(6))?,
            grace_end: row.get(at(7))?,
            snapshot: Snapshot {
                at: row.get(at(8))?,
                rank: text::named(row, at(9), &text::RANK)?,
                event_id: row.get(at(10))?,
            },
            metadata: row.get(at(11))?,
        },
        version: row.get(at(12))?,
    })
}

/// Returns the table of a row and the values of its columns, key first.
pub(super) fn columns(row: &Stored) -> Result<(usize, Vec<ToSqlOutput<'_>>), Error> {
    let mut columns = Columns(Vec::with_capacity(24));
    let kind = match row {
        Stored::Product(row) => {
            columns.product(row)?;
            PRODUCT
        }
        Stored::Price(row) => {
            columns.price(row)?;
            PRICE
        }
        Stored::Purchase(row) => {
            columns.purchase(row)?;
            PURCHASE
        }
        Stored::Subscription(row) => {
            columns.subscription(row)?;
            SUBSCRIPTION
        }
        Stored::Record(row) => {
            columns.all(&[&row.collection, &row.id, &row.value, &row.version])?;
            RECORD
        }
    };
    Ok((kind, columns.0))
}

/// Values of columns, in order.
struct Columns<'r>(Vec<ToSqlOutput<'r>>);

impl<'r> Columns<'r> {
    fn all(&mut self, values: &[&'r dyn ToSql]) -> Result<(), Error> {
        values.iter().try_for_each(|value| <dyn ToSql>::to_sql(*value).map(|value| self.0.push(value)))
    }

    fn name(&mut self, name: &'static str) {
        self.0.push(ToSqlOutput::from(name));
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Error> {
        self.0.push(ToSqlOutput::Owned(Value::Text(text::to_json(value)?)));
        Ok(())
    }

    fn money(&mut self, money: &'r Money) -> Result<(), Error> {
        self.all(&[&money.amount_minor, &money.currency])
    }

    fn interval(&mut self, interval: Option<&'r BillingInterval>) -> Result<(), Error> {
        match interval {
            Some(interval) => {
                self.name(text::name(&text::UNIT, &interval.unit));
                self.all(&[&interval.count])
            }
            None => self.nulls(2),
        }
    }

    fn nulls(&mut self, count: usize) -> Result<(), Error> {
        self.0.extend(std::iter::repeat_n(ToSqlOutput::Owned(Value::Null), count));
        Ok(())
    }

    fn product(&mut self, row: &'r Product) -> Result<(), Error> {
        let values = &row.values;
        self.all(&[&row.id, &values.product_type, &values.name, &values.description, &values.active])?;
        match &values.price {
            Some(price) => self.money(price)?,
            None => self.nulls(2)?,
        }
        self.interval(values.interval.as_ref())?;
        self.json(&values.filters)?;
        self.all(&[&values.metadata, &row.version, &row.deleted])
    }

    fn price(&mut self, row: &'r Price) -> Result<(), Error> {
        self.all(&[&row.id, &row.product_id, &row.product_type, &row.family])?;
        self.money(&row.amount)?;
        self.interval(row.interval.as_ref())?;
        self.all(&[&row.active])?;
        self.json(&row.grants)?;
        self.all(&[&row.terms])
    }

    fn purchase(&mut self, row: &'r Purchase) -> Result<(), Error> {
        let values = &row.values;
        self.all(&[&row.id, &values.provider, &values.session_id, &values.payment_intent_id, &values.subscription_id])?;
        self.name(text::name(&text::PURCHASE, &values.status));
        self.json(&values.items)?;
        for money in [&values.amount, &values.tax, &values.total, &values.refunded] {
            self.money(money)?;
        }
        self.all(&[&values.metadata, &row.version])
    }

    fn subscription(&mut self, row: &'r Subscription) -> Result<(), Error> {
        let values = &row.values;
        self.all(&[&row.id, &values.customer_id])?;
        self.name(text::name(&text::SUBSCRIPTION, &values.status));
        self.json(&values.items)?;
        self.all(&[
            &values.cancel_at_period_end,
            &values.cancel_at,
            &values.trial_end,
            &values.grace_end,
            &values.snapshot.at,
        ])?;
        self.name(text::name(&text::RANK, &values.snapshot.rank));
        self.all(&[&values.snapshot.event_id, &values.metadata, &row.version])
    }
}
