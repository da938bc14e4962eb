//! The state as JSON and as a hash, the same for two correct runs of the same events. Included: products, prices, purchases,
//! subscriptions, records, claims and blocks, open timers. Excluded: counters and times of the host (inbox, outcomes, row versions,
//! attempts, finished effects), which of several equal events came first (`snapshot.event_id`), and what the extension's manifest
//! excludes ([`NotState`]): parts of rows, and the rows of the catalog, because the state is about accounts.

use crate::error::{StoreError, Stored};
use crate::not_state::NotState;
use crate::rows::{ClaimRow, TIMER, TimerRow};
use crate::scope::{Scope, mode};
use crate::store::Read;
use extension_contract::{Account, Price, Product, Purchase, Row, RowKind, Subscription};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Rows per page.
const PAGE_ROWS: usize = 500;

/// Returns the SHA-256, in hex, of the RFC 8785 form of [`state_document`]. Holds one account in memory at a time.
/// `stores` are the stores of one host; no two of them have the same account.
///
/// # Errors
/// Fails if a store cannot be read or a row cannot be serialized.
pub fn state_hash(stores: &[&dyn Read], not_state: &NotState) -> Stored<String> {
    let mut hash = Sha256::new();
    let mut separator = "";
    hash.update(b"{\"accounts\":[");
    visit_accounts(stores, not_state, |account| {
        hash.update(separator);
        hash.update(canonical(account)?);
        separator = ",";
        Ok(())
    })?;
    hash.update(b"],\"claims\":[");
    let mut separator = "";
    for claim in claims(stores)? {
        hash.update(separator);
        hash.update(canonical(&claim)?);
        separator = ",";
    }
    hash.update(b"]}");
    Ok(hex::encode(hash.finalize()))
}

/// Returns `{"accounts": […], "claims": […]}`: accounts in order of business, mode (test first) and account text, each with its
/// rows in id order; claims in the order of their full keys. JSON stored as text is embedded as JSON.
///
/// # Errors
/// Fails if a store cannot be read or a row cannot be serialized.
pub fn state_document(stores: &[&dyn Read], not_state: &NotState) -> Stored<Value> {
    let mut accounts = Vec::new();
    visit_accounts(stores, not_state, |account| {
        accounts.push(account.clone());
        Ok(())
    })?;
    Ok(json!({"accounts": accounts, "claims": claims(stores)?}))
}

fn canonical(value: &Value) -> Stored<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(|error| StoreError::Unavailable(format!("state: {error}")))
}

/// Visits every account with state.
fn visit_accounts(
    stores: &[&dyn Read],
    not_state: &NotState,
    mut visit: impl FnMut(&Value) -> Stored<()>,
) -> Stored<()> {
    let not_state = &not_state.of_document();
    let mut scopes: Vec<(Scope, &dyn Read)> = Vec::new();
    for store in stores {
        scopes.extend(store.scopes(None)?.into_iter().map(|scope| (scope, *store)));
    }
    scopes.sort_by_cached_key(|(scope, _)| (scope.business.clone(), scope.livemode, scope.account.to_string()));
    for (scope, store) in &scopes {
        let sections = sections(*store, scope, not_state)?;
        if sections.is_empty() {
            continue;
        }
        let mut account = sections;
        account.insert("business".into(), json!(scope.business));
        account.insert("mode".into(), json!(mode(scope.livemode)));
        account.insert("account".into(), json!(scope.account));
        visit(&Value::Object(account))?;
    }
    Ok(())
}

/// Returns the non-empty sections of one account.
fn sections(store: &dyn Read, scope: &Scope, not_state: &NotState) -> Stored<Map<String, Value>> {
    let mut sections = Map::new();
    let mut put = |name: &str, rows: Vec<Value>| {
        if !rows.is_empty() {
            sections.insert(name.to_owned(), Value::Array(rows));
        }
    };
    let rows = |kind: &RowKind| rows(store, scope, not_state, kind);
    put("products", rows(&RowKind::Product)?);
    if scope.account == Account::Platform {
        put("prices", rows(&RowKind::Price)?);
    }
    put("purchases", rows(&RowKind::Purchase)?);
    put("subscriptions", rows(&RowKind::Subscription)?);
    let mut records = Map::new();
    for collection in store.collections(scope)? {
        let rows = rows(&RowKind::Record(collection.clone()))?;
        if !rows.is_empty() {
            records.insert(collection, Value::Array(rows));
        }
    }
    put("timers", open_timers(store, scope)?.into_iter().map(timer).collect());
    if !records.is_empty() {
        sections.insert("records".into(), Value::Object(records));
    }
    Ok(sections)
}

