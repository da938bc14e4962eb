//! JSON form of the rows of one account.

use crate::processor::Processor;
use crate::{read, time};
use extension_contract::{Account, Product, Purchase, Row, RowKind, StoredRecord, Subscription};
use host_store::{EffectState, NotState, Read, Scope, Stored, TIMER};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The rows of one account, by section, then by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Sections sorted by name. Records are under `records/COLLECTION`.
    pub sections: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Returns all rows of an account that belong to the state.
///
/// # Errors
/// Fails if the store fails.
pub fn account_rows(processor: &Processor, account: &Account) -> Stored<Rows> {
    rows_of(processor.store(), &processor.scope(account.clone()), processor.declared().not_state())
}

/// Returns all rows of a scope, without the parts listed in `not_state`.
fn rows_of(store: &dyn Read, scope: &Scope, not_state: &NotState) -> Stored<Rows> {
    let mut sections = BTreeMap::new();
    // Soft-deleted products are omitted.
    let products = read::products(store, scope)?;
    let shown = products.iter().filter(|row| !row.deleted).map(|row| (row.id.clone(), product(row, not_state)));
    sections.insert("products".to_owned(), shown.collect());
    let purchases = read::purchases(store, scope)?;
    sections.insert(
        "purchases".to_owned(),
        purchases.iter().map(|row| (row.id.clone(), purchase(row, not_state))).collect(),
    );
    let subscriptions = read::subscriptions(store, scope)?;
    let by_id = subscriptions.iter().map(|row| (row.id.clone(), subscription(row, not_state)));
    sections.insert("subscriptions".to_owned(), by_id.collect());
    for collection in store.collections(scope)? {
        let records = read::records(store, scope, &collection)?;
        let section = format!("records/{collection}");
        let value = |row: &StoredRecord| not_state.strip(&section, &row.id, &row.value);
        let by_id = records.iter().map(|row| (row.id.clone(), value(row))).collect();
        sections.insert(section, by_id);
    }
    sections.insert("claims".to_owned(), claims(store, scope)?);
    sections.insert("timers".to_owned(), timers(store, scope)?);
    Ok(Rows { sections })
}

/// A page of the rows of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowsPage {
    /// The rows.
    pub rows: Rows,
    /// The sections that have more rows, each with the id after which its next page starts.
    pub next: BTreeMap<String, String>,
}

impl RowsPage {
    /// Adds a section. `rows` are sorted by id, and there are at most `limit` of them.
    fn add(&mut self, section: &str, rows: Vec<(String, Value)>, last: Option<String>, limit: usize) {
        if let Some(last) = last.filter(|_| rows.len() >= limit) {
            self.next.insert(section.to_owned(), last);
        }
        let shown = rows.into_iter().filter(|(_, value)| !value.is_null());
        self.rows.sections.insert(section.to_owned(), shown.collect());
    }
}

