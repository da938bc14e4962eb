//! JSON form of a host's state, for scenarios, pages and tests: sections by id, with RFC 3339 times.

mod rows;

pub use rows::{Rows, RowsPage, account_rows, page_of, parsed};

use crate::processor::{AskError, Processor, Questions};
use crate::{read, time};
use extension_contract::{Account, Actor, FACT_SOURCE, Outcome, Payload, Question, Timestamp};
use host_store::{EffectRow, InboxState, Stored};
use serde_json::{Map, Value, json};

/// Sources of external events; events of all other sources are created by the host.
const OUTSIDE: [&str; 4] = ["stripe", "api", "products", FACT_SOURCE];

/// Returns true for the source of an external event, false for results, timers and messages.
pub fn is_outside(source: &str) -> bool {
    OUTSIDE.contains(&source)
}

/// Returns a section of [`Rows`], by id: `products`, `purchases`, `subscriptions`, `claims` or `timers`.
///
/// # Errors
/// Fails if the store fails.
pub fn rows(processor: &Processor, account: &Account, section: &str) -> Stored<Value> {
    let mut rows = account_rows(processor, account)?;
    let found = rows.sections.remove(section).unwrap_or_default();
    Ok(Value::Object(found.into_iter().collect()))
}

/// Returns the records of an account, by collection, then by id.
///
/// # Errors
/// Fails if the store fails.
pub fn records(processor: &Processor, account: &Account) -> Stored<Value> {
    let rows = account_rows(processor, account)?;
    let mut collections = Map::new();
    for (section, rows) in rows.sections {
        if let Some(collection) = section.strip_prefix("records/") {
            collections.insert(collection.to_owned(), Value::Object(rows.into_iter().collect()));
        }
    }
    Ok(Value::Object(collections))
}

/// Returns every held claim by key, with its holder and the time when it ends.
///
/// # Errors
/// Fails if the store fails.
pub fn claims(processor: &Processor) -> Stored<Value> {
    let mut found = Map::new();
    for scope in processor.store().scopes(Some(processor.partition()))? {
        let mut rows = account_rows(processor, &scope.account)?;
        for (key, mut row) in rows.sections.remove("claims").unwrap_or_default() {
            row["holder"] = json!(scope.account.to_string());
            found.insert(key, row);
        }
    }
    Ok(Value::Object(found))
}

/// Returns the catalog's prices, by id.
///
/// # Errors
/// Fails if the store fails.
pub fn prices(processor: &Processor) -> Stored<Value> {
    let rows = read::prices(processor.store(), processor.partition())?;
    let found = rows.into_iter().map(|price| {
        let mut value = json!(price);
        value["terms"] = parsed(&price.terms);
        (price.id, value)
    });
    Ok(Value::Object(found.collect()))
}

fn question(account: &Account, at: Timestamp) -> Question {
    Question { account: account.clone(), actor: Actor::system(), at }
}

/// Returns an account's entitlements at a time (milliseconds since the epoch), by key.
///
/// # Errors
/// Fails if the extension refuses or fails, or if the store fails.
pub fn entitlements(processor: &mut Processor, account: &Account, at: Timestamp) -> Result<Value, AskError> {
    let found = processor.ask_entitlements(&question(account, at))?;
    let rows = found.into_iter().map(|row| {
        let value = json!({
            "allowed": row.allowed,
            "used": row.used,
            "resets_at": row.resets_at.map(time::text),
            "ends_at": row.ends_at.map(time::text),
            "sources": row.sources,
        });
        (row.key, value)
    });
    Ok(Value::Object(rows.collect()))
}

/// Returns an account's balances at a time (milliseconds since the epoch), by `LEDGER/UNIT`.
///
/// # Errors
/// Fails if the extension refuses or fails, or if the store fails.
pub fn balances(processor: &mut Processor, account: &Account, at: Timestamp) -> Result<Value, AskError> {
    let found = processor.ask_balances(&question(account, at))?;
    let rows = found.into_iter().map(|row| {
        let value = json!({"available": row.available, "pending": row.pending});
        (format!("{}/{}", row.ledger, row.unit), value)
    });
    Ok(Value::Object(rows.collect()))
}

/// Returns effects of an account by key, each in its newest generation; omits keys without an effect.
///
/// # Errors
/// Fails if the store fails.
pub fn effects<'k>(processor: &Processor, account: &Account, keys: impl IntoIterator<Item = &'k str>) -> Stored<Value> {
    let scope = processor.scope(account.clone());
    let mut found = Map::new();
    for key in keys {
        if let Some(row) = processor.store().effect(&scope, key)?.pop() {
            found.insert(key.to_owned(), effect(&row));
        }
    }
    Ok(Value::Object(found))
}

fn effect(row: &EffectRow) -> Value {
    json!({
        "kind": row.effect.kind,
        "state": row.state.name(),
        "attempts": row.attempts,
        "due": time::text(row.due_at),
        "payload": parsed(&row.effect.payload),
    })
}

/// Returns the last outcome of every external event, by id, with reason and account. The outcome is `failed` for a dead
/// letter and for an event that waits for a retry.
///
/// # Errors
/// Fails if the store fails.
pub fn outcomes(processor: &Processor) -> Stored<Value> {
    const PAGE: usize = 500;
    let mut found = Map::new();
    let mut after = 0;
    loop {
        let page = processor.inbox_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(Value::Object(found)) };
        after = last.seq;
        for row in page {
            if matches!(row.event.payload, Payload::EffectResult(_)) || !is_outside(&row.event.source) {
                continue;
            }
            let name = match (&row.state, &row.outcome) {
                (InboxState::Pending { .. } | InboxState::Dead, _) | (_, None) => "failed",
                (_, Some(outcome)) => outcome.name(),
            };
            let reason = match name {
                "failed" => row.error.clone(),
                _ => row.outcome.as_ref().and_then(Outcome::reason),
            };
            let account = row.event.account.as_ref().map(Account::to_string);
            found.insert(row.event.id, json!({"outcome": name, "reason": reason, "account": account}));
        }
    }
}
