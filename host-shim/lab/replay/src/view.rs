//! The sections of the state that scenarios check: the host's read model, the scripted provider's inventory, and the
//! ledger and notices of this project's extension.

use crate::rig::Rig;
use crate::state::{account_rows, parsed};
use extension_contract::Account;
use host_engine::processor::AskError;
use host_engine::view;
use host_scenario::error::ReplayError;
use host_scenario::model::SectionExpectation;
use host_store::EffectState;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Prefixes of effect kinds that notify people.
const NOTICE_KINDS: [&str; 2] = ["mail.", "notice."];

/// Returns true for effect kinds that notify people.
pub fn is_notice(kind: &str) -> bool {
    NOTICE_KINDS.iter().any(|notice| kind.starts_with(notice))
}

/// Returns the actual state of the section in an expectation, as JSON. `account` is the default account.
///
/// # Errors
///
/// Fails if the store can't be read or the extension does not answer.
pub fn section(
    host: &mut Rig,
    expectation: &SectionExpectation,
    account: Option<&Account>,
) -> Result<Value, ReplayError> {
    let named = expectation.account.as_ref().or(account);
    let at = host.clock();
    let asked = |section: &str, account: &Account, answer: Result<Value, AskError>| {
        answer.map_err(|error| ReplayError::Host(format!("{section} of {account}: {error}")))
    };
    Ok(match (expectation.section, named) {
        ("claims", _) => view::claims(host.processor())?,
        ("inventory", _) => inventory(host)?,
        ("outcomes", _) => view::outcomes(host.processor())?,
        ("prices", _) => view::prices(host.processor())?,
        (_, None) => json!({}),
        (section @ "entitlements", Some(account)) => {
            asked(section, account, view::entitlements(host.processor_mut(), account, at))?
        }
        (section @ "balances", Some(account)) => {
            asked(section, account, view::balances(host.processor_mut(), account, at))?
        }
        ("effects", Some(account)) => view::effects(host.processor(), account, asked_by(host, account))?,
        ("notices", Some(account)) => notices(host, account)?,
        ("records", Some(account)) => view::records(host.processor(), account)?,
        ("ledger", Some(account)) => ledger(host, account)?,
        (section, Some(account)) => view::rows(host.processor(), account, section)?,
    })
}

/// Returns the keys of an account's requested effects, in order of the first request.
fn asked_by<'h>(host: &'h Rig, account: &Account) -> impl Iterator<Item = &'h str> {
    host.asked().filter(move |(of, _)| *of == account).map(|(_, key)| key)
}

/// Returns `{balances: {currency: {account: minor units}}, entries: {fact: entry}}`, from the records of collection
/// `ledger`: `{currency, postings: [{account, amount_minor}]}`.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn ledger(host: &Rig, account: &Account) -> Result<Value, ReplayError> {
    let mut rows = account_rows(host.processor(), account)?;
    let entries = rows.sections.remove("records/ledger").unwrap_or_default();
    Ok(json!({"balances": ledger_sums(&entries), "entries": entries}))
}

/// Returns the balances of the ledger's entries: minor units by currency and ledger account.
pub fn ledger_sums(entries: &BTreeMap<String, Value>) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut balances: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for entry in entries.values() {
        let currency = entry["currency"].as_str().unwrap_or_default();
        for posting in entry["postings"].as_array().into_iter().flatten() {
            let name = posting["account"].as_str().unwrap_or_default();
            let balance = balances.entry(currency.to_owned()).or_default().entry(name.to_owned()).or_default();
            *balance = balance.saturating_add(posting["amount_minor"].as_i64().unwrap_or_default());
        }
    }
    balances
}

/// Returns the currencies in which the account's ledger does not sum to zero, with the sum in minor units.
///
/// # Errors
///
/// Fails if the store can't be read.
pub fn unbalanced(host: &Rig, account: &Account) -> Result<Vec<(String, i128)>, ReplayError> {
    let ledger = ledger(host, account)?;
    let mut found = Vec::new();
    for (currency, accounts) in ledger["balances"].as_object().into_iter().flatten() {
        let amounts = accounts.as_object().into_iter().flatten().filter_map(|(_, amount)| amount.as_i64());
        // The sum of 64-bit amounts may need more bits.
        let sum: i128 = amounts.map(i128::from).sum();
        if sum != 0 {
            found.push((currency.clone(), sum));
        }
    }
    Ok(found)
}

/// Returns the notices sent so far, in order of their due times and, at the same time, of the first request. Each has
/// its kind, its key and the members of its payload.
fn notices(host: &Rig, account: &Account) -> Result<Value, ReplayError> {
    let scope = host.processor().scope(account.clone());
    let mut found = Vec::new();
    for key in asked_by(host, account) {
        for row in host.store().effect(&scope, key)? {
            if !is_notice(&row.effect.kind) || matches!(row.state, EffectState::Queued | EffectState::Cancelled) {
                continue;
            }
            let mut value = match parsed(&row.effect.payload) {
                Value::Object(members) => members,
                other => Map::from_iter([("payload".to_owned(), other)]),
            };
            value.insert("kind".to_owned(), json!(row.effect.kind));
            value.insert("key".to_owned(), json!(key));
            found.push((row.due_at.max(row.created_at), Value::Object(value)));
        }
    }
    found.sort_by_key(|(due, _)| *due);
    Ok(found.into_iter().map(|(_, notice)| notice).collect())
}

/// Returns the resources that the scripted provider and the live providers hold, by `resource:id`.
fn inventory(host: &Rig) -> Result<Value, ReplayError> {
    let held = match host.live() {
        Some(live) => live.held().map_err(|error| ReplayError::Host(error.to_string()))?,
        None => Vec::new(),
    };
    let ours = host.processor().scope(Account::Platform).claim_space();
    // Remote systems list only names and states. The other members come from the calls that succeeded.
    let recorded = if held.is_empty() { Vec::new() } else { host.recorded_inventory()? };
    let held = held.into_iter().filter(|held| held.id.scope.starts_with(&format!("{ours}/"))).map(|held| {
        let account = held.id.scope.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        let mut value = json!({"account": account, "state": held.state, "name": held.name});
        if let Some(resource) = recorded.iter().find(|resource| resource.id == held.id) {
            value["outputs"] = json!(resource.outputs);
            value["settings"] = json!(resource.settings);
        }
        (held.id.to_string(), value)
    });
    let rows = host.scripted().inventory().into_iter().map(|resource| {
        let account = resource.id.scope.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        let key = resource.id.to_string();
        let value = json!({
            "account": account,
            "state": resource.state,
            "outputs": resource.outputs,
            "settings": resource.settings,
        });
        (key, value)
    });
    Ok(Value::Object(rows.chain(held).collect()))
}