/// Returns a page of a scope's rows: those of one section after an id, or the first rows of every section.
///
/// # Errors
/// Fails if the store fails.
pub fn page_of(
    store: &dyn Read,
    scope: &Scope,
    section: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Stored<RowsPage> {
    let (mut page, is_wanted) = (RowsPage::default(), |name: &str| section.is_none_or(|section| section == name));
    let mut kinds = vec![
        ("products".to_owned(), RowKind::Product),
        ("purchases".to_owned(), RowKind::Purchase),
        ("subscriptions".to_owned(), RowKind::Subscription),
    ];
    let collections = store.collections(scope)?.into_iter();
    kinds.extend(collections.map(|name| (format!("records/{name}"), RowKind::Record(name))));
    for (name, kind) in kinds.into_iter().filter(|(name, _)| is_wanted(name)) {
        let stored = store.rows_all(scope, &kind, after, limit)?;
        let last = stored.last().map(|stored| stored.row.id().to_owned());
        page.add(
            &name,
            stored.iter().map(|stored| (stored.row.id().to_owned(), shown(&stored.row))).collect(),
            last,
            limit,
        );
    }
    let is_later = |id: &String| after.is_none_or(|after| id.as_str() > after);
    let mut add_small = |name: &str, mut rows: Vec<(String, Value)>| {
        rows.retain(|(id, _)| is_later(id));
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        rows.truncate(limit);
        let last = rows.last().map(|(id, _)| id.clone());
        page.add(name, rows, last, limit);
    };
    if is_wanted("claims") {
        add_small("claims", claims(store, scope)?.into_iter().collect());
    }
    if is_wanted("timers") {
        add_small("timers", timers(store, scope)?.into_iter().collect());
    }
    Ok(page)
}

/// Returns a row as JSON, with all its parts; null for a soft-deleted product.
fn shown(row: &Row) -> Value {
    let whole = NotState::default();
    match row {
        Row::Product(row) if row.deleted => Value::Null,
        Row::Product(row) => product(row, &whole),
        Row::Purchase(row) => purchase(row, &whole),
        Row::Subscription(row) => subscription(row, &whole),
        Row::Record(row) => parsed(&row.value),
        Row::Price(row) => json!(row),
    }
}

/// Returns the claims of a scope by their short keys, each with the time when it ends.
fn claims(store: &dyn Read, scope: &Scope) -> Stored<BTreeMap<String, Value>> {
    let space = format!("{}/", scope.claim_space());
    let mut claims = BTreeMap::new();
    let held = store.claims_held(scope, &space)?;
    for (full_key, row) in held.iter().zip(store.claims(&held)?) {
        let until = row.and_then(|row| row.until);
        claims.insert(short_key(&space, full_key), json!({"until": until.map(time::text)}));
    }
    Ok(claims)
}

/// Returns the timers of a scope that have not fired, each with its time.
fn timers(store: &dyn Read, scope: &Scope) -> Stored<BTreeMap<String, Value>> {
    let open = store.effects_open(scope)?;
    let timers = open.iter().filter(|row| row.effect.kind == TIMER && row.state == EffectState::Queued);
    Ok(timers.map(|row| (row.effect.key.clone(), json!(time::text(row.due_at)))).collect())
}

/// Returns the key as an extension writes it; a key that belongs to a connected account is prefixed with the account.
fn short_key(space: &str, full_key: &str) -> String {
    let rest = full_key.strip_prefix(space).unwrap_or(full_key);
    rest.strip_prefix('/').unwrap_or(rest).to_owned()
}

fn product(row: &Product, not_state: &NotState) -> Value {
    let values = &row.values;
    json!({
        "owner": row.owner.to_string(),
        "product_type": values.product_type,
        "name": values.name,
        "description": values.description,
        "active": values.active,
        "price": values.price,
        "interval": values.interval,
        "filters": values.filters.iter().cloned().collect::<BTreeMap<String, String>>(),
        "metadata": not_state.strip("products", &row.id, &values.metadata),
    })
}

fn purchase(row: &Purchase, not_state: &NotState) -> Value {
    let mut value = json!(row.values);
    value["metadata"] = not_state.strip("purchases", &row.id, &row.values.metadata);
    value
}

fn subscription(row: &Subscription, not_state: &NotState) -> Value {
    let values = &row.values;
    let items: Vec<Value> = values
        .items
        .iter()
        .map(|item| {
            json!({
                "id": item.id,
                "price_id": item.price_id,
                "quantity": item.quantity,
                "period_start": time::text(item.period_start),
                "period_end": time::text(item.period_end),
            })
        })
        .collect();
    json!({
        "customer_id": values.customer_id,
        "status": values.status,
        "items": items,
        "cancel_at_period_end": values.cancel_at_period_end,
        "cancel_at": values.cancel_at.map(time::text),
        "trial_end": values.trial_end.map(time::text),
        "grace_end": values.grace_end.map(time::text),
        "snapshot": {"at": time::text(values.snapshot.at), "rank": values.snapshot.rank},
        "metadata": not_state.strip("subscriptions", &row.id, &values.metadata),
    })
}

/// Parses a stored JSON text; one that is not valid JSON becomes a string, so that no state is lost.
pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