/// Reads all rows of a kind by pages.
fn rows(store: &dyn Read, scope: &Scope, not_state: &NotState, kind: &RowKind) -> Stored<Vec<Value>> {
    let mut values = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.rows_all(scope, kind, after.as_deref(), PAGE_ROWS)?;
        let full = page.len() == PAGE_ROWS;
        for stored in page {
            values.extend(row_value(&stored.row, not_state)?);
            after = Some(match stored.row {
                Row::Product(row) => row.id,
                Row::Price(row) => row.id,
                Row::Purchase(row) => row.id,
                Row::Subscription(row) => row.id,
                Row::Record(row) => row.id,
            });
        }
        if !full {
            return Ok(values);
        }
    }
}

/// Returns the state of a row as JSON, as in the document; `None` if the whole row is excluded.
pub(crate) fn row_value(row: &Row, not_state: &NotState) -> Stored<Option<Value>> {
    if not_state.hides(row) {
        return Ok(None);
    }
    let value = match row {
        Row::Product(row) => product(row, not_state)?,
        Row::Price(row) => price(row, not_state)?,
        Row::Purchase(row) => purchase(row, not_state)?,
        Row::Subscription(row) => subscription(row, not_state)?,
        Row::Record(row) => {
            let section = format!("records/{}", row.collection);
            json!({"id": row.id, "value": not_state.strip(&section, &row.id, &row.value)})
        }
    };
    Ok(Some(value))
}

/// Returns the pending timers of an account in order of their keys.
pub(crate) fn open_timers(store: &dyn Read, scope: &Scope) -> Stored<Vec<TimerRow>> {
    let open = store.effects_open(scope)?;
    let mut timers: Vec<TimerRow> = open
        .into_iter()
        .filter(|row| row.effect.kind == TIMER)
        // The state contains the requested time. The time of a retry after a failed delivery is not state.
        .map(|row| TimerRow { due_at: row.effect.not_before.unwrap_or(row.due_at), key: row.effect.key })
        .collect();
    timers.sort_by(|a, b| (&a.key, a.due_at).cmp(&(&b.key, b.due_at)));
    Ok(timers)
}

fn timer(row: TimerRow) -> Value {
    json!({"key": row.key, "due": row.due_at})
}

fn claims(stores: &[&dyn Read]) -> Stored<Vec<Value>> {
    let mut claims = Vec::new();
    for store in stores {
        claims.extend(store.claims_after("", None, usize::MAX)?);
    }
    claims.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(claims.iter().map(|(key, row)| claim(key, row)).collect())
}

fn claim(key: &str, row: &ClaimRow) -> Value {
    json!({"key": key, "holder": row.holder, "until": row.until, "blocked_until": row.blocked_until})
}

fn product(row: &Product, not_state: &NotState) -> Stored<Value> {
    let mut value = to_value(&row.values)?;
    value["id"] = json!(row.id);
    value["deleted"] = json!(row.deleted);
    value["metadata"] = not_state.strip("products", &row.id, &row.values.metadata);
    Ok(value)
}

fn price(row: &Price, not_state: &NotState) -> Stored<Value> {
    let mut value = to_value(row)?;
    value["terms"] = not_state.strip("prices", &row.id, &row.terms);
    Ok(value)
}

fn purchase(row: &Purchase, not_state: &NotState) -> Stored<Value> {
    let mut value = to_value(&row.values)?;
    value["id"] = json!(row.id);
    value["metadata"] = not_state.strip("purchases", &row.id, &row.values.metadata);
    Ok(value)
}

fn subscription(row: &Subscription, not_state: &NotState) -> Stored<Value> {
    let mut value = to_value(&row.values)?;
    value["id"] = json!(row.id);
    value["metadata"] = not_state.strip("subscriptions", &row.id, &row.values.metadata);
    if let Some(snapshot) = value["snapshot"].as_object_mut() {
        snapshot.remove("event_id");
    }
    Ok(value)
}

fn to_value(row: &impl serde::Serialize) -> Stored<Value> {
    serde_json::to_value(row).map_err(|error| StoreError::Unavailable(format!("state: {error}")))
}
