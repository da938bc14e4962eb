//! How do the rows of one account look as JSON?

use crate::processor::Processor;
use crate::{read, time};
use extension_contract::{Account, Product, Purchase, StoredRecord, Subscription};
use host_store::{EffectState, NotState, Read, Scope, Stored, TIMER};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The rows of one account, by section, then by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Sections in order of their names. Records are under `records/COLLECTION`.
    pub sections: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Returns all rows of an account that belong to the state.
///
/// # Errors
/// Fails if the store fails.
pub fn account_rows(processor: &Processor, account: &Account) -> Stored<Rows> {
    rows_of(processor.store(), &processor.scope(account.clone()), processor.declared().not_state())
}

/// Returns all rows of a scope, without the parts that `not_state` names.
///
/// # Errors
/// Fails if the store fails.
pub fn rows_of(store: &dyn Read, scope: &Scope, not_state: &NotState) -> Stored<Rows> {
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
    let space = format!("{}/", scope.claim_space());
    let mut claims = BTreeMap::new();
    let held = store.claims_held(scope, &space)?;
    for (full_key, row) in held.iter().zip(store.claims(&held)?) {
        let until = row.and_then(|row| row.until);
        claims.insert(short_key(&space, full_key), json!({"until": until.map(time::text)}));
    }
    sections.insert("claims".to_owned(), claims);
    let open = store.effects_open(&scope.partition(), Some(&scope.account))?;
    let timers = open.iter().filter(|row| row.effect.kind == TIMER && row.state == EffectState::Queued);
    sections.insert(
        "timers".to_owned(),
        timers.map(|row| (row.effect.key.clone(), json!(time::text(row.due_at)))).collect(),
    );
    Ok(Rows { sections })
}

/// Returns the key as an extension writes it; a key of a connected account has the account in front.
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

/// Parses a stored JSON text; a text that is not JSON becomes a string, so that no state is lost.
pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
