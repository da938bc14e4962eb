//! The sections of the state as scenarios speak of them.

use crate::error::ReplayError;
use crate::host::Host;
use crate::scenario::SectionExpectation;
use crate::state::{account_rows, parsed};
use crate::time;
use host_store::{EffectState, InboxState};
use products_contract::{Account, Actor, Question};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Kinds of effects that tell somebody something.
const NOTICE_KINDS: [&str; 2] = ["mail.", "notice."];

/// The JSON of the section that an expectation is about; `account` is the one it means if it names none.
pub fn section(
    host: &mut Host,
    expectation: &SectionExpectation,
    account: Option<&Account>,
) -> Result<Value, ReplayError> {
    let named = expectation.account.as_ref().or(account);
    match (expectation.section, named) {
        ("claims", _) => claims(host),
        ("inventory", _) => Ok(inventory(host)),
        ("outcomes", _) => outcomes(host),
        ("prices", _) => prices(host),
        (_, None) => Ok(json!({})),
        ("entitlements", Some(account)) => entitlements(host, account),
        ("balances", Some(account)) => balances(host, account),
        ("effects", Some(account)) => effects(host, account),
        ("notices", Some(account)) => notices(host, account),
        ("records", Some(account)) => records(host, account),
        ("ledger", Some(account)) => ledger(host, account),
        (section, Some(account)) => rows(host, account, section),
    }
}

fn rows(host: &Host, account: &Account, section: &str) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let mut rows = account_rows(host.store(), &scope)?;
    let found = rows.sections.remove(section).unwrap_or_default();
    Ok(Value::Object(found.into_iter().collect()))
}

fn records(host: &Host, account: &Account) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let rows = account_rows(host.store(), &scope)?;
    let mut collections = Map::new();
    for (section, rows) in rows.sections {
        if let Some(collection) = section.strip_prefix("records/") {
            collections.insert(collection.to_owned(), Value::Object(rows.into_iter().collect()));
        }
    }
    Ok(Value::Object(collections))
}

fn claims(host: &Host) -> Result<Value, ReplayError> {
    let mut found = Map::new();
    for scope in host.store().scopes()? {
        let mut rows = account_rows(host.store(), &scope)?;
        for (key, mut row) in rows.sections.remove("claims").unwrap_or_default() {
            row["holder"] = json!(scope.account.to_string());
            found.insert(key, row);
        }
    }
    Ok(Value::Object(found))
}

fn prices(host: &Host) -> Result<Value, ReplayError> {
    let rows = host::read::prices(host.store(), host.processor().partition())?;
    let found = rows.into_iter().map(|price| {
        let mut value = json!(price);
        value["terms"] = parsed(&price.terms);
        (price.id, value)
    });
    Ok(Value::Object(found.collect()))
}

fn question(host: &Host, account: &Account) -> Question {
    Question { account: account.clone(), actor: Actor::system(), at: host.clock() }
}

fn entitlements(host: &mut Host, account: &Account) -> Result<Value, ReplayError> {
    let question = question(host, account);
    let found = host
        .processor_mut()
        .ask_entitlements(&question)
        .map_err(|error| ReplayError::Host(format!("entitlements of {account}: {error}")))?;
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

fn balances(host: &mut Host, account: &Account) -> Result<Value, ReplayError> {
    let question = question(host, account);
    let found = host
        .processor_mut()
        .ask_balances(&question)
        .map_err(|error| ReplayError::Host(format!("balances of {account}: {error}")))?;
    let rows = found.into_iter().map(|row| {
        let value = json!({"available": row.available, "pending": row.pending});
        (format!("{}/{}", row.ledger, row.unit), value)
    });
    Ok(Value::Object(rows.collect()))
}

/// `{balances: {currency: {account: minor units}}, entries: {fact: entry}}`, from the records of collection `ledger`:
/// `{currency, postings: [{account, amount_minor}]}`.
pub fn ledger(host: &Host, account: &Account) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let mut rows = account_rows(host.store(), &scope)?;
    let entries = rows.sections.remove("records/ledger").unwrap_or_default();
    let mut balances: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for entry in entries.values() {
        let currency = entry["currency"].as_str().unwrap_or_default();
        for posting in entry["postings"].as_array().into_iter().flatten() {
            let name = posting["account"].as_str().unwrap_or_default();
            let balance = balances.entry(currency.to_owned()).or_default().entry(name.to_owned()).or_default();
            *balance = balance.saturating_add(posting["amount_minor"].as_i64().unwrap_or_default());
        }
    }
    Ok(json!({"balances": balances, "entries": entries}))
}

