//! The products table is the platform's: a product event says what somebody else did to a row, so the row itself is
//! brought up to date here, in the event's transaction, before the extension sees it.

use host_store::Transaction;
use products_contract::{Event, Imports, Payload, Product, ProductValues, Refusal, StoreError, Stored};
use serde_json::{Map, Value};

/// Keep the row of a product event and complete the event with the rows as they are.
///
/// `after` is laid over the stored row: its metadata member by member, so that what the extension keeps there
/// (`status`, `error`, resources) stays unless the event says otherwise. An event that already ran once is not kept
/// again, since newer ones may have come. A refusal means that the row can't be kept; nothing changed then.
pub(super) fn keep(tx: &mut Transaction, event: &mut Event, first_run: bool) -> Stored<Option<Refusal>> {
    let created = event.kind == "product.created";
    let Payload::Product(change) = &mut event.payload else { return Ok(None) };
    let Some(id) = change.after.as_ref().or(change.before.as_ref()).map(|row| row.id.clone()) else {
        return Ok(Some(Refusal::Malformed("/data/id".to_owned())));
    };
    let scope = tx.context().scope.clone();
    let stored = tx.store().product(&scope, &id)?;
    if !created && stored.is_some() {
        change.before = stored.clone();
    }
    if !first_run {
        if change.after.is_some() && stored.is_some() {
            change.after = stored;
        }
        return Ok(None);
    }
    let version = stored.as_ref().map_or(0, |row| row.version);
    let kept = match &mut change.after {
        Some(after) => {
            if let Some(stored) = stored.filter(|row| !row.deleted) {
                after.values.metadata = overlay(&stored.values, &after.values);
            }
            after.owner = scope.account;
            tx.product_save(&id, version, &after.values).map(|version| after.version = version)
        }
        None => match stored {
            Some(Product { deleted: false, .. }) => tx.product_remove(&id, version).map(|_| ()),
            _ => Ok(()),
        },
    };
    match kept {
        Ok(()) => Ok(None),
        Err(StoreError::Denied(_)) => Ok(Some(Refusal::Forbidden(id))),
        Err(StoreError::Invalid(errors)) => Ok(Some(Refusal::Invalid(errors))),
        Err(StoreError::LimitExceeded(_)) => Ok(Some(Refusal::Malformed("/data".to_owned()))),
        Err(error) => Err(error),
    }
}

/// The metadata of `after` over that of `stored`; `after`'s own text where one of them is no object.
fn overlay(stored: &ProductValues, after: &ProductValues) -> String {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
    match (object(&stored.metadata), object(&after.metadata)) {
        (Ok(mut members), Ok(over)) => {
            members.extend(over);
            Value::Object(members).to_string()
        }
        _ => after.metadata.clone(),
    }
}
