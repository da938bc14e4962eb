//! Product events: the platform tells what somebody did to a product. The row that comes of it is judged before it is
//! written: a refused creation stays with its mark, a refused change or deletion leaves the row as it was.

use crate::context::{Context, Handled, Loaded, Step, Stop, short_hash};
use crate::rows::Rows;
use crate::{catalog, instance};
use products_contract::*;
use serde_json::{Map, Value};

/// Decide a product event.
pub(crate) fn handle(rows: &mut Rows<'_>, event: &Event, change: &ProductChange) -> Step<Handled> {
    let told = change.after.as_ref().or(change.before.as_ref());
    let Some(id) = told.map(|row| row.id.clone()) else {
        return Err(Stop::Refused(Refusal::Malformed("/data/id".to_owned())));
    };
    let mut context = Context::new(rows, event);
    let account = context.account()?;
    if account == Account::Platform {
        catalog::admin_of_platform(&context)?;
        if told.is_some_and(|row| catalog::is_reserved(&row.values.product_type)) {
            return Err(Stop::Refused(Refusal::Forbidden(format!("{id} is of a type that only a catalog defines"))));
        }
    }
    let stored = context.product(&id)?.filter(|row| row.owner == account);
    if stored.is_none() && context.product(&id)?.is_some() {
        return Err(Stop::Refused(Refusal::Forbidden(id)));
    }
    // An event that is driven again tells nothing new; newer ones may have come since.
    if context.host.is_noted(&fact(event))? {
        return Ok(Handled { outcome: Outcome::Ignored(IgnoreReason::NoChange), reply: None });
    }
    let saga: Loaded<instance::Saga> = context.record("sagas", &id)?;
    let is_made = stored.as_ref().is_some_and(|row| !row.deleted) && saga.value.begun;
    if event.kind == "product.created" && is_made {
        return Ok(Handled { outcome: Outcome::Ignored(IgnoreReason::NoChange), reply: None });
    }
    let change = written(&mut context, &account, stored, change)?;
    let created = change.before.is_none();
    match instance::product_event(&mut context, &change) {
        // The row exists at the platform: it stays here, with the mark that says why nothing was made for it.
        Err(Stop::Refused(refusal)) if created && account != Account::Platform => {
            Ok(Handled { outcome: Outcome::Rejected(refusal), reply: None })
        }
        decided => Ok(Handled { outcome: decided?, reply: None }),
    }
}

/// The fact that a product event was decided, whatever came of it.
pub(crate) fn fact(event: &Event) -> String {
    format!("product-event:{}", short_hash(&event.id))
}

/// Write what the event tells over what is stored: the metadata member by member, so that what the provisioner keeps
/// there stays unless the event says otherwise. Returns the change as it really is.
fn written(
    context: &mut Context<'_, '_>,
    account: &Account,
    stored: Option<Product>,
    change: &ProductChange,
) -> Step<ProductChange> {
    let created = context.event.kind == "product.created";
    let mut change = change.clone();
    if !created && stored.is_some() {
        change.before.clone_from(&stored);
    }
    let version = stored.as_ref().map_or(0, |row| row.version);
    match &mut change.after {
        Some(after) => {
            if let Some(stored) = stored.filter(|row| !row.deleted) {
                after.values.metadata = overlay(&stored.values, &after.values);
            }
            after.owner = account.clone();
            check(after)?;
            after.version = context.host.product_save(&after.id, version, &after.values)?;
        }
        None => {
            if let Some(row) = stored.filter(|row| !row.deleted) {
                context.host.product_remove(&row.id, version)?;
            }
        }
    }
    Ok(change)
}

/// A row that no store takes is refused.
fn check(row: &Product) -> Step<()> {
    let large = row.values.metadata.len() > JSON_BYTES_MAX;
    if large || row.id.is_empty() || row.id.len() > ID_BYTES_MAX {
        return Err(Stop::Refused(Refusal::Malformed("/data".to_owned())));
    }
    if serde_json::from_str::<Map<String, Value>>(&row.values.metadata).is_err() {
        return Err(Stop::Refused(Refusal::Invalid(vec![FieldError {
            path: "/metadata".to_owned(),
            code: FieldErrorCode::WrongType,
            message: "expected an object".to_owned(),
        }])));
    }
    Ok(())
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