/// Currencies in which the account's ledger does not sum to zero, with the sum.
pub fn unbalanced(host: &Host, account: &Account) -> Result<Vec<(String, i64)>, ReplayError> {
    let ledger = ledger(host, account)?;
    let mut found = Vec::new();
    for (currency, accounts) in ledger["balances"].as_object().into_iter().flatten() {
        let sum: i64 = accounts.as_object().into_iter().flatten().filter_map(|(_, amount)| amount.as_i64()).sum();
        if sum != 0 {
            found.push((currency.clone(), sum));
        }
    }
    Ok(found)
}

/// Effects that were asked for, by key, in their newest generation.
fn effects(host: &Host, account: &Account) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let mut found = Map::new();
    for (_, key) in host.asked().iter().filter(|(of, _)| of == account) {
        let Some(row) = host.store().effect(&scope, key)?.pop() else { continue };
        let state = match row.state {
            EffectState::Queued => "queued",
            EffectState::Running => "running",
            EffectState::Finished => "finished",
            EffectState::Cancelled => "cancelled",
        };
        let value = json!({
            "kind": row.effect.kind,
            "state": state,
            "attempts": row.attempts,
            "due": time::text(row.due_at),
            "payload": parsed(&row.effect.payload),
        });
        found.insert(key.clone(), value);
    }
    Ok(Value::Object(found))
}

/// What somebody was told so far, in order: kind, key and the members of the payload.
fn notices(host: &Host, account: &Account) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let mut found = Vec::new();
    for (_, key) in host.asked().iter().filter(|(of, _)| of == account) {
        for row in host.store().effect(&scope, key)? {
            let tells = NOTICE_KINDS.iter().any(|kind| row.effect.kind.starts_with(kind));
            if !tells || matches!(row.state, EffectState::Queued | EffectState::Cancelled) {
                continue;
            }
            let mut value = match parsed(&row.effect.payload) {
                Value::Object(members) => members,
                other => Map::from_iter([("payload".to_owned(), other)]),
            };
            value.insert("kind".to_owned(), json!(row.effect.kind));
            value.insert("key".to_owned(), json!(key));
            found.push(Value::Object(value));
        }
    }
    Ok(Value::Array(found))
}

/// What the scripted provider has, by `resource:id`.
fn inventory(host: &Host) -> Value {
    let rows = host.scripted().inventory().into_iter().map(|resource| {
        let account = resource.id.scope.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        let key = format!("{}:{}", resource.id.resource, resource.id.id);
        let value = json!({
            "account": account,
            "state": resource.state,
            "outputs": resource.outputs,
            "settings": resource.settings,
        });
        (key, value)
    });
    Value::Object(rows.collect())
}

/// The last outcome of every event that came from outside, by id.
pub fn outcomes(host: &Host) -> Result<Value, ReplayError> {
    let mut found = Map::new();
    let mut after = 0;
    loop {
        let page = host.store().inbox_after(after, 500)?;
        let Some(last) = page.last() else { return Ok(Value::Object(found)) };
        after = last.seq;
        for row in page {
            if matches!(row.event.payload, products_contract::Payload::EffectResult(_))
                || ["timer", "message", "effects"].contains(&row.event.source.as_str())
            {
                continue;
            }
            let name = match (&row.state, &row.outcome) {
                (InboxState::Pending { .. } | InboxState::Dead, _) | (_, None) => "failed",
                (_, Some(outcome)) => outcome.name(),
            };
            let reason = match name {
                "failed" => row.error.clone(),
                _ => row.outcome.as_ref().and_then(products_contract::Outcome::reason),
            };
            let account = row.event.account.as_ref().map(Account::to_string);
            found.insert(row.event.id, json!({"outcome": name, "reason": reason, "account": account}));
        }
    }
}
